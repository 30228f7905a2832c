//! Bars of `docs/performance.md`: the cost of taskcell relative to its floor and to native code, in one run.
//!
//! The contenders take turns in short rounds, and each is judged by its median CPU time, so that a noisy machine slows
//! all of them alike. Then the same session serves from one thread and from two.
#![allow(clippy::indexing_slicing, reason = "a bench fails by panicking")]

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use common::measure::{cpu, median};
use common::{Floor, SAMPLING, TASKS_GET, native};
use rustix::time::ClockId;
use wasmtime::Result;

const ROUNDS: usize = 41;
const PER_ROUND: u32 = 400;

fn main() -> Result<()> {
    // `cargo test` also runs this program, without `--bench`; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(costs())?;
    throughput()
}

async fn costs() -> Result<()> {
    let (floor, lasting) = (Floor::new()?, Floor::new()?);
    let (session, _outbox) = common::session().await?;
    let (mut store, mut instance) = lasting.warm().await?;
    let names = ["native", "warm instance", "floor", "taskcell"];
    let mut samples = vec![vec![Vec::new(); names.len()]; 2];
    for _ in 0..ROUNDS {
        for contender in 0..names.len() {
            for (case, samples) in samples.iter_mut().enumerate() {
                let start = cpu(ClockId::ThreadCPUTime);
                for _ in 0..PER_ROUND {
                    match (contender, case) {
                        (0, 0) => drop(black_box(native::tasks_get(TASKS_GET.as_bytes()))),
                        (0, _) => drop(black_box(native::sampling(SAMPLING.as_bytes()))),
                        (1, 0) => drop(black_box(lasting.warm_tasks_get(&mut store, &instance).await?)),
                        (1, _) => drop(black_box(lasting.warm_sampling(&mut store, &instance).await?)),
                        (2, 0) => drop(black_box(floor.tasks_get().await?)),
                        (2, _) => drop(black_box(floor.sampling().await?)),
                        (_, 0) => drop(black_box(session.answer(TASKS_GET.as_bytes()).await)),
                        (_, _) => drop(black_box(session.answer(SAMPLING.as_bytes()).await)),
                    }
                }
                samples[contender]
                    .push((cpu(ClockId::ThreadCPUTime) - start).as_secs_f64() * 1e6 / f64::from(PER_ROUND));
            }
        }
        // The guest frees nothing, so the warm instance is renewed before its memory runs out.
        (store, instance) = lasting.warm().await?;
    }
    println!("µs of CPU, median of {ROUNDS} rounds of {PER_ROUND}:");
    println!("{:<15} {:>10} {:>10}", "", "tasks/get", "sampling");
    let medians: Vec<[f64; 2]> = (0..names.len())
        .map(|contender| [median(samples[0][contender].clone()), median(samples[1][contender].clone())])
        .collect();
    for (name, [get, sampling]) in names.iter().zip(&medians) {
        println!("{name:<15} {get:>10.2} {sampling:>10.2}");
    }
    let ratio = |case: usize, to: usize| medians[3][case] / medians[to][case];
    println!("taskcell to floor:  tasks/get {:.2} (at most 1.4), sampling {:.2}", ratio(0, 2), ratio(1, 2));
    println!("taskcell to native: tasks/get {:.1} (at most 40), sampling {:.1} (at most 4)", ratio(0, 0), ratio(1, 0));
    Ok(())
}

/// Measures requests per second, from one worker and from two.
fn throughput() -> Result<()> {
    let run = |workers: usize| -> Result<f64> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .event_interval(7)
            .build()?;
        runtime.block_on(async {
            let (session, _outbox) = common::session().await?;
            let session = Arc::new(session);
            let each = 40_000;
            let start = Instant::now();
            let running: Vec<_> = (0..workers)
                .map(|_| {
                    let session = Arc::clone(&session);
                    tokio::spawn(async move {
                        for _ in 0..each {
                            black_box(session.answer(TASKS_GET.as_bytes()).await);
                        }
                    })
                })
                .collect();
            for running in running {
                running.await?;
            }
            Ok((each * workers) as f64 / start.elapsed().as_secs_f64())
        })
    };
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let (one, two) = (run(1)?, run(2)?);
        println!("tasks/get in a second: one worker {one:.0}, two workers {two:.0}");
        ratios.push(two / one);
    }
    println!("two workers to one: {:.2} (at least 1.5)", median(ratios));
    Ok(())
}
