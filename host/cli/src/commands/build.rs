//! Command `taskcell build`: builds a handler with the tools of its language and checks the component.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::check::{Checked, GivenArgs, check};
use crate::config::handler_args::CacheArgs;
use crate::languages::{Language, wit};
use crate::outcome::Outcome;
use crate::terminal;
use taskcell::kinds::BACKGROUND;
use taskcell::{Engine, Handler};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The project's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    given: GivenArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

/// Maximum number of check faults that `build` prints. `taskcell check` prints all of them.
const MAX_FAULTS: usize = 3;

pub(crate) async fn build(args: Args) -> anyhow::Result<Outcome> {
    let config = args.given.config()?;
    let dir = args.dir.canonicalize().with_context(|| format!("{} cannot be built", args.dir.display()))?;
    let language = Language::of(&dir)?;
    let component = {
        let dir = dir.clone();
        tokio::task::spawn_blocking(move || language.build(&dir)).await??
    };
    // Shows the path relative to the folder that the author named.
    let component = component.strip_prefix(&dir).map_or_else(|_| component.clone(), |inside| args.dir.join(inside));
    let engine = args.cache.engine(&config)?;
    let how = args.given.settle(&config, &component)?;
    let handler = load(&engine, &dir, &component, &how).await?;
    let mut names: Vec<_> = handler.kinds().map(|kind| kind.info().export).collect();
    ensure!(
        !names.is_empty(),
        "{} answers nothing: the world in wit/world.wit exports no interface of taskcell:handlers",
        component.display()
    );
    if handler.has_background() {
        names.push(BACKGROUND);
    }
    let shown = terminal::one_line(&component.display().to_string());
    writeln!(std::io::stdout(), "{shown}: {} bytes, {}", handler.size(), names.join(", "))?;
    // The build succeeds whatever the check finds.
    let report = check(handler, how).await?;
    let counts = report.counts();
    writeln!(std::io::stdout(), "check: {counts}")?;
    if !counts.is_clean() {
        let mut err = std::io::stderr().lock();
        report.faults(&mut err, MAX_FAULTS)?;
        writeln!(err, "\nRun `taskcell check {shown}` for details")?;
    }
    Ok(Outcome::Success)
}

/// Loads the component as a host would.
async fn load(engine: &Engine, dir: &Path, component: &Path, how: &Checked<'_>) -> anyhow::Result<Handler> {
    how.load(engine, component).await.with_context(|| {
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
