//! Comparison with the SDKs: the same two requests through their own clients, beside taskcell, in one table with the
//! ratios.
//!
//! The peers run in their own processes and measure their own CPU time; `peers/bench.py` and `peers/bench.mjs` say what
//! each measures. Their packages come from the lock files of `tests/peers`.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

mod common;

use std::path::Path;
use std::process::Command;

use common::measure::{cpu, median};
use common::{SAMPLING, TASKS_GET};
use rustix::time::ClockId;
use serde_json::Value;
use taskcell_test_support::provision::{node_peers, python_peers};

const ROUNDS: usize = 31;
const PER_ROUND: u32 = 400;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    let python = python_peers().expect("the Python SDK");
    let node = node_peers().expect("the TypeScript SDK");
    let mut rows = vec![taskcell("tasks/get", TASKS_GET), taskcell("sampling", SAMPLING)];
    rows.extend(measured(Command::new(python).arg(folder.join("bench.py"))));
    rows.extend(measured(Command::new("node").arg(folder.join("bench.mjs")).arg(node)));

    println!("{:<32} {:<12} {:>10} {:>12}", "", "", "µs of CPU", "to taskcell");
    for row in &rows {
        let (peer, case) = (row["peer"].as_str().unwrap_or_default(), row["case"].as_str().unwrap_or_default());
        let us = row["us_per_op"].as_f64().unwrap_or_default();
        let ours = rows.iter().take(2).find(|ours| ours["case"] == case).and_then(|ours| ours["us_per_op"].as_f64());
        println!("{peer:<32} {case:<12} {us:>10.1} {:>12.2}", us / ours.unwrap_or(f64::NAN));
    }
}

/// Runs a peer's bench, which prints one JSON object per line.
fn measured(command: &mut Command) -> Vec<Value> {
    let output = command.output().expect("the peer's bench runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Measures taskcell with a fresh cell for each request.
fn taskcell(case: &str, request: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let samples = runtime.block_on(async {
        let (session, _outbox) = common::session().await.expect("a session");
        let mut samples = Vec::new();
        for _ in 0..ROUNDS {
            let start = cpu(ClockId::ProcessCPUTime);
            for _ in 0..PER_ROUND {
                std::hint::black_box(session.answer(request.as_bytes()).await);
            }
            samples.push((cpu(ClockId::ProcessCPUTime) - start).as_secs_f64() * 1e6 / f64::from(PER_ROUND));
        }
        samples
    });
    serde_json::json!({ "peer": "taskcell, fresh cell", "case": case, "us_per_op": median(samples) })
}
