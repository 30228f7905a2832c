//! Effect of an attack on a well-behaved neighbor: the time of its requests while another handler of the same engine
//! does its worst, relative to the time when nothing else runs.
//!
//! The neighbor answers a sampling request of 4 KiB. A thread outside of the runtime hands the requests in, as a
//! transport does, one after the other with a pause. The attackers have their own session, which starts an attack again
//! whenever a limit has ended it. Each attack is preceded by its own quiet time. The bar: the median stays within 3
//! times the quiet one.
#![allow(clippy::indexing_slicing, reason = "a bench fails by panicking")]

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskcell::tasks::RateLimit;
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Session, SessionOptions};
use taskcell_test_support::compose::component_text;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinSet;
use wasmtime::Result;

/// Time for which each attack is watched, and the quiet before it.
const WATCHED: Duration = Duration::from_secs(2);
/// Pause between two requests of the neighbor.
const PAUSE: Duration = Duration::from_millis(1);
/// Number of concurrent attacks of one kind.
const ATTACKERS: usize = 16;
/// Highest allowed ratio of the medians.
const MOST: f64 = 3.0;

type Attack = fn(Arc<Attacker>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Attacks on the neighbor, each made by [`ATTACKERS`] at once.
const ATTACKS: [(&str, Attack); 12] = [
    ("infinite loop", |attacker| Box::pin(asks(attacker, "loop"))),
    ("loop of host calls", |attacker| Box::pin(asks(attacker, "loop-host"))),
    ("computes and waits in turn", |attacker| Box::pin(asks(attacker, "alternate"))),
    ("endless recursion", |attacker| Box::pin(asks(attacker, "recurse"))),
    ("memory at once", |attacker| Box::pin(asks(attacker, "grow"))),
    ("memory drip by drip", |attacker| Box::pin(asks(attacker, "drip"))),
    ("resources that leak", |attacker| Box::pin(asks(attacker, "leak"))),
    ("huge answers", |attacker| Box::pin(asks(attacker, "big"))),
    ("log flood", |attacker| Box::pin(floods(attacker))),
    ("work that loops, hundreds", |attacker| Box::pin(leaves_work(attacker))),
    ("work spawned by the thousand", |attacker| Box::pin(spawns(attacker))),
    ("compile bombs", |attacker| Box::pin(loads(attacker))),
];

/// Means of the attackers.
struct Attacker {
    engine: Engine,
    hostile: Arc<Session>,
    stdio: Arc<Session>,
    bomb: Vec<u8>,
}

fn main() -> Result<()> {
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    // The host is set up as `docs/embedding.md` advises.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().event_interval(7).build()?;
    let (neighbor, attacker) = runtime.block_on(async {
        let engine = Engine::new(EngineOptions::default())?;
        let (neighbor, attacker) = (session(&engine, "bench").await?, attacker(&engine).await?);
        Ok::<_, wasmtime::Error>((neighbor, attacker))
    })?;
    println!("microseconds of a neighbor's request, {ATTACKERS} attackers at once, two workers");
    println!(
        "{:<30} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}",
        "attack", "quiet p50", "p99", "p50", "p99", "p50 x", "p99 x"
    );
    let mut missed = Vec::new();
    for (name, attack) in ATTACKS {
        let quiet = watch(&runtime, &neighbor);
        let attackers: Vec<_> = (0..ATTACKERS).map(|_| runtime.spawn(attack(Arc::clone(&attacker)))).collect();
        // The attack has started when its first requests run.
        std::thread::sleep(Duration::from_millis(200));
        let attacked = watch(&runtime, &neighbor);
        attackers.iter().for_each(tokio::task::JoinHandle::abort);
        let ratio = |at: usize| attacked[at] / quiet[at];
        println!(
            "{name:<30} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>7.1} {:>7.1}",
            quiet[0],
            quiet[1],
            attacked[0],
            attacked[1],
            ratio(0),
            ratio(1)
        );
        if ratio(0) > MOST {
            missed.push(name);
        }
        runtime.block_on(rest(&attacker));
    }
    println!("bar: the median within {MOST} times the quiet one; missed by {missed:?}");
    Ok(())
}

/// Measures the median and the 99th percentile of the neighbor's request times, in microseconds.
fn watch(runtime: &Runtime, neighbor: &Arc<Session>) -> [f64; 2] {
    let start = Instant::now();
    let mut taken = Vec::new();
    while start.elapsed() < WATCHED {
        let (neighbor, asked) = (Arc::clone(neighbor), Instant::now());
        let answer = runtime.block_on(runtime.spawn(async move { neighbor.answer(common::SAMPLING.as_bytes()).await }));
        taken.push(asked.elapsed().as_secs_f64() * 1e6);
        assert!(
            answer.is_ok_and(|answer| answer.is_some_and(|answer| answer.starts_with(br#"{"jsonrpc":"2.0","id":"#)))
        );
        std::thread::sleep(PAUSE);
    }
    taken.sort_by(f64::total_cmp);
    [taken[taken.len() / 2], taken[taken.len() * 99 / 100]]
}

fn options() -> SessionOptions {
    let mut options = SessionOptions::new(common::server());
    // The attackers, and a bench, ask more often than any server may.
    options.tasks.rate = RateLimit::none();
    options
}

async fn session(engine: &Engine, guest: &str) -> Result<Arc<Session>> {
    let handler = Handler::from_bytes(engine, guest, common::guest(guest)?, Grants::default()).await?;
    Ok(drained(Handlers::new([handler])?))
}

/// Creates a session whose messages are taken, as by a transport.
fn drained(handlers: Handlers) -> Arc<Session> {
    let (session, mut outbox) = Session::new(handlers, options());
    Handle::current().spawn(async move { while outbox.recv().await.is_some() {} });
    Arc::new(session)
}

async fn attacker(engine: &Engine) -> Result<Arc<Attacker>> {
    let mut grants = Grants::default();
    (grants.tasks, grants.progress) = (true, true);
    let hostile = Handler::from_bytes(engine, "hostile", common::guest("hostile")?, grants).await?;
    let stdio = common::guest_for("stdio", "wasm32-wasip2")?;
    let stdio = Handler::from_bytes(engine, "stdio", stdio, Grants::default()).await?;
    let function =
        format!("(func (param i32) (result i32) (local.get 0) {})", "(i32.const 7) (i32.mul) (i32.popcnt)".repeat(20));
    let bomb = format!("(component (core module {}))", function.repeat(20_000));
    let bomb = component_text(&bomb).map_err(|error| wasmtime::format_err!("{error:#}"))?;
    let (hostile, stdio) = (drained(Handlers::new([hostile])?), drained(Handlers::new([stdio])?));
    Ok(Arc::new(Attacker { engine: engine.clone(), hostile, stdio, bomb }))
}

/// Waits until an attack is over: its cells are gone and its compilations are done.
async fn rest(attacker: &Attacker) {
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/list" }).to_string();
    let _ = attacker.hostile.answer(list.as_bytes()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn sampling(behavior: &str, task: bool) -> Vec<u8> {
    let mut params =
        json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": behavior } }], "maxTokens": 10 });
    if task {
        params["task"] = json!({ "ttl": 4_000 });
    }
    json!({ "jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": params }).to_string().into_bytes()
}

/// Sends a request as often as possible, each in its own task, as a transport does.
async fn again_and_again(session: &Arc<Session>, request: &[u8]) {
    // The requests end with the attack.
    let mut running = JoinSet::new();
    loop {
        let (session, request) = (Arc::clone(session), request.to_vec());
        running.spawn(async move { session.answer(&request).await });
        running.join_next().await;
    }
}

/// Repeats this behavior of the hostile guest.
async fn asks(attacker: Arc<Attacker>, behavior: &str) {
    again_and_again(&attacker.hostile, &sampling(behavior, false)).await;
}

/// Prints a hundred thousand lines per request.
async fn floods(attacker: Arc<Attacker>) {
    again_and_again(&attacker.stdio, br#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#).await;
}

/// Leaves looping work behind, and cancels it when the attack ends.
async fn leaves_work(attacker: Arc<Attacker>) {
    let mut left = Left { attacker, tasks: Vec::new() };
    for _ in 0..20 {
        let answer = left.attacker.hostile.answer(&sampling("loop", true)).await.unwrap_or_default();
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        left.tasks.push(answer["result"]["task"]["taskId"].clone());
    }
    std::future::pending().await
}

/// Guard that cancels work when dropped.
struct Left {
    attacker: Arc<Attacker>,
    tasks: Vec<Value>,
}

impl Drop for Left {
    fn drop(&mut self) {
        for task in self.tasks.drain(..) {
            let attacker = Arc::clone(&self.attacker);
            let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/cancel", "params": { "taskId": task } });
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(async move { attacker.hostile.answer(request.to_string().as_bytes()).await });
            }
        }
    }
}

/// Repeatedly creates as many tasks with work as the limits allow, at once.
async fn spawns(attacker: Arc<Attacker>) {
    again_and_again(&attacker.hostile, &sampling("spawn-thousands", true)).await;
}

/// Loads components that take long to compile, a different one each time.
async fn loads(attacker: Arc<Attacker>) {
    for number in 0_u64.. {
        let mut bomb = attacker.bomb.clone();
        // A custom section of the component: `\0`, its length, the length of its name, its name, a number.
        bomb.extend([0, 10, 1, b'n']);
        bomb.extend(number.to_le_bytes());
        let _ = Handler::from_bytes(&attacker.engine, "bomb", bomb, Grants::default()).await;
    }
}
