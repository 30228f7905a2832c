//! What it costs at most to hold an answer against a form: CPU time of a request for many kinds of costly schemas,
//! without what the answer costs in a form without constraints, and how long pings of other sessions take meanwhile.
//! Ends with 1 when a form and its check take more than they may.

#![allow(clippy::print_stdout, reason = "a program")]

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use taskcell::protocol::types::{ElicitAction, ElicitEntry, ElicitResult, ElicitValue};
use taskcell::{Handlers, NativeHandler};
use taskcell_test_support::server::Server;

/// What one request may cost.
const MAX_CPU: Duration = Duration::from_millis(100);
/// Bytes of schema that each kind fills.
const SCHEMA: usize = 60_000;
/// Bytes of the answers.
const SIZES: [usize; 6] = [16, 256, 4_000, 64_000, 1_000_000, 3_900_000];

/// A kind of schema, and whether its answers are lists.
struct Kind {
    name: String,
    schema: Value,
    list: bool,
}

/// As many copies of a part as fill a schema.
fn copies(part: &Value) -> Vec<Value> {
    let count = SCHEMA.checked_div(part.to_string().len().saturating_add(1)).unwrap_or(1);
    vec![part.clone(); count]
}

/// A part inside of so many others.
fn nested(depth: usize, leaf: Value, wrap: impl Fn(Value) -> Value) -> Value {
    (0..depth).fold(leaf, |inner, _| wrap(inner))
}

fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut add = |name: &str, list: bool, schema: Value| kinds.push(Kind { name: name.to_owned(), schema, list });
    for format in [
        "email",
        "uri",
        "uri-reference",
        "uri-template",
        "date",
        "date-time",
        "time",
        "duration",
        "hostname",
        "ipv4",
        "ipv6",
        "uuid",
        "json-pointer",
        "relative-json-pointer",
        "iri",
        "idn-email",
        "idn-hostname",
    ] {
        add(&format!("allOf of format {format}"), false, json!({ "allOf": copies(&json!({ "format": format })) }));
        add(&format!("anyOf of format {format}"), false, json!({ "anyOf": copies(&json!({ "format": format })) }));
    }
    for word in ["allOf", "anyOf", "oneOf"] {
        add(&format!("{word} of lengths"), false, json!({ word: copies(&json!({ "minLength": 1 })) }));
        add(&format!("{word} of refusals"), false, json!({ word: copies(&json!({ "maxLength": 0 })) }));
        add(&format!("{word} of lists"), true, json!({ word: copies(&json!({ "items": { "minLength": 9 } })) }));
        add(&format!("{word} of unique lists"), true, json!({ word: copies(&json!({ "uniqueItems": true })) }));
        add(
            &format!("{word} of contained"),
            true,
            json!({ word: copies(&json!({ "contains": { "minLength": 99 } })) }),
        );
        add(
            &format!("{word}, 30 deep, two wide"),
            false,
            nested(12, json!({ "maxLength": 0 }), |inner| json!({ word: [inner, inner] })),
        );
        for (leaf, refuses) in [(json!({ "maxLength": 0 }), "refuses"), (json!({ "minLength": 0 }), "allows")] {
            add(
                &format!("{word}, 28 deep, {refuses}"),
                false,
                nested(28, leaf.clone(), |inner| json!({ word: [inner] })),
            );
            add(
                &format!("{word} and unevaluatedItems, 28 deep, {refuses}"),
                true,
                nested(28, leaf, |inner| json!({ word: [inner], "unevaluatedItems": { "maxLength": 3 } })),
            );
        }
    }
    add("not, 50 deep", false, nested(50, json!({ "maxLength": 0 }), |inner| json!({ "not": inner })));
    add(
        "if, 28 deep",
        false,
        nested(
            28,
            json!({ "maxLength": 0 }),
            |inner| json!({ "if": inner, "then": inner_limit(), "else": inner_limit() }),
        ),
    );
    add(
        "if and unevaluatedItems, 28 deep",
        true,
        nested(28, json!({ "maxLength": 0 }), |inner| json!({ "if": inner, "unevaluatedItems": false })),
    );
    add(
        "unevaluatedProperties, 28 deep",
        false,
        nested(28, json!({}), |inner| json!({ "anyOf": [inner], "unevaluatedProperties": false })),
    );
    add("dependentSchemas", false, json!({ "dependentSchemas": keyed(&json!({ "minLength": 1 })) }));
    add("propertyNames", false, json!({ "allOf": copies(&json!({ "propertyNames": { "format": "email" } })) }));
    add("enum of thousands", false, json!({ "enum": numbered(6_000) }));
    add("list of an enum of thousands", true, json!({ "items": { "enum": numbered(6_000) } }));
    add(
        "enum of long texts",
        false,
        json!({ "enum": (0..14).map(|n| format!("{}{n}", "x".repeat(4_000))).collect::<Vec<_>>() }),
    );
    add(
        "multipleOf",
        false,
        json!({ "type": ["string", "number"], "allOf": copies(&json!({ "multipleOf": 1e-300 })) }),
    );
    add("big bounds", false, json!({ "allOf": copies(&json!({ "minimum": -1.7e308, "maximum": 1.7e308 })) }));
    for pattern in [
        "[ab]*a[ab]{200}$",
        "(?:a?){300}a{300}$",
        "(x+x+)+y",
        "^(\\w+\\s?)*$",
        "(a|aa)+$",
        "[^b]*[^c]*[^d]*b$",
        "\\p{L}{100}$",
        ".*.*.*=.*",
    ] {
        add(&format!("16 patterns {pattern}"), false, json!({ "allOf": vec![json!({ "pattern": pattern }); 16] }));
    }
    add(
        "items in items",
        true,
        json!({ "allOf": copies(&json!({ "prefixItems": [{ "minLength": 1 }], "items": { "maxLength": 9 } })) }),
    );
    kinds
}

fn inner_limit() -> Value {
    json!({ "minLength": 1 })
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("v{n}")).collect()
}

fn keyed(part: &Value) -> Map<String, Value> {
    copies(part).into_iter().enumerate().map(|(n, part)| (n.to_string(), part)).collect()
}

/// An answer of about so many bytes.
fn answer(list: bool, size: usize) -> ElicitValue {
    match list {
        true => {
            let items = 1_024.min(size.div_ceil(8)).max(1);
            let each = size.checked_div(items).unwrap_or(1);
            ElicitValue::TextList((0..items).map(|n| format!("{n:a>each$}")).collect())
        }
        false => ElicitValue::Text("a".repeat(size)),
    }
}

/// The CPU time that the process has had.
fn cpu() -> Result<Duration> {
    let mut total = 0u64;
    for task in fs::read_dir("/proc/self/task")? {
        // A thread may have ended meanwhile.
        let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        total = total.saturating_add(stat.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0));
    }
    Ok(Duration::from_nanos(total))
}

fn server(value: ElicitValue) -> Result<Server> {
    let native = NativeHandler::elicitation(move |_, _| {
        let content = vec![ElicitEntry { name: "a".to_owned(), value: value.clone() }];
        async move { Ok(ElicitResult { action: ElicitAction::Accept(Some(content)), meta: None }) }
    });
    Ok(Server::new(Handlers::default().native(native)?))
}

fn form(schema: &Value) -> Value {
    let schema = json!({ "type": "object", "properties": { "a": schema } });
    let params = json!({ "message": "m", "requestedSchema": schema });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": params })
}

/// What came of a request, in a word.
fn outcome(answer: &Value) -> String {
    match answer.pointer("/error/message").and_then(Value::as_str) {
        None => "fits".to_owned(),
        Some(message) => message.chars().take(70).collect(),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // What the answer costs beside any check.
    let mut plain = [[Duration::ZERO; SIZES.len()]; 2];
    for (list, plain) in plain.iter_mut().enumerate() {
        for (size, plain) in SIZES.into_iter().zip(plain) {
            *plain = cost(&form(&json!({})), list == 1, size).await?.0;
        }
    }
    let mut worst = (Duration::ZERO, String::new());
    for Kind { name, schema, list } in kinds() {
        let request = form(&schema);
        let mut line = format!("{name} ({} bytes):", schema.to_string().len());
        for (size, plain) in SIZES.into_iter().zip(plain.get(usize::from(list)).into_iter().flatten()) {
            let (taken, answer) = cost(&request, list, size).await?;
            let taken = taken.saturating_sub(*plain);
            write!(line, " {:.1}", taken.as_secs_f64() * 1e3)?;
            if taken > worst.0 {
                worst = (taken, format!("{name}, {size} bytes: {}", outcome(&answer)));
            }
        }
        println!("{line} ms");
    }
    println!("worst: {:.1} ms, {}", worst.0.as_secs_f64() * 1e3, worst.1);
    let slowest = pings().await?;
    println!("slowest of 200 pings beside four such sessions: {:.1} ms", slowest.as_secs_f64() * 1e3);
    ensure!(worst.0 <= MAX_CPU, "a check takes more than {MAX_CPU:?}");
    Ok(())
}

/// The CPU time of a request, and its answer.
async fn cost(request: &Value, list: bool, size: usize) -> Result<(Duration, Value)> {
    let server = server(answer(list, size))?;
    let before = cpu()?;
    let answer = server.send(request).await?;
    Ok((cpu()?.saturating_sub(before), answer))
}

/// The slowest ping beside sessions that check costly forms without a pause.
async fn pings() -> Result<Duration> {
    let schema = json!({ "allOf": copies(&json!({ "format": "email" })) });
    let request = form(&schema);
    let mut busy = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let server = server(answer(false, 2_000))?;
        let request = request.clone();
        busy.spawn(async move {
            loop {
                if server.send(&request).await.is_err() {
                    return;
                }
            }
        });
    }
    let server = Server::without_handlers();
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let start = Instant::now();
        server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).await.context("no pong")?;
        slowest = slowest.max(start.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    busy.shutdown().await;
    Ok(slowest)
}
