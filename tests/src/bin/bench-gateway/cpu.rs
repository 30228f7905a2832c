//! CPU time of a gateway's processes, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Mark in the command line of the server, whose time does not count.
const SERVER: &str = "server-everything/dist";

/// CPU time of a process and of those below it, without the server. A gateway is a process that was started with the
/// server's command line as its arguments, so the server is the last process of the branch that bears the mark.
///
/// # Errors
/// When a process has ended.
pub(crate) fn of(process: u32) -> Result<Duration> {
    let children = children(process);
    let line = fs::read(format!("/proc/{process}/cmdline")).with_context(|| format!("process {process} has ended"))?;
    if children.is_empty() && String::from_utf8_lossy(&line).contains(SERVER) && is_node(process) {
        return Ok(Duration::ZERO);
    }
    children.into_iter().map(of).try_fold(own(process)?, |sum, more| Ok(sum + more?))
}

fn is_node(process: u32) -> bool {
    fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|path| path.ends_with("node"))
}

/// Time that the threads of a process ran, in ns of the scheduler's books.
fn own(process: u32) -> Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let books = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        sum += books.split(' ').next().and_then(|ran| ran.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(sum))
}

fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}
