//! Command `taskcell check`: checks whether a component is a correct handler.
//!
//! The command loads the component under the limits, with mocks for its imports. Each exported kind is tested with a
//! table of requests, and tasks are tested through their lives. Rules that the host enforces for every handler are not
//! tested again; mistakes that a handler can make are.
//!
//! | file | contents |
//! |---|---|
//! | `cases` | the requests |
//! | `runner` | the test of a kind with its requests |
//! | `task_rules` | the rules of tasks |
//! | `numbers` | the test that tools keep large numbers |
//! | `handler_rules` | the rules of a handler as a whole |
//! | `verdict` | the rules of an answer, and the fixes |
//! | `fixtures`, `matching` | the author's own requests and expected answers |
//! | `bench` | the conversation of a case |
//! | `mocks` | the model, the user and the other grants of a handler |
//! | `report` | the table and the JSON document |

mod bench;
mod cases;
pub(super) mod fixtures;
mod handler_rules;
pub(super) mod matching;
pub(super) mod mocks;
mod numbers;
mod report;
mod runner;
mod task_rules;
mod verdict;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::commands::inspect::grants_needed;
use crate::config::Config;
use crate::config::handler::Policy;
use crate::config::handler_args::{CacheArgs, key_and_value};
use crate::config::task_args::{ConfigArg, Declared, DeclaredArgs};
use crate::outcome::Outcome;
use crate::terminal::progress_line::while_loading;
use bench::Bench;
pub(super) use report::Report;
use taskcell::grants::Settings;
use taskcell::{Engine, Grants, Handler, text};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The component
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Also play the fixtures of this folder: folders with request.json and expected.json
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    #[command(flatten)]
    given: GivenArgs,
    /// Seconds that each answer, and the work of each task, may take
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs())]
    timeout: u64,
    #[command(flatten)]
    cache: CacheArgs,
}

/// Flags of `check` and `build` for the grants and declarations of the handler.
#[derive(clap::Args)]
pub(super) struct GivenArgs {
    /// A setting for the handler, from the value or, with @, from a file
    #[arg(long = "set", value_name = "KEY=VALUE|KEY=@FILE", value_parser = key_and_value)]
    settings: Vec<(String, String)>,
    #[command(flatten)]
    declared: DeclaredArgs,
    #[command(flatten)]
    config: ConfigArg,
}

impl GivenArgs {
    /// Loads the configuration, or an empty one when no file is named.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        self.config.load()
    }

    /// Merges the flags with the configuration.
    ///
    /// # Errors
    /// Fails when the configuration names handlers but not this one, and when --set is given for a handler of the
    /// configuration.
    pub(super) fn settle<'a>(self, config: &'a Config, file: &Path) -> anyhow::Result<Checked<'a>> {
        let policy = config.handlers.iter().find(|policy| policy.is_of(file));
        anyhow::ensure!(
            policy.is_some() || config.handlers.is_empty(),
            "no [[handler]] of the configuration has this path: {}",
            file.display()
        );
        anyhow::ensure!(
            policy.is_none() || self.settings.is_empty(),
            "--set is for a handler that the configuration does not name; this one has its settings there, at {}",
            policy.map_or("", |policy| &policy.at)
        );
        Ok(Checked {
            settings: policy.map_or_else(|| Ok(self.settings.into_iter().collect()), Policy::read_settings)?,
            policy,
            declared: self.declared.settle(config)?,
            fixtures: None,
            patience: PATIENCE,
        })
    }
}

/// Default timeout of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Settings of a check.
pub(super) struct Checked<'a> {
    /// Settings that the grant `config` gives.
    pub(super) settings: Settings,
    /// Handler of the configuration, which determines the mocks. Without it, all grants are mocked.
    pub(super) policy: Option<&'a Policy>,
    /// Declared features of the handler.
    pub(super) declared: Declared,
    /// Folder of fixtures to play in addition.
    pub(super) fixtures: Option<PathBuf>,
    /// Timeout of each answer, and of the work of each task.
    pub(super) patience: Duration,
}

impl Checked<'_> {
    /// Returns new mocks for the grants of the handler.
    fn grants(&self) -> Grants {
        let all = mocks::all(self.settings.clone());
        match self.policy {
            Some(policy) => policy.of(&all),
            None => all,
        }
    }

    /// Loads the component with mocks.
    pub(super) async fn load(&self, engine: &Engine, file: &Path) -> anyhow::Result<Handler> {
        let loading = async {
            match self.policy {
                Some(policy) => policy.component(engine, file, self.grants()).await,
                None => Ok(Handler::from_file(engine, file, self.grants()).await?),
            }
        };
        while_loading(file, loading).await
    }
}

pub(super) async fn command(args: Args) -> anyhow::Result<Outcome> {
    let config = args.given.config()?;
    let engine = args.cache.engine(&config)?;
    let how = Checked {
        fixtures: args.fixtures,
        patience: Duration::from_secs(args.timeout),
        ..args.given.settle(&config, &args.file)?
    };
    let handler = how.load(&engine, &args.file).await?;
    let report = check(handler, how).await?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", text::json(&report.document()))?;
    } else {
        report.table(&mut out)?;
    }
    Ok(if report.has_failed() { Outcome::ErrorResult } else { Outcome::Success })
}

/// Checks a component that was loaded with mocks.
///
/// # Errors
/// Fails when the component cannot be tested. The report has the faults of its answers.
pub(super) async fn check(handler: Handler, how: Checked<'_>) -> anyhow::Result<Report> {
    let fixtures = how.fixtures.as_deref().map(fixtures::read).transpose()?.unwrap_or_default();
    let bench = Bench::new(handler, || how.grants(), |handlers| how.declared.of(handlers), how.patience);
    let declared = bench.declared()?;
    let kinds: Vec<_> = declared.kinds().collect();
    let mut rows: Vec<_> = handler_rules::rows(&kinds, &declared.capabilities()).collect();
    for kind in &kinds {
        rows.extend(runner::kind(&bench, *kind, declared.features()).await?);
        rows.extend(task_rules::kind(&bench, *kind, &kinds).await?);
        rows.extend(numbers::ttl_is_kept(&bench, *kind).await?);
    }
    for fixture in &fixtures {
        rows.push(fixture.play(&bench).await?);
    }
    let handler = bench.handler();
    let mut stand_ins = grants_needed(handler);
    stand_ins.retain(|grant| mocks::GRANTS.contains(grant));
    Ok(Report {
        file: handler.name().to_owned(),
        digest: handler.digest().to_owned(),
        size: handler.size(),
        background: handler.has_background(),
        stand_ins,
        kinds,
        rows,
    })
}
