//! Where tasks are kept: in memory, or in a file that outlives the program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;

use taskcell::tasks::{MemoryStore, PrincipalFilter, SqliteStore, TaskStore};

/// Tasks of an earlier version that are counted.
const MANY: usize = 1_000;
/// The store that is no file.
const MEMORY: &str = ":memory:";

/// Where tasks are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "PathBuf")]
pub(crate) enum Place {
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
    pub(crate) fn of_user() -> anyhow::Result<Self> {
        use etcetera::BaseStrategy;

        let folders = etcetera::choose_base_strategy();
        let folders = folders.context(
            "this user has no folder to keep tasks in: name a file with --store, or --store :memory: to keep none",
        )?;
        let folder = folders.state_dir().unwrap_or_else(|| folders.data_dir());
        Ok(Self::File(folder.join("taskcell").join("tasks.db")))
    }

    /// Opens the store; makes the file where there is none.
    pub(crate) async fn open(&self) -> anyhow::Result<Store> {
        match self {
            Self::Memory => Ok(Store { tasks: Arc::new(MemoryStore::new()), file: None }),
            Self::File(path) => Ok(Store::of(SqliteStore::open(path).await.with_context(|| {
                format!(
                    "the tasks have no place (--store FILE names another one, --store {MEMORY} keeps them in memory)"
                )
            })?)),
        }
    }

    /// Opens a file that is there, to look into it.
    pub(crate) async fn open_to_look(&self) -> anyhow::Result<Store> {
        Ok(Store::of(SqliteStore::open_to_look(self.file()?).await?))
    }

    /// Opens a file that is there, to change tasks of it.
    pub(crate) async fn open_existing(&self) -> anyhow::Result<Store> {
        Ok(Store::of(SqliteStore::open_existing(self.file()?).await?))
    }

    /// The file, for what is done with files alone.
    pub(crate) fn file(&self) -> anyhow::Result<&Path> {
        match self {
            Self::Memory => anyhow::bail!("{MEMORY} is no file to look into: name one with --store"),
            Self::File(path) => Ok(path),
        }
    }
}

/// A store that is open.
pub(crate) struct Store {
    pub(crate) tasks: Arc<dyn TaskStore>,
    file: Option<Arc<SqliteStore>>,
}

impl Store {
    /// Says which tasks an earlier version of this program made for the same server, under another principal, and what
    /// makes them this one's. Servers of other folders may have the same principal there, so nobody else can decide it.
    pub(crate) async fn name_earlier(&self, place: &Place, earlier: &str, principal: &str) -> anyhow::Result<()> {
        let Place::File(file) = place else { return Ok(()) };
        let count = self.tasks.list(PrincipalFilter::Of(earlier), None, MANY).await?.len();
        if count > 0 {
            let count = if count < MANY { count.to_string() } else { format!("{MANY} or more") };
            let file = file.display();
            tracing::warn!(
                "{count} tasks of this command line were made by an earlier version, and this server does not see them: \
                 taskcell tasks move --store '{file}' --from {earlier} --to {principal}"
            );
        }
        Ok(())
    }

    fn of(store: SqliteStore) -> Self {
        let file = Arc::new(store);
        Self { tasks: Arc::clone(&file) as Arc<dyn TaskStore>, file: Some(file) }
    }

    /// Waits until all is in the file.
    ///
    /// # Errors
    /// The file was taken away or replaced meanwhile: what was stored last may be lost.
    pub(crate) async fn close(&self) -> anyhow::Result<()> {
        if let Some(file) = &self.file {
            file.close().await;
            file.check_place()?;
        }
        Ok(())
    }
}
