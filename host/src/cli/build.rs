//! `taskcell build`: builds a handler with its language's own tools, and checks the component they made.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::Ended;
use super::check::{Checked, check, stand_ins};
use super::handlers::CacheArgs;
use super::languages::{Language, wit};
use super::progress_line::while_loading;
use super::terminal;
use crate::grants::Settings;
use crate::{Engine, Handler, Limits};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The project's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    cache: CacheArgs,
}

pub(super) async fn build(args: Args) -> anyhow::Result<Ended> {
    let dir = args.dir.canonicalize().with_context(|| format!("{} cannot be built", args.dir.display()))?;
    let language = Language::of(&dir)?;
    let component = {
        let dir = dir.clone();
        tokio::task::spawn_blocking(move || language.build(&dir)).await??
    };
    // As the author would name it.
    let component = component.strip_prefix(&dir).map_or_else(|_| component.clone(), |inside| args.dir.join(inside));
    let engine = args.cache.engine(&Limits::default())?;
    let handler = load(&engine, &dir, &component).await?;
    let mut names: Vec<_> = handler.kinds().map(|kind| kind.info().export).collect();
    ensure!(
        !names.is_empty(),
        "{} answers nothing: the world in wit/world.wit exports no interface of taskcell:handlers",
        component.display()
    );
    if handler.has_background() {
        names.push("background");
    }
    let shown = terminal::one_line(&component.display().to_string());
    writeln!(std::io::stdout(), "{shown}: {} bytes, {}", handler.size(), names.join(", "))?;
    // What it answers is not the build's affair: this only says where to look.
    let (passed, warned, failed) = check(handler, Checked::default()).await?.counts();
    writeln!(std::io::stdout(), "check: {passed} passed, {warned} warned, {failed} failed")?;
    if warned + failed > 0 {
        eprintln!("`taskcell check {shown}` says more");
    }
    Ok(Ended::Well)
}

/// Loads the component as a host would.
async fn load(engine: &Engine, dir: &Path, component: &Path) -> anyhow::Result<Handler> {
    let loaded =
        while_loading(component, Handler::from_file(engine, component, stand_ins::all(Settings::default()))).await;
    loaded.with_context(|| {
        let changed = wit::changed(dir);
        if changed.is_empty() {
            "the build went well, but what it made is no handler".to_owned()
        } else {
            format!(
                "the build went well, but what it made is no handler, and the copy of the protocol in {} is not that of \
                 this program: put back what `taskcell new` writes there ({})",
                wit::FOLDER,
                changed.join(", ")
            )
        }
    })
}
