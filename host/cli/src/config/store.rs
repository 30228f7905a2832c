//! Stores of tasks: in memory, or in a file that outlives the program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;

use crate::terminal::one_line;
use taskcell::tasks::{MemoryStore, PrincipalFilter, SqliteStore, TaskStore};

/// Maximum number of tasks of an earlier version that are counted.
const MANY: usize = 1_000;
/// Name of the store in memory.
const MEMORY: &str = ":memory:";

/// Place where tasks are stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "PathBuf")]
pub(crate) enum Place {
    /// Memory of the program.
    Memory,
    /// SQLite file.
    File(PathBuf),
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        if path == Path::new(MEMORY) { Self::Memory } else { Self::File(path) }
    }
}

impl Place {
    /// Returns the default file of this user, in the folder for state that outlives a run.
    pub(crate) fn of_user() -> anyhow::Result<Self> {
        use etcetera::BaseStrategy;

        let folders = etcetera::choose_base_strategy();
        let folders = folders.context(
            "this user has no folder to keep tasks in: name a file with --store, or --store :memory: to keep none",
        )?;
        let folder = folders.state_dir().unwrap_or_else(|| folders.data_dir());
        Ok(Self::File(folder.join("taskcell").join("tasks.db")))
    }

    /// Opens the store, and creates a missing file.
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

    /// Opens an existing file read-only.
    pub(crate) async fn open_to_look(&self) -> anyhow::Result<Store> {
        Ok(Store::of(SqliteStore::open_to_look(self.file()?).await?))
    }

    /// Opens an existing file to change its tasks.
    pub(crate) async fn open_existing(&self) -> anyhow::Result<Store> {
        Ok(Store::of(SqliteStore::open_existing(self.file()?).await?))
    }

    /// Returns the file.
    ///
    /// # Errors
    /// Fails for a store in memory, and for a file of another user.
    pub(crate) fn file(&self) -> anyhow::Result<&Path> {
        match self {
            Self::Memory => anyhow::bail!("{MEMORY} is no file to look into: name one with --store"),
            Self::File(path) => check_owner(path).map(|()| path.as_path()),
        }
    }
}

/// Refuses an existing file of another user, in the words in which a store that is opened to serve is refused.
fn check_owner(path: &Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path)
        && found.is_file()
    {
        use std::os::unix::fs::MetadataExt;

        let owner = found.uid();
        anyhow::ensure!(
            owner == rustix::process::geteuid().as_raw(),
            "the task store {}: it belongs to another user (number {owner}), who can read and change all that is kept \
             in it: name another file, or make it yours with `chown`",
            one_line(&path.display().to_string())
        );
    }
    Ok(())
}

/// Open store of tasks.
pub(crate) struct Store {
    pub(crate) tasks: Arc<dyn TaskStore>,
    file: Option<Arc<SqliteStore>>,
}

impl Store {
    /// Warns about tasks that an earlier version created for the same server under another principal, and names the
    /// command that moves them. Servers of other folders may share that principal, so only the operator can decide.
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

    /// Waits until all changes are in the file.
    ///
    /// # Errors
    /// Fails when the file was removed or replaced meanwhile: the last changes may be lost.
    pub(crate) async fn close(&self) -> anyhow::Result<()> {
        if let Some(file) = &self.file {
            file.close().await;
            file.check_place()?;
        }
        Ok(())
    }
}
