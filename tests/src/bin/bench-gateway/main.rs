//! Times `tools/call` of server-everything through gateways, beside the server alone: `bench-gateway PROGRAM`, with the
//! path of `taskcell`. All contenders of a table take turns request by request, so noise of the machine meets all.
//!
//! The CPU time is that of the gateway's processes, without the server's.

mod contenders;
mod cpu;
mod http;
mod pipe;
mod stdio;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use contenders::{Connected, Table};

/// Requests of each contender before those that are measured.
const WARM: usize = 40;
/// Measured requests of each contender.
const REQUESTS: usize = 400;

/// Measured figures of one contender.
struct Row {
    name: &'static str,
    connected: Connected,
    /// Duration of each request in µs.
    times: Vec<f64>,
    /// CPU time of the gateway per request in µs.
    cpu: f64,
}

fn main() -> Result<ExitCode> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    if let [word, command @ ..] = &words[..]
        && word == pipe::WORD
    {
        return pipe::run(command);
    }
    let [program] = &words[..] else { bail!("usage: bench-gateway PROGRAM, the path of taskcell") };
    for table in contenders::tables(program)? {
        measure(table)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures the contenders of a table and prints it. The first contender is the server without a gateway.
fn measure(table: Table) -> Result<()> {
    let mut rows = Vec::new();
    for contender in table.contenders {
        let connected = contender.connect(&table.server).with_context(|| contender.name.to_owned())?;
        rows.push(Row { name: contender.name, connected, times: Vec::new(), cpu: 0.0 });
    }
    for _ in 0..WARM {
        rows.iter_mut().try_for_each(|row| row.connected.call(table.params))?;
    }
    let before = rows.iter().map(|row| cpu::of(row.connected.process())).collect::<Result<Vec<_>>>()?;
    for _ in 0..REQUESTS {
        for row in &mut rows {
            let start = Instant::now();
            row.connected.call(table.params).with_context(|| row.name.to_owned())?;
            row.times.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    for (row, before) in rows.iter_mut().zip(before) {
        row.cpu = (cpu::of(row.connected.process())? - before).as_secs_f64() * 1e6 / REQUESTS as f64;
    }
    println!("\n{}", table.title);
    println!(
        "{:<28} {:>10} {:>10} {:>12} {:>10} {:>10}",
        "", "p10 µs", "median µs", "to the first", "CPU µs", "start ms"
    );
    let first = median(&mut rows[0].times);
    for row in &mut rows {
        let middle = median(&mut row.times);
        println!(
            "{:<28} {:>10.0} {middle:>10.0} {:>12.2} {:>10.0} {:>10.0}",
            row.name,
            row.times[row.times.len() / 10],
            middle / first,
            row.cpu,
            row.connected.start.as_secs_f64() * 1e3,
        );
    }
    Ok(())
}

/// Sorts and takes the middle.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
