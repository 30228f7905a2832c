//! `soak MINUTES`: serves a mixed load, one tenth of it hostile, and watches whether anything grows.
//!
//! A leak is what no single test shows: each request gives everything back but a little. So the same conversations are
//! held over and over, and what the process takes is written down at equal times. The rule: the median of the last
//! quarter may not be above that of the second by more than a share of it and a fixed allowance for each column. The
//! first quarter is left out, for pools and caches fill then; medians, because a column moves while hundreds of cells
//! come and go.
//!
//! The bytes of the heap that are in use have a stricter one, for they are exact: they may not rise in the second half
//! of the run. Each row has the fewest of its time, which leaves out what conversations hold that are under way.
//!
//! Exits with 1 when something grew, or when an answer was not the one that was due.
#![allow(clippy::print_stdout, reason = "a program")]

mod live;
mod load;
mod measure;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use load::{Load, Tally};
use measure::{Row, rise, verdict};

/// Conversations at once.
const WORKERS: usize = 6;
/// Rows of a whole run.
const ROWS: u32 = 32;
/// How often the bytes in use are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// A run that is shorter has not warmed up: nothing is said of growth.
const SHORTEST: Duration = Duration::from_secs(120);

fn main() -> Result<ExitCode> {
    let minutes = std::env::args().nth(1).context("how many minutes? `soak MINUTES`")?;
    let minutes: f64 = minutes.parse().with_context(|| format!("{minutes} is no number of minutes"))?;
    let whole = Duration::try_from_secs_f64(minutes * 60.0)?;
    // As `docs/embedding.md` advises a host to be set up.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().event_interval(7).build()?.block_on(soak(whole))
}

async fn soak(whole: Duration) -> Result<ExitCode> {
    let load = Arc::new(Load::new().await?);
    let tally = Arc::new(Tally::default());
    let start = Instant::now();
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (load, tally) = (Arc::clone(&load), Arc::clone(&tally));
            tokio::spawn(async move {
                while start.elapsed() < whole {
                    load.converse(&tally).await;
                }
            })
        })
        .collect();

    println!("{}", Row::HEADINGS);
    let (mut rows, mut before) = (Vec::new(), start);
    for step in 1..=ROWS {
        let (end, mut live) = (start + whole * step / ROWS, usize::MAX);
        while Instant::now() < end {
            tokio::time::sleep(LOOK).await;
            live = live.min(live::bytes());
        }
        let row = Row::take(&tally, &load, live, start.elapsed(), before.elapsed())?;
        before = Instant::now();
        println!("{row}");
        rows.push(row);
    }
    for worker in workers {
        worker.await?;
    }

    println!("\nerrors that were due: {}", tally.errors());
    let unexpected = tally.unexpected();
    for answer in &unexpected {
        println!("UNEXPECTED: {answer}");
    }
    if whole < SHORTEST {
        println!("too short to say whether anything grows");
        return Ok(if unexpected.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut grew = false;
    for column in verdict(&rows) {
        println!("{column}");
        grew |= column.grew();
    }
    let rise = rise(&rows);
    println!("{rise}");
    grew |= rise.grew();
    println!("{}", if grew { "GROWTH" } else { "no growth" });
    Ok(if grew || !unexpected.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
