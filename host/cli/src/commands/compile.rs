//! Command `taskcell compile`: compiles components ahead of time into the cache.
//!
//! The command writes only to the cache's own folder. A host runs compiled code from the cache without further checks,
//! so compiled files must not be passed around.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde_json::{Value, json};

use crate::check::mocks;
use crate::config::handler_args::CacheArgs;
use crate::config::task_args::ConfigArg;
use crate::outcome::Outcome;
use crate::terminal;
use crate::terminal::progress_line::{megabytes, while_loading};
use taskcell::grants::Settings;
use taskcell::sandbox::file;
use taskcell::{Engine, Handler, text};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The components
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    cache: CacheArgs,
}

/// A component that is now in the cache.
struct Compiled {
    file: String,
    /// Size of the component in bytes.
    size: usize,
    /// Name of the cached file: the component's digest and a hash of the engine's version and settings.
    key: String,
    /// Size of the cached file in bytes.
    compiled: u64,
    milliseconds: u128,
    /// Whether the cache had the component before this command.
    cached: bool,
}

pub(crate) async fn compile(args: Args) -> anyhow::Result<Outcome> {
    anyhow::ensure!(!args.cache.keeps_nothing(), "--no-cache leaves nowhere to keep what is compiled");
    // Limits determine the engine's settings. Code compiled under other limits is not found in the cache.
    let engine = args.cache.engine(&args.config.load()?)?;
    anyhow::ensure!(
        engine.has_cache(),
        "there is nowhere to keep what is compiled; name a folder with --cache or TASKCELL_CACHE"
    );
    let mut compiled = Vec::new();
    for file in &args.files {
        compiled.push(while_loading(file, one(&engine, file)).await?);
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let documents: Vec<_> = compiled.iter().map(Compiled::document).collect();
        writeln!(out, "{}", text::json(&documents.into()))?;
        return Ok(Outcome::Success);
    }
    for Compiled { file, size, key, compiled, milliseconds, cached } in &compiled {
        let how = if *cached { "was in the cache, loaded" } else { "compiled" };
        let (size, compiled) = (megabytes(*size as u64), megabytes(*compiled));
        writeln!(out, "{}: {how} in {milliseconds} ms, {size}, compiled {compiled}", terminal::one_line(file))?;
        writeln!(out, "  {key}")?;
    }
    Ok(Outcome::Success)
}

async fn one(engine: &Engine, path: &Path) -> anyhow::Result<Compiled> {
    let bytes = file::read(engine, path).await?;
    let size = bytes.len();
    let cached = engine.cached(&file::digest(&bytes)).is_some();
    let start = Instant::now();
    let handler =
        Handler::from_bytes(engine, &path.display().to_string(), bytes, mocks::all(Settings::default())).await?;
    let milliseconds = start.elapsed().as_millis();
    let kept = engine.cached(handler.digest()).context("the cache cannot be written to; -v says why")?;
    let compiled = std::fs::metadata(&kept).with_context(|| kept.display().to_string())?.len();
    let key = kept.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Compiled { file: path.display().to_string(), size, key, compiled, milliseconds, cached })
}

impl Compiled {
    fn document(&self) -> Value {
        json!({
            "file": self.file,
            "size": self.size,
            "key": self.key,
            "compiledSize": self.compiled,
            "milliseconds": u64::try_from(self.milliseconds).unwrap_or(u64::MAX),
            "cached": self.cached,
        })
    }
}
