//! Measures the program beside hostile servers: `hostile-figures [BINARY]`, the program of this workspace by default.
//! Exit code 1 where a figure is above its bound.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use taskcell_test_support::hostile_figures::{ENDS_WITHIN, QUIET, SCENARIOS, measure};

fn main() -> Result<ExitCode> {
    let folder = std::env::current_exe()?.parent().context("no folder")?.to_owned();
    let program = std::env::args().nth(1).map_or_else(|| folder.join("taskcell"), PathBuf::from);
    let server = folder.join("fake-server");
    let quiet = measure(&program, &server, &["-q"], QUIET, None)?.peak;
    println!("{quiet:>5} MiB beside a quiet server");
    let mut held = true;
    for row in SCENARIOS {
        let figures = measure(&program, &server, row.options, row.server, row.terminated)?;
        let grown = figures.peak.saturating_sub(quiet);
        let late = figures.ending.is_some_and(|ending| ending > Duration::from_secs(ENDS_WITHIN));
        let good = grown < row.grows && !late;
        held &= good;
        let mark = if good { "ok  " } else { "HIGH" };
        let ending = figures.ending.map(|ending| format!(", {:.1} s after SIGTERM", ending.as_secs_f64()));
        println!(
            "{mark} {grown:>5} MiB more (bound {}), {:.1} s{}, exit code {:?}: {}",
            row.grows,
            figures.time.as_secs_f64(),
            ending.unwrap_or_default(),
            figures.code,
            row.name,
        );
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
