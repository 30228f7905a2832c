//! Steps that commands with a session share: from flags and configuration to loaded handlers and an open store.

use super::Config;
use super::handler_args::{HandlerArgs, Loaded};
use super::task_args::{Defaults, TaskArgs, TaskKeeping};
use taskcell::Handlers;

/// A command that is ready to open a session.
pub(crate) struct Setup {
    /// The configuration, or an empty one when no file is named.
    pub(crate) config: Config,
    /// The loaded handlers, with their declarations.
    pub(crate) handlers: Handlers,
    /// The environment variables that hold secrets of the handlers. A server must not inherit them.
    pub(crate) secrets: Vec<String>,
    /// The open store, and the settings of tasks.
    pub(crate) tasks: TaskKeeping,
}

impl Setup {
    /// Reads the configuration, loads the handlers and opens the store.
    pub(crate) async fn open(handlers: &HandlerArgs, tasks: TaskArgs, defaults: Defaults) -> anyhow::Result<Self> {
        let config = tasks.config()?;
        Self::with_config(config, handlers, tasks, defaults).await
    }

    /// Loads the handlers and opens the store, given the configuration of `tasks`.
    pub(crate) async fn with_config(
        config: Config,
        handlers: &HandlerArgs,
        tasks: TaskArgs,
        defaults: Defaults,
    ) -> anyhow::Result<Self> {
        let tasks = tasks.settle(&config, defaults)?;
        let Loaded { handlers, secrets } = handlers.load(&config).await?;
        let (handlers, tasks) = tasks.open(handlers).await?;
        Ok(Self { config, handlers, secrets, tasks })
    }
}
