//! Command `taskcell keyvalue`: shows and changes the keys and values of a handler, even during a run that uses them.
//!
//! The configuration names the file and its limits. The handler therefore finds what this command stores.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};

use crate::config::Config;
use crate::config::handler::Policy;
use crate::config::task_args::ConfigArg;
use crate::outcome::Outcome;
use crate::terminal::one_line;
use taskcell::grants::{Excess, KeyValue, KeyValueError, Quota, SqliteKeyValue};
use taskcell::text;

/// Number of keys to read in one step.
const AT_ONCE: usize = 500;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show the keys, bucket by bucket
    List(Common),
    /// Show the value of a key: text as it is, other bytes by their number
    Get {
        /// The key
        key: String,
        /// Write the bytes unchanged
        #[arg(long, conflicts_with = "json")]
        raw: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Set the value of a key
    Set {
        /// The key
        key: String,
        /// The value or, with @, a file that holds it
        #[arg(value_name = "VALUE|@FILE")]
        value: String,
        #[command(flatten)]
        common: Common,
    },
    /// Remove a key
    Delete {
        /// The key
        key: String,
        #[command(flatten)]
        common: Common,
    },
}

/// Flags of every subcommand.
#[derive(clap::Args)]
struct Common {
    /// The handler: its path, or the name in its table [handler.keyvalue]; not needed when only one handler has such a
    /// table
    #[arg(long, value_name = "PATH|NAME")]
    handler: Option<String>,
    /// The bucket; without it, the bucket without a name
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
    #[command(flatten)]
    config: ConfigArg,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) async fn keyvalue(args: Args) -> anyhow::Result<Outcome> {
    let (Command::List(common)
    | Command::Get { common, .. }
    | Command::Set { common, .. }
    | Command::Delete { common, .. }) = &args.command;
    let config = common.config.load()?;
    let store = common.open(&config).await?;
    let bucket = common.bucket.as_deref().unwrap_or_default();
    let ended = match &args.command {
        Command::List(common) => list(&store, common).await,
        Command::Get { key, raw, common } => get(&store, bucket, key, *raw, common).await,
        Command::Set { key, value, common } => set(&store, bucket, key, value, common).await,
        Command::Delete { key, common } => {
            let there = store.delete(bucket, key).await?;
            if there { told(&json!({ "removed": key }), "removed", common) } else { missing(key, common) }
        }
    };
    store.close().await;
    ended
}

impl Common {
    async fn open(&self, config: &Config) -> anyhow::Result<Arc<SqliteKeyValue>> {
        let mut having = config.handlers.iter().filter(|policy| policy.keyvalue.is_some());
        let policy = match &self.handler {
            Some(wanted) => having.find(|policy| is_meant(policy, wanted)).with_context(|| {
                let wanted = one_line(wanted);
                format!(
                    "no handler of the configuration with a table [handler.keyvalue] has the path or name {wanted:?}"
                )
            })?,
            None => {
                let first = having.next().context(
                    "no handler of the configuration has a table [handler.keyvalue]; --config names a configuration",
                )?;
                anyhow::ensure!(
                    having.next().is_none(),
                    "several handlers of the configuration have keys and values: say whose with --handler"
                );
                first
            }
        };
        policy.keyvalue.as_ref().context("the handler has no keys and values")?.open().await
    }
}

fn is_meant(policy: &Policy, wanted: &str) -> bool {
    let path = PathBuf::from(wanted);
    let canonical = |path: &PathBuf| path.canonicalize().ok();
    policy.keyvalue.as_ref().is_some_and(|keyvalue| keyvalue.name() == wanted)
        || policy.path == path
        || canonical(&path).is_some_and(|path| canonical(&policy.path) == Some(path))
}

async fn list(store: &SqliteKeyValue, common: &Common) -> anyhow::Result<Outcome> {
    let buckets = match &common.bucket {
        Some(bucket) => vec![bucket.clone()],
        None => store.buckets().await?,
    };
    let (mut keys, mut none, mut out) = (Vec::new(), true, std::io::stdout().lock());
    for bucket in &buckets {
        let mut after = 0;
        loop {
            let page = store.list_keys(bucket, after, AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = last.place;
            none = false;
            for listed in page {
                if common.json {
                    keys.push(json!({ "bucket": bucket, "key": listed.key }));
                } else if bucket.is_empty() {
                    writeln!(out, "{}", one_line(&listed.key))?;
                } else {
                    writeln!(out, "{} (bucket {})", one_line(&listed.key), one_line(bucket))?;
                }
            }
        }
    }
    if common.json {
        writeln!(out, "{}", text::json(&json!({ "keys": keys })))?;
    } else if none {
        writeln!(out, "no keys")?;
    }
    Ok(Outcome::Success)
}

async fn get(store: &SqliteKeyValue, bucket: &str, key: &str, raw: bool, common: &Common) -> anyhow::Result<Outcome> {
    let Some(value) = store.get(bucket, key).await? else { return missing(key, common) };
    if raw {
        std::io::stdout().lock().write_all(&value)?;
        return Ok(Outcome::Success);
    }
    let size = value.len();
    match String::from_utf8(value) {
        Ok(text) => told(&json!({ "key": key, "value": text }), &text::lines(&text), common),
        Err(_) => {
            let advice = format!("{size} bytes that are no text; --raw writes them as they are");
            told(&json!({ "key": key, "bytes": size }), &advice, common)
        }
    }
}

async fn set(store: &SqliteKeyValue, bucket: &str, key: &str, value: &str, common: &Common) -> anyhow::Result<Outcome> {
    let Quota { key_size, value_size, .. } = *store.quota();
    let value = match value.strip_prefix('@') {
        None => value.as_bytes().to_vec(),
        Some(file) => {
            let mut bytes = Vec::new();
            let most = value_size.saturating_add(1);
            let read = std::fs::File::open(file).and_then(|opened| opened.take(most).read_to_end(&mut bytes));
            read.with_context(|| format!("{} cannot be read", one_line(file)))?;
            bytes
        }
    };
    for (what, size, most) in [
        ("the key", key.len(), key_size),
        ("the name of the bucket", bucket.len(), key_size),
        ("the value", value.len(), value_size),
    ] {
        anyhow::ensure!(size as u64 <= most, "{what} has more than {most} bytes, and its handler may have no more");
    }
    match store.set(bucket, key, value).await {
        Ok(()) => told(&json!({ "set": key }), "set", common),
        Err(KeyValueError::Quota(Excess { what, current, limit, .. })) => {
            let why = format!("the quota of the handler is {limit} {what}, this would make it {current}");
            told(&json!({ "error": why }), &why, common)?;
            Ok(Outcome::ErrorResult)
        }
        Err(error) => Err(error.into()),
    }
}

fn missing(key: &str, common: &Common) -> anyhow::Result<Outcome> {
    let why = format!("there is no key {:?}", one_line(key));
    told(&json!({ "error": why }), &why, common)?;
    Ok(Outcome::ErrorResult)
}

fn told(document: &Value, words: &str, common: &Common) -> anyhow::Result<Outcome> {
    let words = if common.json { text::json(document) } else { words.to_owned() };
    writeln!(std::io::stdout().lock(), "{words}")?;
    Ok(Outcome::Success)
}
