//! What this process has at a moment, from `/proc/self`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

/// Bytes of a page of memory.
const PAGE: u64 = 4 << 10;
/// How often in a row all threads must be seen to wait, and how long after each other. One that computes is seen to, also
/// where the machine is busy and it waits for a processor.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);
/// Hundredths of a second that a thread may have computed between the first look and the last: one is begun by waking up.
const WAKING: u64 = 1;

/// Longer than anything that ends computes, also what compiles on a busy machine.
const GUARD: Duration = Duration::from_secs(300);

/// What the process has.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Bytes of memory that are resident.
    pub resident: u64,
    /// Threads.
    pub threads: u64,
    /// Open files.
    pub files: u64,
}

impl Usage {
    /// What it has now.
    ///
    /// # Errors
    /// Where there is no `/proc`.
    pub fn now() -> Result<Self> {
        let pages = fs::read_to_string("/proc/self/statm")?;
        let resident = pages.split(' ').nth(1).context("no number of resident pages")?.parse::<u64>()? * PAGE;
        let count = |folder: &str| Ok::<_, std::io::Error>(fs::read_dir(folder)?.count() as u64);
        Ok(Self { resident, threads: count("/proc/self/task")?, files: count("/proc/self/fd")? })
    }
}

/// A thread of this process.
#[derive(Debug)]
struct Thread {
    name: String,
    waits: bool,
    /// Hundredths of a second that it has computed.
    computed: u64,
}

/// Waits until no other thread of the process computes.
///
/// # Errors
/// When one goes on and on, with its name.
pub async fn settled() -> Result<()> {
    let busy = Mutex::new(Vec::new());
    let settled = tokio::time::timeout(GUARD, async {
        loop {
            let names = computing().await?;
            if names.is_empty() {
                return Ok(());
            }
            *busy.lock().unwrap_or_else(PoisonError::into_inner) = names;
        }
    });
    settled.await.with_context(|| format!("still computing: {busy:?}"))?
}

/// The names of the threads that are seen to compute.
async fn computing() -> Result<Vec<String>> {
    let first = threads()?;
    for _ in 0..LOOKS {
        tokio::time::sleep(PAUSE).await;
        let now = threads()?;
        let computes = |(id, thread): &(&u64, &Thread)| {
            let before = first.get(id).map_or(0, |thread| thread.computed);
            !thread.waits || thread.computed.saturating_sub(before) > WAKING
        };
        let names: Vec<_> = now.iter().filter(computes).map(|(_, thread)| thread.name.clone()).collect();
        if !names.is_empty() {
            return Ok(names);
        }
    }
    Ok(Vec::new())
}

/// The other threads.
fn threads() -> Result<BTreeMap<u64, Thread>> {
    let own = fs::read_link("/proc/thread-self")?;
    let own = own.file_name().and_then(|name| name.to_str()).context("no thread")?.parse()?;
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/task")? {
        // A thread may be gone by now.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        // `12 (name) S ...`; a name may have spaces and parentheses. The 14th and the 15th field are the times.
        let (start, rest) = stat.rsplit_once(") ").context("no end of the name")?;
        let (number, name) = start.split_once(" (").context("no name")?;
        let times = rest.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let computed = times.sum::<Result<u64, _>>()?;
        threads.insert(number.parse()?, Thread { name: name.to_owned(), waits: rest.starts_with('S'), computed });
    }
    threads.remove(&own);
    Ok(threads)
}
