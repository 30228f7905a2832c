//! Test that the host receives numbers unchanged: a tool that builds components may change large ones.
//!
//! componentize-qjs 0.4 passes a `u32` of 2^31 or more to JavaScript as a negative number, and takes a positive number
//! of that size as 2147483647.

use serde_json::{Value, json};

use super::bench::{Bench, Observed};
use super::cases;
use super::report::Row;
use super::verdict::{Fault, Verdict, see};
use taskcell::handlers::Features;
use taskcell::kinds::Kind;

/// Times to live in milliseconds: the largest of 31 bits, the next number, 30 days, and the largest of 32 bits.
const TTLS: [u32; 4] = [i32::MAX.unsigned_abs(), 1 << 31, 2_592_000_000, u32::MAX];

/// Tests whether tasks of the handler keep the requested time to live. Returns none when the handler creates no task,
/// or sets its own times, as it may. [basic/utilities/tasks, TTL and Resource Management]
pub(super) async fn ttl_is_kept(bench: &Bench<'_>, kind: Kind) -> anyhow::Result<Option<Row>> {
    let mut changed = None;
    for (index, ttl) in TTLS.into_iter().enumerate() {
        match made(bench, kind, ttl).await? {
            Some(kept) if kept == u64::from(ttl) => {}
            Some(kept) if index > 0 => changed = changed.or(Some((ttl, kept))),
            _ => return Ok(None),
        }
    }
    let verdict = changed.map_or_else(
        || Verdict::Passed("kept".to_owned()),
        |(ttl, kept)| {
            Verdict::Warned(Fault {
                got: format!("a ttl of {kept} ms where {ttl} was asked for; smaller ones are kept"),
                fix: "hand `ttl` to `tasks.create` as it came; in JavaScript, give back a number that was made positive by \
                      `>>> 0` as `n | 0`"
                    .to_owned(),
                see: format!("docs/languages/javascript.md, {}", see(kind)),
            })
        },
    );
    let name = "a long ttl is kept".to_owned();
    Ok(Some(Row { kind: Some(kind), group: "tasks", name, verdict, request: None, printed: Vec::new() }))
}

/// Returns the time to live, in milliseconds, of a task that was requested with `ttl`. Returns none when no task was
/// created.
async fn made(bench: &Bench<'_>, kind: Kind, ttl: u32) -> anyhow::Result<Option<u64>> {
    let Some(case) = cases::of(kind, &Features::default()).next().filter(|_| kind.info().augmented) else {
        return Ok(None);
    };
    let params = cases::with((case.params)(), json!({ "task": { "ttl": ttl } }));
    let observed = bench.converse_for_long()?.ask(kind.info().method, &params).await?;
    Ok(match observed {
        Observed::Result(result) => result.pointer("/task/ttl").and_then(Value::as_u64),
        _ => None,
    })
}
