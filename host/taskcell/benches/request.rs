//! Bench of one request, JSON in to JSON out, beside native code, a warm instance and wasmtime alone.
#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking, and criterion makes public items")]

mod common;

use std::time::{Duration, Instant};

use common::{Floor, SAMPLING, TASKS_GET, native};
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

/// Calls into one instance before it is renewed, because the guest frees nothing.
const WARM_CALLS: u64 = 400;

fn requests(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let floor = Floor::new().expect("the floor");
    let lasting = Floor::new().expect("the floor with an instance that lasts");
    let (session, _outbox) = runtime.block_on(common::session()).expect("a session");

    let mut group = criterion.benchmark_group("tasks_get");
    group.bench_function("native", |b| b.iter(|| native::tasks_get(TASKS_GET.as_bytes())));
    group.bench_function("warm", |b| b.iter_custom(|calls| warm(&runtime, &lasting, calls, false)));
    group.bench_function("floor", |b| b.iter(|| runtime.block_on(floor.tasks_get())));
    group.bench_function("taskcell", |b| b.iter(|| runtime.block_on(session.answer(TASKS_GET.as_bytes()))));
    group.finish();

    let mut group = criterion.benchmark_group("sampling");
    group.bench_function("native", |b| b.iter(|| native::sampling(SAMPLING.as_bytes())));
    group.bench_function("warm", |b| b.iter_custom(|calls| warm(&runtime, &lasting, calls, true)));
    group.bench_function("floor", |b| b.iter(|| runtime.block_on(floor.sampling())));
    group.bench_function("taskcell", |b| b.iter(|| runtime.block_on(session.answer(SAMPLING.as_bytes()))));
    group.finish();
}

/// Measures the time of `calls` calls into instances that stay alive.
fn warm(runtime: &Runtime, floor: &Floor, calls: u64, sampling: bool) -> Duration {
    runtime.block_on(async {
        let mut total = Duration::ZERO;
        let mut left = calls;
        while left > 0 {
            let now = left.min(WARM_CALLS);
            left -= now;
            let (mut store, instance) = floor.warm().await.expect("an instance");
            let start = Instant::now();
            for _ in 0..now {
                if sampling {
                    drop(floor.warm_sampling(&mut store, &instance).await.expect("an answer"));
                } else {
                    drop(floor.warm_tasks_get(&mut store, &instance).await.expect("an answer"));
                }
            }
            total += start.elapsed();
        }
        total
    })
}

criterion_group!(benches, requests);
criterion_main!(benches);
