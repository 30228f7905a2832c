//! Cost of a handler in each language: the examples of all kinds, side by side, for `docs/languages/README.md`.
//!
//! The table has one row per language. Calls to fresh instances and to reused ones take turns, so that a noisy machine
//! slows all of them alike. `TASKCELL_SKIP_LANGUAGES=c,go` leaves languages out.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use common::SAMPLING;
use common::measure::{cpu, median, resident};
use rustix::time::ClockId;
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Outbox, Session, SessionOptions};
use taskcell_test_support::conversation;
use taskcell_test_support::fake_application::FakeApplication;
use taskcell_test_support::languages::LANGUAGES;
use taskcell_test_support::provision::language_skipped;

const ROOTS: &str = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
const ASK: &str = r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"ask slow"}}],"maxTokens":1}}"#;

const LOADS: usize = 5;
const ROUNDS: usize = 9;
const PER_ROUND: u32 = 40;
const WAITING: usize = 32;
/// Requests that a reused instance answers.
const REUSE: u32 = 1_000;

fn engine(cache: Option<PathBuf>) -> Engine {
    let mut options = EngineOptions::default();
    options.cache = cache;
    Engine::new(options).expect("an engine")
}

async fn load(engine: &Engine, component: &Path, reuse: u32) -> Handlers {
    let mut grants = Grants::default();
    grants.tasks = true;
    grants.progress = true;
    let application = Arc::new(FakeApplication::default());
    grants.model = Some(Arc::<FakeApplication>::clone(&application));
    grants.user = Some(application);
    let handler = Handler::from_file(engine, component, grants).await.expect("it loads");
    Handlers::new([handler.with_reuse(reuse)]).expect("one handler")
}

fn session(handlers: Handlers) -> (Session, Outbox) {
    let mut options = SessionOptions::new(common::server());
    options.tasks.rate = taskcell::tasks::RateLimit::none();
    Session::new(handlers, options)
}

async fn row(name: &str, component: &Path) {
    let size = std::fs::metadata(component).expect("it is built").len() as f64 / 1e6;
    let nothing_cached = engine(None);
    let start = Instant::now();
    drop(load(&nothing_cached, component, 1).await);
    let compile = start.elapsed().as_secs_f64();

    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(Some(folder.path().join("cache")));
    drop(load(&engine, component, 1).await);
    let mut loads = Vec::new();
    for _ in 0..LOADS {
        let start = Instant::now();
        drop(load(&engine, component, 1).await);
        loads.push(start.elapsed().as_secs_f64() * 1e3);
    }

    let (fresh, going_on) =
        (session(load(&engine, component, 1).await), session(load(&engine, component, REUSE).await));
    let mut samples = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        for (place, samples) in samples.iter_mut().enumerate() {
            let (session, message) =
                (if place < 2 { &fresh.0 } else { &going_on.0 }, [ROOTS, SAMPLING][place % 2].as_bytes());
            let start = cpu(ClockId::ThreadCPUTime);
            for _ in 0..PER_ROUND {
                std::hint::black_box(session.answer(message).await);
            }
            samples.push((cpu(ClockId::ThreadCPUTime) - start).as_secs_f64() * 1e6 / f64::from(PER_ROUND));
        }
    }
    drop((fresh, going_on));

    let (session, _outbox) = session(load(&engine, component, 1).await);
    let before = resident();
    let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(session.answer(ASK.as_bytes()))).collect();
    for request in &mut waiting {
        assert!(conversation::start(request.as_mut()).await.is_pending(), "nobody answers");
    }
    let memory = (resident() - before) / WAITING as f64 / 1e6;
    let [fresh_small, fresh, going_small, going] = samples.map(median);
    println!(
        "{name:<12} {size:>7.2} {compile:>9.2} {:>8.1} {fresh_small:>9.0} {fresh:>9.0} {going_small:>9.0} {going:>9.0} {memory:>9.2}",
        median(loads)
    );
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!(
        "{:<12} {:>7} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "MB", "compile s", "load ms", "fresh µs", "sampling", "reuse µs", "sampling", "waits MB"
    );
    for language in LANGUAGES.iter().filter(|language| !language_skipped(language.name, "the bench")) {
        let component = language.component().expect("it builds");
        runtime.block_on(row(language.name, &component));
    }
}
