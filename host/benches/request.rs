//! One request, JSON in to JSON out, beside native code, a warm instance and wasmtime alone.
#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking, and criterion makes public items")]

mod common;

use common::{Floor, SAMPLING, TASKS_GET, native};
use criterion::{Criterion, criterion_group, criterion_main};

fn requests(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let floor = Floor::new().expect("the floor");
    let (session, _outbox) = runtime.block_on(common::session()).expect("a session");

    let mut group = criterion.benchmark_group("tasks_get");
    group.bench_function("native", |b| b.iter(|| native::tasks_get(TASKS_GET.as_bytes())));
    group.bench_function("floor", |b| b.iter(|| runtime.block_on(floor.tasks_get())));
    group.bench_function("taskcell", |b| b.iter(|| runtime.block_on(session.answer(TASKS_GET.as_bytes()))));
    group.finish();

    let mut group = criterion.benchmark_group("sampling");
    group.bench_function("native", |b| b.iter(|| native::sampling(SAMPLING.as_bytes())));
    group.bench_function("floor", |b| b.iter(|| runtime.block_on(floor.sampling())));
    group.bench_function("taskcell", |b| b.iter(|| runtime.block_on(session.answer(SAMPLING.as_bytes()))));
    group.finish();
}

criterion_group!(benches, requests);
criterion_main!(benches);
