//! Measurements of the benches.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time used so far by this thread or this process.
pub fn cpu(of: ClockId) -> Duration {
    let now = clock_gettime(of);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// Resident memory of this process, in bytes.
pub fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.expect("a number of kB") * 1024.0
}

/// Page faults of this thread so far that needed no disk.
pub fn faults() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux");
    // The second field, the thread's name, may hold spaces; the tenth counts the faults.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    fields.split_whitespace().nth(7).and_then(|field| field.parse().ok()).expect("a number of faults")
}
