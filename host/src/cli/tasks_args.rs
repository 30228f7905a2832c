//! How tasks are served and where they are kept: the flags that `run`, `call` and `demo` share.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

use crate::Handlers;

/// The store that is no file.
const MEMORY: &str = ":memory:";

#[derive(Args)]
pub(super) struct TaskArgs {
    /// Who takes requests about tasks: the handlers that export their kinds, or the host around plain handlers
    #[arg(long, value_enum, value_name = "WHO", default_value = "own")]
    tasks: TaskMode,
    /// Where tasks are kept: :memory: ends with the program
    #[arg(long, value_name = "PATH|:memory:", env = "TASKCELL_STORE", default_value = MEMORY)]
    store: OsString,
}

/// Who takes requests about tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TaskMode {
    /// The handlers that export their kinds
    Own,
    /// The host, around handlers of plain requests; kinds that a handler exports stay its own
    Managed,
}

impl TaskArgs {
    /// The handlers with what is said of them here.
    pub(super) fn declare(&self, handlers: Handlers) -> anyhow::Result<Handlers> {
        anyhow::ensure!(self.store == MEMORY, "--store takes only {MEMORY} yet");
        Ok(match self.tasks {
            TaskMode::Own => handlers,
            TaskMode::Managed => handlers.managed(),
        })
    }
}
