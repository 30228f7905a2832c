//! Flags that select the handlers of a command and their grants.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::handler::Policy;
use super::source::{MAX_SETTING, read_text};
use crate::check::mocks;
use crate::config::Config;
use crate::terminal::progress_line::while_loading;
use crate::terminal::user::TerminalUser;
use taskcell::grants::{GrantKind, User};
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, LoadError, LoadFault, sandbox};

/// Stock handler, built from `guest-examples/rust-scripted`. A test compares the two.
pub(crate) const STOCK: &[u8] = include_bytes!("../../assets/stock.wasm");
/// Handler that passes requests on to the person, built from `guest-examples/ask`. A test compares the two.
const ASK: &[u8] = include_bytes!("../../assets/ask.wasm");
/// Name of [`ASK`], which has no file name.
const ASK_NAME: &str = "you";
/// Error of `--grant model`. No flag names the provider, the key and the token limits.
const NO_MODEL: &str = "a model is granted by a configuration: --config FILE, with a table [handler.model]; \
                        --model-answer TEXT stands in for one";
/// Name of [`STOCK`], which has no file name.
const STOCK_NAME: &str = "the stock handler";

#[derive(Args)]
pub(crate) struct HandlerArgs {
    /// A component that answers requests; may be given more than once. Without it, the handlers of the configuration;
    /// without those, the embedded stock handler
    #[arg(long = "handler", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Answer yourself, at this terminal: forms, pages, and prompts in place of a model. Without a handler, the same as
    /// --grant user; with --handler, for requests that those handlers do not take
    #[arg(long)]
    ask: bool,
    /// Grants of the handlers of --handler, separated by commas; may be given more than once
    #[arg(long = "grant", value_name = "GRANT", value_delimiter = ',', value_parser = by_flag())]
    grants: Vec<GrantKind>,
    /// A setting for the handlers, from the value or, with @, from a file; gives the grant `config`
    #[arg(long = "set", value_name = "KEY=VALUE|KEY=@FILE", value_parser = key_and_value)]
    settings: Vec<(String, String)>,
    /// Give the handlers of --handler a model that always answers this text, to try one without a provider
    #[arg(long, value_name = "TEXT")]
    model_answer: Option<String>,
    #[command(flatten)]
    cache: CacheArgs,
    /// Whether the stock handler stays away unless it is given a setting.
    #[arg(skip)]
    no_stock: bool,
}

#[derive(Args)]
pub(crate) struct CacheArgs {
    /// Cache folder for compiled components; only you may have write access [default: the user's cache folder]
    #[arg(long, value_name = "DIR", env = "TASKCELL_CACHE")]
    cache: Option<PathBuf>,
    /// Keep no compiled components, even if a cache folder is named
    #[arg(long)]
    no_cache: bool,
}

/// Grants that a flag gives, with the text of `--help`. The others are tables of the configuration.
const BY_FLAG: [(GrantKind, &str); 5] = [
    (GrantKind::Tasks, "The tasks of the conversation"),
    (GrantKind::Progress, "Progress notifications to the server"),
    (GrantKind::Config, "The settings of --set"),
    (GrantKind::Model, "A model, which only a configuration can name"),
    (GrantKind::User, "You, at this terminal"),
];

/// Parser of `--grant`.
fn by_flag() -> impl TypedValueParser<Value = GrantKind> {
    let words = BY_FLAG.map(|(grant, help)| PossibleValue::new(grant.as_str()).help(help));
    PossibleValuesParser::new(words).try_map(|word: String| word.parse::<GrantKind>())
}

/// Loaded handlers.
pub(crate) struct Loaded {
    pub(crate) handlers: Handlers,
    /// Environment variables with secrets of the handlers. No other process may inherit them.
    pub(crate) secrets: Vec<String>,
}

/// Parses a setting of the command line.
pub(crate) fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    let value = match value.strip_prefix('@') {
        Some(file) => read_text(Path::new(file), MAX_SETTING).map_err(|error| format!("{error:#}"))?,
        None => value.to_owned(),
    };
    Ok((key.to_owned(), value))
}

impl CacheArgs {
    /// Whether compiled components are discarded.
    pub(crate) fn keeps_nothing(&self) -> bool {
        self.no_cache
    }

    /// Creates an engine with the limits and settings of a configuration.
    ///
    /// A cache that the user named must be usable. The default cache folder is a convenience: if it is not usable,
    /// compiled components are not kept and a warning is logged.
    pub(crate) fn engine(&self, config: &Config) -> anyhow::Result<Engine> {
        let mut options = EngineOptions::default();
        options.limits = config.limits.clone();
        options.pagemap_scan = config.pagemap_scan;
        match self.folder().filter(|_| !self.no_cache) {
            Some(folder) => match sandbox::check_cache(&folder) {
                Ok(()) => options.cache = Some(folder),
                Err(error) => {
                    let why = format!("{}: cannot be the cache: {error}; {REMEDY}", folder.display());
                    anyhow::ensure!(self.cache.is_none(), why);
                    tracing::warn!("{why}; compiled components are not kept");
                }
            },
            None if self.no_cache => {}
            None => tracing::warn!("this user has no folder for compiled components, which are not kept; {REMEDY}"),
        }
        Ok(Engine::new(options)?)
    }

    /// Returns the folder for compiled components, or none when this user has no such folder.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        use etcetera::BaseStrategy;

        let default = || Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("taskcell"));
        self.cache.clone().or_else(default)
    }
}

/// Remedy for a cache that cannot be used.
const REMEDY: &str = "name a folder with --cache or TASKCELL_CACHE, or say --no-cache";

impl HandlerArgs {
    /// Adds a component to the list of --handler.
    pub(crate) fn add(&mut self, file: PathBuf) {
        self.files.push(file);
    }

    /// Leaves the requests that no named handler takes without an answer: the stock handler answers only when it is
    /// given a setting.
    pub(crate) fn without_stock(&mut self) {
        self.no_stock = true;
    }

    /// Loads the handlers of --handler, else those of the configuration, else the stock handler.
    pub(crate) async fn load(&self, config: &Config) -> anyhow::Result<Loaded> {
        anyhow::ensure!(!self.grants.contains(&GrantKind::Model), "--grant model: {NO_MODEL}");
        // All handlers share one person, so their questions queue.
        let user = self.asks_the_user(config).then(TerminalUser::new).transpose()?.map(Arc::new);
        let engine = self.cache.engine(config)?;
        let mut handlers = Vec::new();
        let mut secrets = Vec::new();
        for file in &self.files {
            let grants = self.granted(&self.grants, user.clone());
            let loading = Handler::from_file(&engine, file, grants);
            handlers.push(while_loading(file, loading).await.map_err(with_remedy)?);
        }
        if self.asks_directly(config) {
            anyhow::ensure!(
                !self.files.is_empty() || (self.settings.is_empty() && self.model_answer.is_none()),
                "--set and --model-answer are for the handlers of --handler; where you answer yourself, nothing takes them"
            );
            let mut grants = Grants::default();
            grants.user = user.clone().map(|user| user as Arc<dyn User>);
            handlers.push(Handler::from_bytes(&engine, ASK_NAME, ASK.to_vec(), grants).await?);
        } else if let (true, Some(first)) = (self.files.is_empty(), config.handlers.first()) {
            // The file lists all rights of its handlers. A flag for other handlers must not add to them.
            anyhow::ensure!(
                self.grants.is_empty() && self.settings.is_empty() && self.model_answer.is_none(),
                "--grant and --set are for the handlers of --handler, as --model-answer is; those of the configuration have theirs there, at {}",
                first.at
            );
            for policy in &config.handlers {
                handlers.push(while_loading(&policy.path, policy.load(&engine, user.clone())).await?);
                secrets.extend(policy.secrets().map(str::to_owned));
            }
        }
        if (self.ask || !self.files.is_empty()) && !config.handlers.is_empty() {
            tracing::info!("the handlers of the command line answer, in place of those of the configuration");
        }
        for handler in handlers.iter().filter(|handler| handler.kinds().next().is_none()) {
            tracing::warn!(handler = handler.name(), "the handler exports no kind: every request gets its default");
        }
        if handlers.is_empty() && !(self.no_stock && self.settings.is_empty()) {
            let grants = self.granted(&[GrantKind::Tasks, GrantKind::Progress, GrantKind::Config], None);
            handlers.push(Handler::from_bytes(&engine, STOCK_NAME, STOCK.to_vec(), grants).await?);
        }
        Ok(Loaded { handlers: Handlers::new(handlers)?, secrets })
    }

    /// Whether handlers may ask the person at the terminal. Such requests take longer.
    pub(crate) fn asks_the_user(&self, config: &Config) -> bool {
        let of_file = || self.files.is_empty() && config.handlers.iter().any(Policy::asks_the_user);
        self.ask || self.grants.contains(&GrantKind::User) || of_file()
    }

    /// Whether the person answers without a handler of their own. With --grant user alone, the person must not get the
    /// canned answers of the stock handler.
    fn asks_directly(&self, config: &Config) -> bool {
        let nobody_else = self.files.is_empty() && config.handlers.is_empty();
        self.ask || (nobody_else && self.grants.contains(&GrantKind::User))
    }

    fn granted(&self, grants: &[GrantKind], user: Option<Arc<TerminalUser>>) -> Grants {
        let config = grants.contains(&GrantKind::Config) || !self.settings.is_empty();
        let mut granted = Grants::default();
        granted.tasks = grants.contains(&GrantKind::Tasks);
        granted.progress = grants.contains(&GrantKind::Progress);
        granted.config = config.then(|| self.settings.iter().cloned().collect());
        granted.model = self.model_answer.as_deref().map(mocks::model_that_says);
        granted.user = user.map(|user| user as Arc<dyn User>);
        granted
    }
}

/// Adds the flags and settings that give the missing grants to an error.
fn with_remedy(error: LoadError) -> anyhow::Error {
    let LoadFault::NotGranted { missing, .. } = &error.fault else { return error.into() };
    let is_flag = |grant: &GrantKind| *grant != GrantKind::Model && BY_FLAG.iter().any(|(flag, _)| flag == grant);
    let (flags, others): (Vec<GrantKind>, Vec<GrantKind>) = missing.iter().copied().partition(is_flag);
    let flags: Vec<_> = flags.into_iter().map(GrantKind::as_str).collect();
    let flags = (!flags.is_empty()).then(|| format!("add --grant {}", flags.join(",")));
    let others = others.iter().map(|grant| match grant {
        GrantKind::Model => NO_MODEL.to_owned(),
        grant => format!("{grant} is given by a configuration (--config), which says how much of it"),
    });
    let remedies: Vec<_> = flags.into_iter().chain(others).collect();
    anyhow::anyhow!("{error}; {}", remedies.join("; "))
}
