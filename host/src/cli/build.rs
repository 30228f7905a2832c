//! `taskcell build`: builds a handler with its language's own tools, and looks at the component they made.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::Ended;
use super::handlers::CacheArgs;
use super::inspect::everything;
use super::languages::{Language, wit};
use crate::{Handler, Limits};

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
    let handler = load(&args.cache, &dir, &component).await?;
    let mut names: Vec<_> = handler.kinds().map(|kind| kind.info().export).collect();
    ensure!(
        !names.is_empty(),
        "{} answers nothing: the world in wit/world.wit exports no interface of taskcell:handlers",
        component.display()
    );
    if handler.has_background() {
        names.push("background");
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: {} bytes, {}", component.display(), handler.size(), names.join(", "))?;
    Ok(Ended::Well)
}

/// Loads the component as a host would.
async fn load(cache: &CacheArgs, dir: &Path, component: &Path) -> anyhow::Result<Handler> {
    let engine = cache.engine(&Limits::default())?;
    let loaded = Handler::from_file(&engine, component, everything()).await;
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
