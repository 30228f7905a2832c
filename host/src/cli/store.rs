//! Where tasks are kept: in memory, or in a file that outlives the program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;

use crate::tasks::{MemoryStore, SqliteStore, TaskStore};

/// The store that is no file.
const MEMORY: &str = ":memory:";

/// Where tasks are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "PathBuf")]
pub(super) enum Place {
    /// In the program's memory.
    Memory,
    /// In a SQLite file.
    File(PathBuf),
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        if path == Path::new(MEMORY) { Self::Memory } else { Self::File(path) }
    }
}

impl Place {
    /// The file of this user where none is named: in the folder for what programs keep from run to run.
    pub(super) fn of_user() -> anyhow::Result<Self> {
        use etcetera::BaseStrategy;

        let folders = etcetera::choose_base_strategy();
        let folders = folders.context("this user has no folder to keep tasks in: name a file with --store")?;
        let folder = folders.state_dir().unwrap_or_else(|| folders.data_dir());
        Ok(Self::File(folder.join("taskcell").join("tasks.db")))
    }

    /// Opens the store; makes the file where there is none.
    pub(super) async fn open(&self) -> anyhow::Result<Store> {
        match self {
            Self::Memory => Ok(Store { tasks: Arc::new(MemoryStore::new()), file: None }),
            Self::File(path) => Ok(Store::of(SqliteStore::open(path).await?)),
        }
    }

    /// Opens a file that is there.
    pub(super) async fn open_existing(&self) -> anyhow::Result<Store> {
        match self {
            Self::Memory => anyhow::bail!("{MEMORY} is no file to look into: name one with --store"),
            Self::File(path) => Ok(Store::of(SqliteStore::open_existing(path).await?)),
        }
    }
}

/// A store that is open.
pub(super) struct Store {
    pub(super) tasks: Arc<dyn TaskStore>,
    file: Option<Arc<SqliteStore>>,
}

impl Store {
    fn of(store: SqliteStore) -> Self {
        let file = Arc::new(store);
        Self { tasks: Arc::clone(&file) as Arc<dyn TaskStore>, file: Some(file) }
    }

    /// Waits until all is in the file.
    pub(super) async fn close(&self) {
        if let Some(file) = &self.file {
            file.close().await;
        }
    }
}
