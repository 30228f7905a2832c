//! Flags for serving and storing tasks, which several commands share, and their merge with the configuration.
//!
//! A flag overrides its environment variable, which overrides the configuration file, which overrides the default.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::store::{Place, Store};
use crate::config::{Config, Name, TaskMode};
use taskcell::grants::GrantKind;
use taskcell::handlers::Features;
use taskcell::kinds::Kind;
use taskcell::tasks::{AuditLog, TaskLimits};
use taskcell::{Handler, Handlers, SessionOptions};

/// Task flags of `run`, `call` and `demo`.
#[derive(Args)]
pub(crate) struct TaskArgs {
    #[command(flatten)]
    declared: DeclaredArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// The principal that has the tasks; no other sees them [default: run: from the server's command line, others:
    /// their name]
    #[arg(long, value_name = "NAME")]
    principal: Option<Name>,
    #[command(flatten)]
    audit: AuditArgs,
    #[command(flatten)]
    config: ConfigArg,
}

/// Flag for the configuration file.
#[derive(Args)]
pub(crate) struct ConfigArg {
    /// The configuration file, such as taskcell.toml; there is no default file
    #[arg(long, value_name = "FILE", env = "TASKCELL_CONFIG")]
    config: Option<PathBuf>,
}

/// Flags for the declared features of handlers.
#[derive(Args)]
pub(crate) struct DeclaredArgs {
    /// Receiver of requests about tasks [default: own]
    #[arg(long, value_enum, value_name = "WHO")]
    tasks: Option<TaskMode>,
    /// Supported modes of elicitation [default: form,url]
    #[arg(long, value_enum, value_name = "MODES", value_delimiter = ',')]
    elicitation: Option<Vec<ElicitationMode>>,
    /// Whether the handlers support sampling with tools [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sampling_tools: Option<bool>,
}

/// Flag for the task store.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// Where tasks are kept: a SQLite file, or :memory:, which ends with the program [default: call, demo: :memory:;
    /// others: taskcell/tasks.db in the user's state folder]
    #[arg(long, value_name = "PATH|:memory:", env = "TASKCELL_STORE")]
    store: Option<PathBuf>,
}

/// Flags for the audit log.
#[derive(Args)]
pub(crate) struct AuditArgs {
    /// Add a line to this file for each request about tasks and each change of one
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Include complete requests and responses, with all private data, in the audit log [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    audit_payloads: Option<bool>,
}

/// Mode of elicitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ElicitationMode {
    /// By a form
    Form,
    /// By a page
    Url,
    /// None: elicitation is not declared
    None,
}

/// Defaults of a command, for settings that neither a flag nor the configuration names.
pub(crate) struct Defaults {
    pub(crate) store: fn() -> anyhow::Result<Place>,
    pub(crate) principal: DefaultPrincipal,
}

/// Default principal.
pub(crate) struct DefaultPrincipal {
    pub(crate) name: String,
    /// Principal that an earlier version used. The store may have tasks of it.
    pub(crate) earlier: Option<String>,
}

impl From<&str> for DefaultPrincipal {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), earlier: None }
    }
}

/// Merged settings of the flags and the configuration.
pub(crate) struct TaskSettings {
    declared: Declared,
    /// Place that the user named.
    place: Option<Place>,
    /// Place to use when the user named none.
    default_place: fn() -> anyhow::Result<Place>,
    principal: DefaultPrincipal,
    limits: TaskLimits,
    audit: Option<Audit>,
}

/// Storage settings of a session's tasks.
pub(crate) struct TaskKeeping {
    pub(crate) store: Store,
    principal: String,
    limits: TaskLimits,
    audit: Option<Arc<AuditLog>>,
    /// File of the audit log.
    pub(crate) audit_file: Option<PathBuf>,
}

/// Declared features of handlers.
#[derive(Default)]
pub(crate) struct Declared {
    mode: TaskMode,
    features: Features,
}

/// Settings of an audit log that is not open yet.
pub(crate) struct Audit {
    file: PathBuf,
    payloads: bool,
}

impl TaskArgs {
    /// Loads the configuration, or an empty one when no file is named.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        self.config.load()
    }

    /// Merges the flags with the configuration.
    pub(super) fn settle(self, config: &Config, defaults: Defaults) -> anyhow::Result<TaskSettings> {
        let principal = self.principal.as_ref().or(config.principal.as_ref());
        Ok(TaskSettings {
            declared: self.declared.settle(config)?,
            place: self.store.named(config),
            default_place: defaults.store,
            principal: principal.map_or(defaults.principal, |Name(name)| name.as_str().into()),
            audit: self.audit.settle(config)?,
            limits: config.task_limits.clone(),
        })
    }
}

impl ConfigArg {
    /// Loads the configuration, or an empty one when no file is named.
    pub(crate) fn load(&self) -> anyhow::Result<Config> {
        self.config.as_deref().map_or_else(|| Ok(Default::default()), Config::load)
    }
}

impl DeclaredArgs {
    pub(crate) fn settle(&self, config: &Config) -> anyhow::Result<Declared> {
        let mut features = Features::default();
        features.form = config.elicitation.form.unwrap_or(features.form);
        features.url = config.elicitation.url.unwrap_or(features.url);
        features.tools = self.sampling_tools.or(config.sampling.tools).unwrap_or(features.tools);
        if let Some(modes) = &self.elicitation {
            anyhow::ensure!(
                !modes.contains(&ElicitationMode::None) || modes.len() == 1,
                "--elicitation none goes with no other mode"
            );
            features.form = modes.contains(&ElicitationMode::Form);
            features.url = modes.contains(&ElicitationMode::Url);
        }
        Ok(Declared { mode: self.tasks.or(config.tasks).unwrap_or(TaskMode::Own), features })
    }
}

impl Declared {
    /// Adds the declared features to handlers.
    pub(crate) fn of(&self, handlers: Handlers) -> Handlers {
        let handlers = handlers.with_features(self.features.clone());
        match self.mode {
            TaskMode::Own => handlers,
            TaskMode::Managed => handlers.managed(),
        }
    }
}

impl StoreArgs {
    /// Returns the place that the user named, or else the default.
    pub(crate) fn settle(&self, config: &Config, default: fn() -> anyhow::Result<Place>) -> anyhow::Result<Place> {
        self.named(config).map_or_else(default, Ok)
    }

    /// Returns the place that the user named, if any.
    fn named(&self, config: &Config) -> Option<Place> {
        self.store.clone().map(Place::from).or_else(|| config.store.clone())
    }
}

impl AuditArgs {
    pub(crate) fn settle(&self, config: &Config) -> anyhow::Result<Option<Audit>> {
        let payloads = self.audit_payloads.or(config.audit.payloads).unwrap_or(false);
        let file = self.audit.clone().or_else(|| config.audit.file.clone());
        anyhow::ensure!(
            file.is_some() || !payloads,
            "payloads are to be in an audit log, but none is named: add --audit FILE"
        );
        Ok(file.map(|file| Audit { file, payloads }))
    }
}

impl Audit {
    pub(crate) fn open(&self) -> anyhow::Result<Arc<AuditLog>> {
        let Self { file, payloads } = self;
        let log = AuditLog::open(file, *payloads);
        Ok(Arc::new(log.with_context(|| format!("the audit log {} cannot be opened", file.display()))?))
    }
}

impl TaskSettings {
    /// Opens the store and returns it with the declared handlers.
    ///
    /// Handlers that have nothing to do with tasks need no file. No default file is created for them.
    pub(crate) async fn open(self, handlers: Handlers) -> anyhow::Result<(Handlers, TaskKeeping)> {
        let Self { declared, place, default_place, principal, limits, audit } = self;
        let audit_file = audit.as_ref().map(|audit| audit.file.clone());
        let audit = audit.as_ref().map(Audit::open).transpose()?;
        let handlers = declared.of(handlers);
        let place = match place {
            Some(place) => place,
            None if needs_tasks(&handlers) => default_place()?,
            None => Place::Memory,
        };
        let store = place.open().await?;
        let DefaultPrincipal { name: principal, earlier } = principal;
        if let Some(earlier) = earlier {
            store.name_earlier(&place, &earlier, &principal).await?;
        }
        Ok((handlers, TaskKeeping { store, principal, limits, audit, audit_file }))
    }
}

/// Whether any of these handlers can create a task.
fn needs_tasks(handlers: &Handlers) -> bool {
    let of_tasks = |kind: Kind| kind.is_of_tasks() || kind.info().augmented;
    let imports = |handler: &Handler| handler.imports().iter().any(|import| import.grant == Some(GrantKind::Tasks));
    handlers.kinds().any(of_tasks) || handlers.components().any(|handler| imports(handler))
}

impl TaskKeeping {
    /// Applies the storage settings to the options of a session.
    pub(crate) fn set(&self, options: &mut SessionOptions) {
        options.store = Arc::clone(&self.store.tasks);
        options.principal.clone_from(&self.principal);
        options.tasks = self.limits.clone();
        options.audit.clone_from(&self.audit);
    }
}
