//! What is written down at equal times, and what is concluded from it.

use std::fmt::{self, Display};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::load::{Load, Tally};

/// How much of the second quarter's median the last may be above it.
const SLACK: f64 = 0.05;
/// The columns that may not grow: their names, and by how much they may move in any case.
const COLUMNS: [(&str, f64); 5] = [
    ("resident MB", 8.0),
    ("open files", 4.0),
    ("threads", 2.0),
    ("store MB", 4.0),
    // The machine may be shared with others.
    ("p50 ms", 1.0),
];

/// How much the bytes in use may rise in the second half, in MB: they are exact, but for tasks that are kept and for
/// what is under way, which moved them by 0.1 MB as the machine was busy or not. Of fifteen minutes' conversations it
/// is some 25 bytes each.
const RISE: f64 = 0.25;
const MB: f64 = 1_048_576.0;

/// What was seen at one time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// Since the start.
    elapsed: Duration,
    /// Bytes of the heap that are in use, in MB: the fewest since the last row.
    live: f64,
    resident: f64,
    /// What the engine's pool keeps for the next cells, in MB: it has a bound.
    pool: f64,
    files: f64,
    threads: f64,
    store: f64,
    /// Requests of all conversations.
    per_second: f64,
    /// Of well-behaved handlers' answers, in milliseconds.
    p50: f64,
    p99: f64,
    errors: u64,
    unexpected: usize,
}

impl Row {
    pub(crate) const HEADINGS: &str = "    time  live MB  resident MB  pool MB  open files  threads  store MB  requests/s   p50 ms   p99 ms  errors due  unexpected";

    /// Takes what was counted since the last row, which was `since` ago; at least `live` bytes were in use meanwhile.
    pub(crate) fn take(tally: &Tally, load: &Load, live: usize, elapsed: Duration, since: Duration) -> Result<Self> {
        let mut latencies = tally.take_latencies();
        latencies.sort_unstable();
        let at = |share: f64| {
            let place = (latencies.len() as f64 * share) as usize;
            latencies.get(place).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
        };
        let (requests, errors) = tally.take_counts();
        Ok(Self {
            elapsed,
            live: live as f64 / MB,
            pool: load.pool_size() as f64 / MB,
            resident: status("VmRSS:")? / 1024.0,
            files: std::fs::read_dir("/proc/self/fd")?.count() as f64,
            threads: status("Threads:")?,
            store: load.store_size()? as f64 / MB,
            per_second: requests as f64 / since.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            errors,
            unexpected: tally.unexpected().len(),
        })
    }

    fn columns(&self) -> [f64; COLUMNS.len()] {
        [self.resident, self.files, self.threads, self.store, self.p50]
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { elapsed, live, resident, pool, files, threads, store, per_second, p50, p99, errors, unexpected } =
            self;
        let seconds = elapsed.as_secs();
        write!(
            f,
            "{:>5}:{:02}  {live:>7.3}  {resident:>11.1}  {pool:>7.1}  {files:>10}  {threads:>7}  {store:>8.1}  {per_second:>10.0}  {p50:>7.2}  {p99:>7.2}  {errors:>10}  {unexpected:>10}",
            seconds / 60,
            seconds % 60
        )
    }
}

/// A number of this process's status.
fn status(name: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.with_context(|| format!("/proc/self/status has no {name}"))?.parse()?)
}

/// What became of one column.
#[derive(Debug)]
pub(crate) struct Column {
    name: &'static str,
    allowance: f64,
    second: f64,
    last: f64,
}

impl Column {
    pub(crate) fn grew(&self) -> bool {
        self.last > self.second * (1.0 + SLACK) + self.allowance
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, allowance, second, last } = self;
        let end = if self.grew() { "GROWTH" } else { "no growth" };
        let slack = SLACK * 100.0;
        write!(
            f,
            "{name}: {second:.2} in the second quarter, {last:.2} in the last (at most {slack}% and {allowance} more): {end}"
        )
    }
}

/// Holds the last quarter of the rows against the second.
pub(crate) fn verdict(rows: &[Row]) -> Vec<Column> {
    let quarter = rows.len() / 4;
    let columns = COLUMNS.iter().enumerate();
    let of = |column: usize, from: usize| {
        let rows = rows.iter().skip(from).take(quarter);
        median(rows.filter_map(|row| row.columns().get(column).copied()).collect())
    };
    columns
        .map(|(place, (name, allowance))| Column {
            name,
            allowance: *allowance,
            second: of(place, quarter),
            last: of(place, rows.len().saturating_sub(quarter)),
        })
        .collect()
}

/// How the bytes in use moved in the second half.
#[derive(Debug)]
pub(crate) struct Rise {
    /// In MB, from the beginning of the half to its end.
    whole: f64,
    per_minute: f64,
}

impl Rise {
    pub(crate) fn grew(&self) -> bool {
        self.whole > RISE
    }
}

impl Display for Rise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whole, per_minute } = self;
        let (end, bytes) = (if self.grew() { "GROWTH" } else { "no growth" }, per_minute * MB);
        write!(
            f,
            "live MB: {whole:+.3} over the second half, {bytes:+.0} bytes a minute (at most {RISE} MB more): {end}"
        )
    }
}

/// The slope of the bytes in use over the second half: the median of those between any two rows, which no single row
/// moves.
pub(crate) fn rise(rows: &[Row]) -> Rise {
    let half = rows.split_at(rows.len() / 2).1;
    let slopes = half.iter().enumerate().flat_map(|(place, from)| {
        half.iter().skip(place.saturating_add(1)).map(move |to| {
            let minutes = to.elapsed.saturating_sub(from.elapsed).as_secs_f64() / 60.0;
            (to.live - from.live) / minutes
        })
    });
    let per_minute = median(slopes.filter(|slope| slope.is_finite()).collect());
    let ends = half.first().zip(half.last());
    let time = ends.map_or(Duration::ZERO, |(first, last)| last.elapsed.saturating_sub(first.elapsed));
    Rise { whole: per_minute * time.as_secs_f64() / 60.0, per_minute }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grew(resident: impl Fn(u32) -> f64) -> bool {
        let rows: Vec<_> = (0..32).map(|row| Row { resident: resident(row), ..Row::default() }).collect();
        verdict(&rows).iter().any(Column::grew)
    }

    #[test]
    fn a_slope_is_growth_and_a_warm_up_or_a_peak_is_none() {
        assert!(!grew(|_| 100.0));
        assert!(grew(|row| 100.0 + f64::from(row)));
        assert!(!grew(|row| if row < 8 { f64::from(row) * 10.0 } else { 100.0 }));
        assert!(!grew(|row| if row % 5 == 0 { 300.0 } else { 100.0 }));
        assert!(grew(|row| if row < 24 { 100.0 } else { 114.0 }));
    }

    fn rose(live: impl Fn(u32) -> f64) -> bool {
        let row = |row: u32| Row { elapsed: Duration::from_secs(28) * row, live: live(row), ..Row::default() };
        rise(&(0..32).map(row).collect::<Vec<_>>()).grew()
    }

    /// The slow one is 40 KB a minute, which resident memory would hide for hours.
    #[test]
    fn a_slow_leak_is_growth_and_what_is_under_way_is_none() {
        assert!(!rose(|_| 10.0));
        assert!(rose(|row| 10.0 + f64::from(row) * 0.02));
        assert!(rose(|row| 10.0 + f64::from(row) * 0.02 + f64::from(row % 3) * 0.02));
        assert!(!rose(|row| if row < 16 { f64::from(row) } else { 16.0 }));
        assert!(!rose(|row| 10.0 + f64::from(row % 3) * 0.5));
    }
}
