//! Table `[[handler]]` of the configuration: a component that answers requests, with its grants.
//!
//! A handler has no grant that the file does not list. Each grant has a place in the file, which `inspect` and load
//! errors name. Secrets and files are read when a handler is loaded, not when the configuration is read, so a command
//! that loads no handler needs none of them.

mod http;
mod keyvalue;
mod model;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use serde::Deserialize;
use toml::Spanned;

use crate::config::source::{ConfigError, MAX_SETTING, Source, read_text};
use crate::config::{NonNegative, StringOr};
use crate::terminal::user::TerminalUser;
use model::{ModelPolicy, ModelTable};
use taskcell::grants::{Clocks, GrantKind, Http, KeyValue, Random, Secret, Setting, Settings, User};
use taskcell::sandbox::file;
use taskcell::{Engine, Grants, Handler, LoadFault};

/// Upper bound of `reuse`. It ends the leaks of an instance, which its memory limit bounds.
const MAX_REUSE: u32 = 1_000_000;

/// Grants that come from a table of their own instead of the list.
const BY_TABLE: [GrantKind; 3] = [GrantKind::Http, GrantKind::KeyValue, GrantKind::Model];

/// Table `[[handler]]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandlerTable {
    path: PathBuf,
    sha256: Option<Spanned<String>>,
    reuse: Option<Spanned<NonNegative<u32>>>,
    grants: Option<Spanned<Vec<Spanned<GrantKind>>>>,
    config: Option<Spanned<StringOr<SettingsTable>>>,
    model: Option<Spanned<ModelTable>>,
    keyvalue: Option<Spanned<keyvalue::KeyValueTable>>,
    http: Option<Spanned<http::HttpTable>>,
    clocks: Option<Spanned<StringOr<ClocksTable>>>,
    random: Option<Spanned<StringOr<RandomTable>>>,
}

/// Table `[handler.config]`.
type SettingsTable = BTreeMap<String, Spanned<StringOr<SettingTable>>>;

/// Setting from elsewhere: `{ env = "NAME" }` or `{ file = "PATH" }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingTable {
    env: Option<StringOr<NoTable>>,
    file: Option<PathBuf>,
}

/// Type that no table deserializes to: `env` takes a string, and the error does not show a table that stands there.
#[derive(Debug)]
enum NoTable {}

impl<'de> Deserialize<'de> for NoTable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(NAME_OF_VARIABLE))
    }
}

/// Error for an invalid `env`. A secret that was written there must not reach a log.
const NAME_OF_VARIABLE: &str = "`env` takes the name of an environment variable: letters, digits and _, no digit first. What stands there is not \
                                shown, for it may be a secret";

/// Table `[handler.clocks]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClocksTable {
    now: Spanned<String>,
}

/// Table `[handler.random]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RandomTable {
    seed: NonNegative<u64>,
}

/// Handler of the configuration.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Path of the component.
    pub(crate) path: PathBuf,
    /// Place of the table in the file.
    pub(crate) at: String,
    /// Expected SHA-256 digest, with its place in the file.
    digest: Option<(String, String)>,
    /// Maximum number of requests of a session that one instance answers.
    pub(crate) reuse: u32,
    /// Grants, each with its place in the file.
    grants: Vec<(GrantKind, String)>,
    /// Place of the list of grants in the file.
    grants_at: Option<String>,
    settings: Vec<Value>,
    model: Option<ModelPolicy>,
    /// Keys and values of the handler.
    pub(crate) keyvalue: Option<keyvalue::KeyValuePolicy>,
    http: Option<Http>,
    clocks: Clocks,
    random: Random,
}

/// Setting with its place in the file.
#[derive(Debug)]
struct Value {
    key: String,
    origin: Origin,
    at: String,
}

/// File that a grant of a handler writes to.
pub(crate) struct KeptFile {
    /// Name of the file's contents.
    pub(crate) what: &'static str,
    /// Path of the file, or the reason why there is none.
    pub(crate) file: anyhow::Result<PathBuf>,
    /// Remedy for a file that cannot be written.
    pub(crate) fix: String,
}

/// Source of a setting's value.
#[derive(Debug)]
enum Origin {
    Text(String),
    Environment(String),
    File(PathBuf),
}

impl HandlerTable {
    /// Validates the table at `span` of the configuration.
    pub(crate) fn check(self, span: Range<usize>, source: &Source<'_>) -> Result<Policy, ConfigError> {
        let at = |span: Range<usize>| source.at(span.start);
        let folder = source.folder();
        let digest = self.sha256.map(|digest| {
            let place = at(digest.span());
            sha256(digest).map(|digest| (digest, place))
        });
        let grants_at = self.grants.as_ref().map(|grants| at(grants.span()));
        let grants = self.grants.map(Spanned::into_inner).unwrap_or_default();
        if let Some(grant) = grants.iter().find(|grant| BY_TABLE.contains(grant.get_ref())) {
            let name = grant.get_ref();
            let why = format!("{name} is granted by a table [handler.{name}], which says how much of it");
            return Err(ConfigError::new(grant.span(), why));
        }
        let mut grants: Vec<_> = grants.iter().map(|grant| (*grant.get_ref(), at(grant.span()))).collect();
        let mut settings = Vec::new();
        if let Some(config) = self.config {
            grants.push((GrantKind::Config, at(config.span())));
            let span = config.span();
            let StringOr::Table(config) = config.into_inner() else {
                let why = "`config` is a table of settings; what stands there is not shown, for it may be a secret";
                return Err(ConfigError::new(span, why));
            };
            for (key, value) in config {
                let place = at(value.span());
                settings.push(Value { key, origin: origin(value, folder)?, at: place });
            }
        }
        let model = self.model.map(|model| {
            grants.push((GrantKind::Model, at(model.span())));
            model.into_inner().check(source)
        });
        let model = model.transpose()?;
        let path = folder.join(self.path);
        let keyvalue = self.keyvalue.map(|table| {
            grants.push((GrantKind::KeyValue, at(table.span())));
            table.into_inner().check(folder, &path)
        });
        let http = self.http.map(|table| {
            grants.push((GrantKind::Http, at(table.span())));
            table.into_inner().check()
        });
        Ok(Policy {
            path,
            at: at(span),
            digest: digest.transpose()?,
            reuse: self.reuse.map_or(Ok(1), reuse)?,
            grants,
            grants_at,
            settings,
            model,
            keyvalue: keyvalue.transpose()?,
            http: http.transpose()?,
            clocks: self.clocks.map_or(Ok(Clocks::Real), clocks)?,
            random: self.random.map_or_else(|| Ok(Random::default()), random)?,
        })
    }
}

fn reuse(reuse: Spanned<NonNegative<u32>>) -> Result<u32, ConfigError> {
    let (at, NonNegative(reuse)) = (reuse.span(), reuse.into_inner());
    if !(1..=MAX_REUSE).contains(&reuse) {
        let why =
            format!("{reuse} is not between 1 and {MAX_REUSE}: an instance answers a request, or so many, and ends");
        return Err(ConfigError::new(at, why));
    }
    Ok(reuse)
}

fn sha256(digest: Spanned<String>) -> Result<String, ConfigError> {
    let at = digest.span();
    let digest = digest.into_inner();
    if digest.len() != 64 || !digest.chars().all(|c| c.is_ascii_hexdigit()) {
        let why = "a SHA-256 digest has 64 hexadecimal digits; `taskcell inspect FILE` shows a component's";
        return Err(ConfigError::new(at, why));
    }
    Ok(digest.to_ascii_lowercase())
}

fn origin(value: Spanned<StringOr<SettingTable>>, folder: &Path) -> Result<Origin, ConfigError> {
    let at = value.span();
    match value.into_inner() {
        StringOr::String(text) => Ok(Origin::Text(text)),
        StringOr::Table(SettingTable { env: Some(StringOr::String(name)), file: None }) if is_variable(&name) => {
            Ok(Origin::Environment(name))
        }
        StringOr::Table(SettingTable { env: Some(_), file: None }) => Err(ConfigError::new(at, NAME_OF_VARIABLE)),
        StringOr::Table(SettingTable { env: None, file: Some(file) }) => Ok(Origin::File(folder.join(file))),
        StringOr::Table(_) => {
            let why = "a setting is a text, { env = \"VARIABLE\" } or { file = \"PATH\" }";
            Err(ConfigError::new(at, why))
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn clocks(clocks: Spanned<StringOr<ClocksTable>>) -> Result<Clocks, ConfigError> {
    let at = clocks.span();
    let now = match clocks.into_inner() {
        StringOr::String(text) => return real(&text, at, "{ now = \"2026-01-01T00:00:00Z\" }").map(|()| Clocks::Real),
        StringOr::Table(table) => table.now,
    };
    let time = now.get_ref().parse::<jiff::Timestamp>().ok();
    let since_epoch = time.and_then(|time| Duration::try_from(time.duration_since(jiff::Timestamp::UNIX_EPOCH)).ok());
    since_epoch.map(Clocks::Fixed).ok_or_else(|| {
        ConfigError::new(now.span(), "`now` is a time with its zone from 1970 on, such as \"2026-01-01T00:00:00Z\"")
    })
}

fn random(random: Spanned<StringOr<RandomTable>>) -> Result<Random, ConfigError> {
    let at = random.span();
    match random.into_inner() {
        StringOr::String(text) => real(&text, at, "{ seed = 7 }").map(|()| Random::default()),
        StringOr::Table(RandomTable { seed: NonNegative(seed) }) => Ok(Random::fixed(seed)),
    }
}

/// Accepts the string "real", the only string that clocks and random numbers take.
fn real(text: &str, at: Range<usize>, fixed: &str) -> Result<(), ConfigError> {
    if text == "real" { Ok(()) } else { Err(ConfigError::new(at, format!("this is either \"real\" or {fixed}"))) }
}

impl Policy {
    /// Loads the component with its grants.
    pub(crate) async fn load(&self, engine: &Engine, user: Option<Arc<TerminalUser>>) -> anyhow::Result<Handler> {
        let mut grants = self.grants(user)?;
        if let Some(keyvalue) = &self.keyvalue {
            let at = || self.granted_at(GrantKind::KeyValue).unwrap_or_default().to_owned();
            grants.keyvalue = Some(keyvalue.open().await.with_context(at)? as Arc<dyn KeyValue>);
        }
        let handler = self.component(engine, &self.path, grants).await?.with_reuse(self.reuse);
        Ok(if self.digest.is_some() { handler.pinned() } else { handler })
    }

    /// Loads the component from `path`, with `grants`. Its digest must be the expected one.
    pub(crate) async fn component(&self, engine: &Engine, path: &Path, grants: Grants) -> anyhow::Result<Handler> {
        let loaded = match &self.digest {
            None => Handler::from_file(engine, path, grants).await,
            // The bytes that were compared are the bytes that run, even if the file changes meanwhile.
            Some((wanted, at)) => {
                let bytes = file::read(engine, path).await.with_context(|| self.at.clone())?;
                let found = file::digest(&bytes);
                let name = path.display();
                ensure!(
                    found == *wanted,
                    "{at}: {name} is another component: its sha256 is {found}, granted is {wanted}"
                );
                let loaded = Handler::from_bytes(engine, &name.to_string(), bytes, grants).await;
                loaded.map(|handler| handler.read_from(path))
            }
        };
        loaded.map_err(|error| match &error.fault {
            LoadFault::NotGranted { missing, .. } => {
                let remedies: Vec<_> = missing.iter().map(|grant| self.remedy(*grant)).collect();
                anyhow!("{error}; {}", remedies.join("; "))
            }
            LoadFault::Read(_) => anyhow::Error::from(error).context(self.at.clone()),
            _ => error.into(),
        })
    }

    /// Whether the handler's path names the same file as `file`.
    pub(crate) fn is_of(&self, file: &Path) -> bool {
        let (one, other) = (self.path.canonicalize(), file.canonicalize());
        self.path == file || one.is_ok_and(|one| other.is_ok_and(|other| one == other))
    }

    /// Returns the place in the file that gives a grant.
    pub(crate) fn granted_at(&self, grant: GrantKind) -> Option<&str> {
        self.grants.iter().find(|(given, _)| *given == grant).map(|(_, at)| at.as_str())
    }

    /// Returns the change of the file that would give a grant.
    pub(crate) fn remedy(&self, grant: GrantKind) -> String {
        match &self.grants_at {
            _ if grant == GrantKind::Config || BY_TABLE.contains(&grant) => {
                format!("add a table [handler.{grant}] to the handler at {}", self.at)
            }
            Some(at) => format!("add \"{grant}\" to the grants at {at}"),
            None => format!("add grants = [\"{grant}\"] to the handler at {}", self.at),
        }
    }

    /// Returns the environment variables with secrets of the handler.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let of_settings = self.settings.iter().filter_map(|value| match &value.origin {
            Origin::Environment(variable) => Some(variable.as_str()),
            Origin::Text(_) | Origin::File(_) => None,
        });
        of_settings.chain(self.model.as_ref().and_then(ModelPolicy::secret))
    }

    /// Returns the keys of the settings, each with the source of its value but without the value.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&str, String)> {
        self.settings.iter().map(|Value { key, origin, at }| (key.as_str(), origin.told(at)))
    }

    /// Returns the grants that have a table, each with the facts to show, in the order of the output.
    pub(crate) fn facts(&self) -> impl Iterator<Item = (GrantKind, Vec<(&'static str, String)>)> {
        let model = self.model.as_ref().map(|model| (GrantKind::Model, model.facts()));
        let keyvalue = self.keyvalue.as_ref().map(|keyvalue| (GrantKind::KeyValue, keyvalue.facts()));
        let http = self.http.as_ref().map(|http| (GrantKind::Http, http::facts(http)));
        [model, keyvalue, http].into_iter().flatten()
    }

    /// Returns the files that the grants of the handler write to.
    pub(crate) fn kept_files(&self) -> impl Iterator<Item = KeptFile> {
        self.keyvalue.iter().map(|keyvalue| keyvalue.kept_file(&self.at))
    }

    /// Whether the handler may ask the person at the terminal.
    pub(crate) fn asks_the_user(&self) -> bool {
        self.grants.iter().any(|(grant, _)| *grant == GrantKind::User)
    }

    fn has(&self, wanted: GrantKind) -> bool {
        self.grants.iter().any(|(grant, _)| *grant == wanted)
    }

    /// Reads the settings, including those from the environment and from files.
    pub(crate) fn read_settings(&self) -> anyhow::Result<Settings> {
        let settings: anyhow::Result<Vec<_>> = self.settings.iter().map(Value::read).collect();
        Ok(settings?.into_iter().collect())
    }

    /// Returns an error for each unreadable file of a setting or of the model's key.
    pub(crate) fn unreadable_files(&self) -> Vec<anyhow::Error> {
        let is_file = |origin: &Origin| matches!(origin, Origin::File(_));
        let settings = self.settings.iter().filter(|value| is_file(&value.origin));
        let key = self.model.as_ref().filter(|model| model.secret().is_none()).and_then(|model| model.model().err());
        settings.filter_map(|value| value.read().err()).chain(key).collect()
    }

    /// Returns the grants of `all` that the handler has, with its own clocks and random numbers.
    pub(crate) fn of(&self, all: &Grants) -> Grants {
        let mut granted = Grants::default();
        granted.tasks = all.tasks && self.has(GrantKind::Tasks);
        granted.progress = all.progress && self.has(GrantKind::Progress);
        granted.config = all.config.clone().filter(|_| self.has(GrantKind::Config));
        granted.model = all.model.clone().filter(|_| self.has(GrantKind::Model));
        granted.user = all.user.clone().filter(|_| self.has(GrantKind::User));
        granted.keyvalue = all.keyvalue.clone().filter(|_| self.has(GrantKind::KeyValue));
        granted.http = all.http.clone().filter(|_| self.has(GrantKind::Http));
        granted.clocks = self.clocks;
        granted.random = self.random.clone();
        granted
    }

    fn grants(&self, user: Option<Arc<TerminalUser>>) -> anyhow::Result<Grants> {
        let settings = self.read_settings()?;
        let mut grants = Grants::default();
        grants.tasks = self.has(GrantKind::Tasks);
        grants.progress = self.has(GrantKind::Progress);
        grants.config = Some(settings).filter(|_| self.has(GrantKind::Config));
        grants.model = self.model.as_ref().map(ModelPolicy::model).transpose()?;
        grants.user = user.filter(|_| self.asks_the_user()).map(|user| user as Arc<dyn User>);
        grants.http = self.http.clone();
        grants.clocks = self.clocks;
        grants.random = self.random.clone();
        Ok(grants)
    }
}

/// Refuses two handlers with the same file and name of keys and values.
pub(crate) fn keep_apart(handlers: &[Policy]) -> anyhow::Result<()> {
    let mut seen: Vec<(PathBuf, &str)> = Vec::new();
    for policy in handlers {
        let Some(keyvalue) = &policy.keyvalue else { continue };
        let place = (std::path::absolute(keyvalue.file()?)?, keyvalue.name());
        let at = policy.granted_at(GrantKind::KeyValue).unwrap_or_default();
        anyhow::ensure!(
            !seen.contains(&place),
            "{at}: another handler has the same keys and values; give each a name of its own"
        );
        seen.push(place);
    }
    Ok(())
}

impl Value {
    fn read(&self) -> anyhow::Result<(String, Setting)> {
        let Self { key, origin, at } = self;
        let value = origin.text(&format!("the setting {key}"), at)?;
        let value = match origin {
            Origin::Text(_) | Origin::File(_) => value.into(),
            Origin::Environment(_) => Secret::new(value).into(),
        };
        Ok((key.clone(), value))
    }
}

impl Origin {
    /// Reads the text. Errors name it by `what` and its place `at`.
    fn text(&self, what: &str, at: &str) -> anyhow::Result<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => read_text(path, MAX_SETTING).with_context(|| format!("{at}: {what}")),
            Self::Environment(variable) => {
                let value = std::env::var_os(variable).map(OsString::into_string);
                let value = value.with_context(|| {
                    format!("{at}: the environment variable {variable}, which {what} is from, is not set")
                })?;
                // The conversion's own error would show the value.
                let value = value.ok();
                value.with_context(|| format!("{at}: the environment variable {variable} is no UTF-8"))
            }
        }
    }

    /// Describes the source of the text without showing the text.
    fn told(&self, at: &str) -> String {
        match self {
            Self::Text(_) => format!("text at {at}"),
            Self::Environment(variable) => format!("secret from the environment variable {variable} at {at}"),
            Self::File(path) => format!("file {} at {at}", path.display()),
        }
    }
}
