//! File `taskcell.toml`: settings that an operator makes once for every run.
//!
//! The program reads the file only when it is named, so the current folder never changes the result. A fault in the
//! file stops the program. The error names the file, the line, the column and the allowed values. A flag on the command
//! line overrides the file; [`crate::config::task_args`] merges the two.

pub(crate) mod arguments;
pub(crate) mod handler;
pub(crate) mod handler_args;
mod limits;
pub(crate) mod principal;
pub(crate) mod proxy;
pub(crate) mod server_args;
pub(crate) mod setup;
pub(crate) mod source;
pub(crate) mod store;
pub(crate) mod task_args;
mod task_limits;
mod values;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use serde::Deserialize;
use toml::Spanned;

use limits::LimitsTable;
use task_limits::TaskLimitsTable;
pub(super) use values::{Name, NonNegative, Size, StringOr, Time, set};

use crate::client::negotiate::Protocol;
use handler::{HandlerTable, Policy};
use proxy::ProxyTable;
use source::{ConfigError, Source, read_text};
use store::Place;
use taskcell::Limits;
use taskcell::sandbox::PagemapScan;
use taskcell::tasks::TaskLimits;
use taskcell_gateway::dead_clients::DeadClient;

/// Largest configuration file in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// Settings of a file. A setting that the file leaves out is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    /// Owner of tasks.
    pub(super) tasks: Option<TaskMode>,
    /// Place of the task store.
    pub(super) store: Option<Place>,
    /// Principal whose tasks are served.
    pub(super) principal: Option<Name>,
    /// Whether changed component files are reloaded.
    pub(super) watch: Option<bool>,
    /// Revision of MCP to speak with servers.
    pub(super) protocol: Option<Protocol>,
    /// Whether a page-map scan clears the memory of cells.
    pub(super) pagemap_scan: PagemapScan,
    #[serde(rename = "limits")]
    limits_table: LimitsTable,
    /// Limits of components, cells and messages: the defaults, overridden by the table.
    #[serde(skip)]
    pub(super) limits: Limits,
    #[serde(rename = "task-limits")]
    task_limits_table: TaskLimitsTable,
    /// Limits of tasks: the defaults, overridden by the table.
    #[serde(skip)]
    pub(super) task_limits: TaskLimits,
    /// Settings of the audit log.
    pub(super) audit: AuditTable,
    /// Modes of elicitation that the handlers support.
    pub(super) elicitation: ElicitationTable,
    /// Features of sampling that the handlers support.
    pub(super) sampling: SamplingTable,
    /// Settings of `taskcell proxy`.
    pub(super) proxy: ProxyTable,
    /// Rules of who answers what, of the table `[proxy.answer]`.
    #[serde(skip)]
    pub(super) answer: taskcell_gateway::Policy,
    /// Clients that declare what they never answer.
    #[serde(skip)]
    pub(super) dead_clients: Vec<DeadClient>,
    #[serde(rename = "handler")]
    tables: Vec<Spanned<HandlerTable>>,
    /// Handlers of the configuration, in the order of the file.
    #[serde(skip)]
    pub(super) handlers: Vec<Policy>,
}

/// Owner of tasks, which answers requests about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TaskMode {
    /// The handlers that export their kinds
    #[default]
    Own,
    /// The host, for handlers of plain requests; kinds that a handler exports itself stay with the handler
    Managed,
}

/// Table `[audit]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuditTable {
    /// File that log lines are appended to.
    pub(super) file: Option<PathBuf>,
    /// Whether the log includes complete requests and responses.
    pub(super) payloads: Option<bool>,
}

/// Table `[elicitation]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ElicitationTable {
    /// Elicitation by forms.
    pub(super) form: Option<bool>,
    /// Elicitation by pages.
    pub(super) url: Option<bool>,
}

/// Table `[sampling]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SamplingTable {
    /// Sampling with tools.
    pub(super) tools: Option<bool>,
}

impl Config {
    /// Reads a file. Relative paths in the file start from its folder.
    pub(super) fn load(file: &Path) -> anyhow::Result<Self> {
        let text = read_text(file, MAX_SIZE).context("the configuration")?;
        Self::parse(file, &text)
    }

    /// Parses the text of a file.
    fn parse(file: &Path, text: &str) -> anyhow::Result<Self> {
        let source = Source::new(file, text);
        let mut config: Self = toml::from_str(text).map_err(|error| {
            if let Some(wrong) = lone_table(text) {
                return source.error(wrong);
            }
            let why = error.message().trim().replace('\n', ", ");
            source.error(ConfigError::new(error.span().unwrap_or_default(), why))
        })?;
        config.limits = config.limits_table.limits().map_err(|wrong| source.error(wrong))?;
        config.task_limits = config.task_limits_table.limits().map_err(|wrong| source.error(wrong))?;
        config.answer = config.proxy.policy().map_err(|wrong| source.error(wrong))?;
        config.dead_clients = config.proxy.dead_clients().map_err(|wrong| source.error(wrong))?;
        for table in std::mem::take(&mut config.tables) {
            let span = table.span();
            config.handlers.push(table.into_inner().check(span, &source).map_err(|wrong| source.error(wrong))?);
        }
        handler::keep_apart(&config.handlers)?;
        if let Some(Place::File(path)) = &mut config.store {
            *path = source.folder().join(&path);
        }
        if let Some(path) = &mut config.audit.file {
            *path = source.folder().join(&path);
        }
        Ok(config)
    }
}

/// Returns an error for a text with `[handler]`, or a table within it, before any `[[handler]]`. Such a text is a piece
/// of documentation that was used as a file.
fn lone_table(text: &str) -> Option<ConfigError> {
    let is_table = toml::from_str::<toml::Table>(text).ok()?.get("handler")?.is_table();
    let begins =
        |(at, _): &(usize, &str)| text.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with('\n'));
    let (at, _) = text.match_indices("[handler").find(begins).filter(|_| is_table)?;
    let name: String = text.get(at..)?.chars().take_while(|letter| *letter != ']').collect();
    let name = crate::terminal::one_line(&name);
    let why = match name.as_str() {
        "[handler" => "write `[[handler]]`: there may be several handlers".to_owned(),
        _ => format!("write `[[handler]]` first, with the `path` of its component: `{name}]` is a part of a handler"),
    };
    Some(ConfigError::new(at..at, why))
}

/// Parses a configuration for the fuzzer. Returns the origins of the handlers' settings, or the error that users see.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(file: &Path, bytes: &[u8]) -> Result<Vec<String>, String> {
    let config = source::text(file, bytes.to_vec()).and_then(|text| Config::parse(file, &text));
    let config = config.map_err(|error| taskcell::text::one_line(&format!("{error:#}"), crate::MAX_ERROR))?;
    let settings = config.handlers.iter().flat_map(Policy::settings);
    Ok(settings.map(|(_, origin)| origin).collect())
}
