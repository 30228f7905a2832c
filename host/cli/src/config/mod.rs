//! `taskcell.toml`: what an operator sets once, for every run.
//!
//! The file is used only where it is named, so that a folder that somebody is in never changes what is served. What
//! is wrong in it stops the program: an error names the file, the line and the column, and what would be right. A
//! flag on the command line wins over the file; [`crate::config::task_args`] puts the two together.

pub(crate) mod arguments;
pub(crate) mod handler;
pub(crate) mod handler_args;
mod limits;
pub(crate) mod principal;
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
use source::{ConfigError, Source, read_text};
use store::Place;
use taskcell::Limits;
use taskcell::sandbox::PagemapScan;
use taskcell::tasks::TaskLimits;

/// Bytes of a file that are read: one that is larger is no configuration.
const MAX_SIZE: u64 = 1 << 20;

/// What a file sets. What it leaves out is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    /// Who takes requests about tasks.
    pub(super) tasks: Option<TaskMode>,
    /// Where tasks are kept.
    pub(super) store: Option<Place>,
    /// Whose tasks are served.
    pub(super) principal: Option<Name>,
    /// Whether handlers are replaced when their files are.
    pub(super) watch: Option<bool>,
    /// The revision of MCP that is spoken with servers.
    pub(super) protocol: Option<Protocol>,
    /// Whether the memory of cells is cleared by a scan of the page map.
    pub(super) pagemap_scan: PagemapScan,
    #[serde(rename = "limits")]
    limits_table: LimitsTable,
    /// What bounds components, cells and messages: the defaults with what the table has.
    #[serde(skip)]
    pub(super) limits: Limits,
    #[serde(rename = "task-limits")]
    task_limits_table: TaskLimitsTable,
    /// What bounds the tasks: the same.
    #[serde(skip)]
    pub(super) task_limits: TaskLimits,
    /// The audit log.
    pub(super) audit: AuditTable,
    /// What the handlers support of elicitation.
    pub(super) elicitation: ElicitationTable,
    /// What the handlers support of sampling.
    pub(super) sampling: SamplingTable,
    #[serde(rename = "handler")]
    tables: Vec<Spanned<HandlerTable>>,
    /// Who answers.
    #[serde(skip)]
    pub(super) handlers: Vec<Policy>,
}

/// The owner of tasks, which answers requests about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TaskMode {
    /// The handlers that export their kinds
    #[default]
    Own,
    /// The host, around handlers of plain requests; kinds that a handler exports stay its own
    Managed,
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuditTable {
    /// The file that lines are added to.
    pub(super) file: Option<PathBuf>,
    /// Whether requests and answers stand in it whole.
    pub(super) payloads: Option<bool>,
}

/// `[elicitation]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ElicitationTable {
    /// By a form.
    pub(super) form: Option<bool>,
    /// By a page.
    pub(super) url: Option<bool>,
}

/// `[sampling]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SamplingTable {
    /// With tools.
    pub(super) tools: Option<bool>,
}

impl Config {
    /// Reads a file. Paths in it are taken from the folder it is in.
    pub(super) fn load(file: &Path) -> anyhow::Result<Self> {
        let text = read_text(file, MAX_SIZE).context("the configuration")?;
        Self::parse(file, &text)
    }

    /// Reads the text of a file.
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

/// A text in which `[handler]`, or a table within it, stands before any `[[handler]]`: a piece of documentation that was
/// used as a file.
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

/// Reads a configuration for the fuzzer: gives what is said of its handlers' settings, or the error as it is shown.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(file: &Path, bytes: &[u8]) -> Result<Vec<String>, String> {
    let config = source::text(file, bytes.to_vec()).and_then(|text| Config::parse(file, &text));
    let config = config.map_err(|error| crate::terminal::one_line(&format!("{error:#}")))?;
    let settings = config.handlers.iter().flat_map(Policy::settings);
    Ok(settings.map(|(_, origin)| origin).collect())
}
