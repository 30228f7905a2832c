//! All attacks, one after the other, and what each leaves behind: nothing.
//!
//! The one test here has its process to itself, for it looks at the memory and the threads of the process.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use taskcell::{Engine, EngineOptions, Handler, Handlers, Session};
use taskcell_test_support::attacks::{ATTACKS, Attack, By, Ends, ask, raw};
use taskcell_test_support::conversation::soon;
use taskcell_test_support::handlers::engine;
use taskcell_test_support::process::{Usage, settled};

/// Rounds in which all that is made once is made: code is mapped, threads are started, the pool and the allocator have
/// what they keep. There are more of them than places for cells.
const FIRST: usize = 6;
/// Rounds that leave nothing behind.
const ROUNDS: u64 = 12;
/// What a round may leave: less than a page. The allocator gives freed memory back late and in its own order, so the
/// process may grow for a while; what is lost in each round makes it grow in all of so many series.
const LEFT: u64 = 4 << 10;
const SERIES: usize = 6;

/// A fault is named as the documents say, forgotten by the next request, to the same handler and to another, and leaves
/// no memory, no thread, no file and nothing in the pool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attack_is_named_forgotten_and_leaves_nothing() {
    let mut wrong = Vec::new();
    for attack in ATTACKS {
        if let Err(error) = withstood(attack).await {
            wrong.push(format!("{}: {error:?}", attack.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// An engine with the attacked handler and a neighbor.
struct Place {
    engine: Engine,
    /// None when the component is not to be taken.
    attacked: Option<Handlers>,
    component: Vec<u8>,
    neighbor: Handlers,
}

async fn withstood(attack: &Attack) -> Result<()> {
    let is_slow = attack.ends == Ends::Kind("compile_time");
    let engine = if is_slow {
        // Without a cache, where it would be found the next time.
        let mut options = EngineOptions::default();
        options.limits = attack.limits();
        Engine::new(options)?
    } else {
        engine(attack.limits())?
    };
    let neighbor = raw::component("", &[], &[])?;
    let neighbor = Handler::from_bytes(&engine, "neighbor", neighbor, Default::default()).await?;
    let attacked = match attack.by {
        By::Load | By::Made(_) => None,
        _ => Some(attack.handlers(&engine).await?),
    };
    let place = Place { attacked, component: attack.component()?, neighbor: Handlers::new([neighbor])?, engine };
    let (first, rounds) = match attack.ends {
        // Each is hundreds of attacks.
        Ends::Various => (1, 1),
        Ends::Kind("compile_time") => (2, 1),
        _ => (FIRST, ROUNDS),
    };
    // What compiles takes hundreds of megabytes; of the component itself, at least, nothing may be left.
    let left = if is_slow { place.component.len() as u64 } else { LEFT * rounds };
    for _ in 0..first {
        round(attack, &place).await?;
    }
    let mut grown = Vec::new();
    while grown.len() < SERIES {
        let before = measured(&place).await?;
        for _ in 0..rounds {
            round(attack, &place).await?;
        }
        let after = measured(&place).await?;
        let more = [
            after.resident.saturating_sub(before.resident),
            after.threads.saturating_sub(before.threads),
            after.files.saturating_sub(before.files),
        ];
        if more[0] <= left && more[1] == 0 && more[2] == 0 {
            return Ok(());
        }
        grown.push(more);
    }
    bail!("bytes, threads and files are left, in each series of {rounds} rounds: {grown:?}")
}

/// One attack, and what comes after it.
async fn round(attack: &Attack, place: &Place) -> Result<()> {
    match &place.attacked {
        Some(handlers) => {
            let (session, mut outbox) = Session::new(handlers.clone(), attack.server());
            for answer in attack.attack(&session).await? {
                check(attack.ends, &answer)?;
            }
            let good = attack.ask_well(&session).await?;
            ensure!(good.get("result").is_some(), "the next request gets {good}");
            soon(session.close()).await?;
            while soon(outbox.recv()).await?.is_some() {}
        }
        None => {
            let loaded = Handler::from_bytes(&place.engine, attack.name, place.component.clone(), Default::default());
            let error = soon(loaded).await?.err().context("the component is taken")?;
            let (Ends::Kind(kind), text) = (attack.ends, error.to_string()) else {
                bail!("a component is refused by kind")
            };
            ensure!(
                error.kind() == kind && text.starts_with(attack.name) && text.len() < 500,
                "it is refused with {text}"
            );
        }
    }
    let (neighbor, _outbox) = Session::new(place.neighbor.clone(), raw::server());
    let answer = ask(&neighbor, &raw::roots_list(false)).await?;
    ensure!(answer["result"] == json!({ "roots": [] }), "the neighbor answers {answer}");
    Ok(())
}

/// Sees that an attack ended as it should: an error of the host is one short line, and nothing else.
fn check(ends: Ends, answer: &Value) -> Result<()> {
    let (error, shown) = (&answer["error"], answer.to_string().chars().take(500).collect::<String>());
    let is_it = match ends {
        Ends::Various => true,
        Ends::Good => answer.get("result").is_some(),
        Ends::Code(code) => error["code"] == code,
        Ends::Kind(kind) => {
            let message = error["message"].as_str().unwrap_or_default();
            error["code"] == -32603
                && error["data"] == json!({ "kind": kind })
                && message.len() < 300
                && !message.contains(char::is_control)
        }
    };
    ensure!(is_it, "expected {ends:?}, got {shown}");
    Ok(())
}

/// What there is once nothing runs any more.
async fn measured(place: &Place) -> Result<Usage> {
    settled().await?;
    let emptied = soon(async {
        loop {
            let pool = place.engine.pool();
            if (pool.core_instances, pool.memories, pool.tables, pool.stacks) == (0, 0, 0, 0) {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    emptied.await.with_context(|| format!("cells are left: {:?}", place.engine.pool()))?;
    Usage::now()
}
