//! Cost of the handlers that `taskcell new` writes, one row per language, beside others that the command line names:
//!
//!     cargo bench -p taskcell --bench handlers -- rust c before=old/handler.wasm
//!
//! A word is a language to measure; without words all are measured. A word with `=` is the name and the file of another
//! handler of sampling and elicitation. All take turns in one run, so that a noisy machine slows them alike. The
//! program that writes and builds the projects must exist: `cargo build --release -p taskcell-tests --bin
//! taskcell-cli`.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

mod common;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use common::SAMPLING;
use common::measure::{cpu, faults, median};
use rustix::time::ClockId;
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Outbox, Session, SessionOptions};
use taskcell_test_support::built_examples::{build_folder, new_project};
use taskcell_test_support::provision::{language_skipped, language_variables};

const ELICITATION: &str = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"Who?","requestedSchema":{"type":"object","properties":{}}}}"#;
const REQUESTS: [&str; 2] = [ELICITATION, SAMPLING];

const LANGUAGES: [&str; 7] = ["rust", "c", "cpp", "javascript", "typescript", "go", "python"];
const ROUNDS: usize = 15;
/// Turn of a contender in seconds of CPU time, so that slow contenders do fewer requests.
const TURN: f64 = 0.02;

struct Contender {
    name: String,
    session: Arc<Session>,
    /// Kept, because the session ends with its outbox.
    _outbox: Outbox,
    per_turn: u32,
    /// Cost of each request in µs.
    costs: [Vec<f64>; 2],
    faults: Vec<f64>,
    /// CPU time of a request with two threads relative to one.
    two: Vec<f64>,
}

fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    // `cargo test` also runs this program, without `--bench`; there is nothing to test here.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let words: Vec<_> = words.into_iter().filter(|word| !word.starts_with("--")).collect();
    let languages = words.iter().map(String::as_str).filter(|word| !word.contains('=')).collect::<Vec<_>>();
    let others = words.iter().filter_map(|word| word.split_once('=')).map(|(name, file)| (name, PathBuf::from(file)));
    let chosen = |language: &&&str| languages.is_empty() || languages.contains(*language);
    let folder = tempfile::tempdir().expect("a folder");
    let built =
        LANGUAGES.iter().filter(chosen).filter(|language| !language_skipped(language, "the bench")).map(|name| {
            let project = folder.path().join(name);
            new_project(&project, name, "sampling,elicitation").expect("it is written");
            let variables = language_variables(name).expect("its tools are there");
            (*name, build_folder(&project, variables).expect("it builds"))
        });
    let handlers: Vec<_> = others.chain(built).collect();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    let load = |(name, file)| runtime.block_on(load(&engine, name, file));
    let mut contenders: Vec<_> = handlers.into_iter().map(load).collect();
    for _ in 0..ROUNDS {
        for contender in &mut contenders {
            runtime.block_on(turn(contender));
        }
        for contender in &mut contenders {
            let (one, two) = (with_threads(contender, 1), with_threads(contender, 2));
            contender.two.push(two / one);
        }
    }
    println!("{:<12} {:>14} {:>12} {:>10} {:>14}", "", "elicitation µs", "sampling µs", "faults", "two threads");
    for Contender { name, costs: [small, large], faults, two, .. } in contenders {
        let [small, large, faults, two] = [small, large, faults, two].map(median);
        println!("{name:<12} {small:>14.1} {large:>12.1} {faults:>10.1} {two:>14.2}");
    }
}

async fn load(engine: &Engine, name: &str, file: PathBuf) -> Contender {
    let handler = Handler::from_file(engine, &file, Grants::default()).await.expect("it loads");
    let mut options = SessionOptions::new(common::server());
    options.tasks.rate = taskcell::tasks::RateLimit::none();
    let (session, outbox) = Session::new(Handlers::new([handler]).expect("one handler"), options);
    for request in REQUESTS {
        let answer = session.answer(request.as_bytes()).await.expect("an answer");
        assert!(String::from_utf8_lossy(&answer).contains("\"result\""), "{name}");
    }
    let start = cpu(ClockId::ThreadCPUTime);
    session.answer(ELICITATION.as_bytes()).await;
    let once = (cpu(ClockId::ThreadCPUTime) - start).as_secs_f64();
    let per_turn = (TURN / once).clamp(5.0, 400.0) as u32;
    let (costs, faults, two) = Default::default();
    Contender { name: name.to_owned(), session: Arc::new(session), _outbox: outbox, per_turn, costs, faults, two }
}

/// Measures one thread's CPU time of each request, and the page faults of both.
async fn turn(contender: &mut Contender) {
    let before = faults();
    for (request, costs) in REQUESTS.iter().zip(&mut contender.costs) {
        let start = cpu(ClockId::ThreadCPUTime);
        for _ in 0..contender.per_turn {
            black_box(contender.session.answer(request.as_bytes()).await);
        }
        costs.push((cpu(ClockId::ThreadCPUTime) - start).as_secs_f64() * 1e6 / f64::from(contender.per_turn));
    }
    contender.faults.push((faults() - before) / f64::from(2 * contender.per_turn));
}

/// Measures the CPU time of an elicitation while `count` threads ask at once.
fn with_threads(contender: &Contender, count: u32) -> f64 {
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let start = cpu(ClockId::ThreadCPUTime);
        runtime.block_on(async {
            for _ in 0..contender.per_turn {
                black_box(contender.session.answer(ELICITATION.as_bytes()).await);
            }
        });
        (cpu(ClockId::ThreadCPUTime) - start).as_secs_f64()
    };
    let costs: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    });
    costs.iter().sum::<f64>() / f64::from(count)
}
