//! Resources of this process at a moment, from `/proc/self`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

/// Bytes of a page of memory.
const PAGE: u64 = 4 << 10;
/// Number of consecutive checks in which all threads must be waiting. With several checks, a computing thread is
/// noticed even when it waits for a processor on a busy machine.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);
/// Hundredths of a second that a thread may compute between the first and the last check, because waking up starts one.
const WAKING: u64 = 1;

/// Timeout longer than any finite computation, including compiling on a busy machine.
const GUARD: Duration = Duration::from_secs(300);

/// Resources of the process.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Bytes of resident memory.
    pub resident: u64,
    /// Number of threads.
    pub threads: u64,
    /// Number of open files.
    pub files: u64,
}

impl Usage {
    /// Reads the current resources.
    ///
    /// # Errors
    /// When there is no `/proc`.
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
    /// Hundredths of a second that the thread has computed.
    computed: u64,
}

/// Waits until no other thread of the process computes.
///
/// # Errors
/// When a thread keeps computing, with its name.
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

/// Lists the names of the threads that are computing.
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

/// Reads the other threads.
fn threads() -> Result<BTreeMap<u64, Thread>> {
    let own = fs::read_link("/proc/thread-self")?;
    let own = own.file_name().and_then(|name| name.to_str()).context("no thread")?.parse()?;
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/task")? {
        // The thread may be gone by now.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        // `12 (name) S ...`; a name may have spaces and parentheses. Fields 14 and 15 are the times.
        let (start, rest) = stat.rsplit_once(") ").context("no end of the name")?;
        let (number, name) = start.split_once(" (").context("no name")?;
        let times = rest.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let computed = times.sum::<Result<u64, _>>()?;
        threads.insert(number.parse()?, Thread { name: name.to_owned(), waits: rest.starts_with('S'), computed });
    }
    threads.remove(&own);
    Ok(threads)
}
