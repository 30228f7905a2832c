//! Files that are watched for changes, each reported once nothing writes to it any more.
//!
//! Editors and build tools replace a file by a new one, so the folders of the files and of their link targets are
//! watched. An event only triggers a look at the files; the state found then counts. So lost events, floods of events
//! and events of other files do no harm. Where no events come (a folder that was itself replaced, a network folder, a
//! system without watches), a look every two seconds finds the change.

mod reload;

use std::collections::BTreeMap;
use std::fs::{Metadata, metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::support::lock;

/// Time without a change after which a file counts as written.
const QUIET: Duration = Duration::from_millis(100);
/// Time after which a file that changes all the time is reported all the same.
const LONGEST: Duration = Duration::from_secs(2);
/// Interval of looks without an event.
const PERIOD: Duration = Duration::from_secs(2);

/// Set of watched files.
///
/// ```no_run
/// # async fn watch() {
/// let mut files = taskcell::watch::FileWatch::new(["handler.wasm".into()]);
/// loop {
///     println!("look at {}", files.changed().await.display());
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct FileWatch {
    files: Arc<[PathBuf]>,
    /// State of each file when it was last reported.
    seen: Vec<Option<Found>>,
    /// Index at which the next look begins, so that a file that changes all the time does not hide the others.
    next: usize,
    folders: Arc<Mutex<Folders>>,
    woken: Arc<Notify>,
}

impl FileWatch {
    /// Watches `files`. Each file counts as changed at first, so that no change is missed between loading a file and
    /// watching it.
    ///
    /// A file need not exist. On a file system with a coarse clock, two writes at the same time and of the same size
    /// count as one change. Where folders cannot be watched, the log says so, and changes are found later.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let files: Arc<[_]> = files.into_iter().collect();
        let woken = Arc::new(Notify::new());
        let waking = Arc::clone(&woken);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file does not change it.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                waking.notify_one();
            }
        });
        let watcher = watcher.inspect_err(cannot_watch).ok();
        let folders = Folders { reported: watcher.is_none(), watcher, watched: BTreeMap::new() };
        Self { seen: vec![None; files.len()], files, next: 0, folders: Arc::new(Mutex::new(folders)), woken }
    }

    /// Waits until a file differs from its last reported state, appears or disappears, and is no longer written to, or
    /// is written to for too long. Returns the file's path.
    ///
    /// Cancel safe: after dropping the future, the next call reports the change.
    pub async fn changed(&mut self) -> PathBuf {
        loop {
            if let Some(path) = self.look().await {
                return path;
            }
            // Other events in the folder must not keep this loop busy.
            sleep(QUIET).await;
            let _ = timeout(PERIOD, self.woken.notified()).await;
        }
    }

    /// Whether a file is in its last reported state. Ask after reading a file: if the answer is no, the file may have
    /// been read in the middle of a change, which will be reported again.
    pub async fn is_same(&self, file: &Path) -> bool {
        let place = self.files.iter().position(|path| path == file);
        let Some(seen) = place.and_then(|place| self.seen.get(place)) else { return false };
        seen.as_ref() == Some(&found(file).await)
    }

    /// Returns the first file that has changed.
    async fn look(&mut self) -> Option<PathBuf> {
        let (files, folders) = (Arc::clone(&self.files), Arc::clone(&self.folders));
        let found = tokio::task::spawn_blocking(move || {
            // Watched before the look, so that a change after the look wakes the loop.
            lock(&folders).watch(&files);
            files.iter().map(|file| Found::at(file)).collect::<Vec<_>>()
        });
        let found = found.await.unwrap_or_default();
        let count = self.files.len();
        for place in (self.next..count).chain(0..self.next) {
            let (Some(path), Some(found), Some(seen)) =
                (self.files.get(place), found.get(place), self.seen.get_mut(place))
            else {
                continue;
            };
            if seen.as_ref() == Some(found) {
                continue;
            }
            let found = settled(path, found.clone()).await;
            if seen.as_ref() != Some(&found) {
                *seen = Some(found);
                self.next = place.saturating_add(1).min(count);
                return Some(path.clone());
            }
        }
        None
    }
}

/// Waits until the state of a file stays the same for a moment, and returns it.
async fn settled(path: &Path, mut found: Found) -> Found {
    let start = Instant::now();
    loop {
        sleep(QUIET).await;
        let now = self::found(path).await;
        if now == found || start.elapsed() >= LONGEST {
            return now;
        }
        found = now;
    }
}

async fn found(path: &Path) -> Found {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || Found::at(&path)).await.unwrap_or(Found::Nothing)
}

/// State of a path. It differs for another file, other contents and contents at another place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Nothing,
    Something { size: u64, modified: Option<SystemTime>, identity: Identity },
}

impl Found {
    fn at(path: &Path) -> Self {
        let Ok(found) = metadata(path) else { return Self::Nothing };
        Self::Something { size: found.len(), modified: found.modified().ok(), identity: Identity::of(&found) }
    }
}

/// Identity of a file, and the time of its last change, which no program can set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    file: (u64, u64),
    #[cfg(unix)]
    changed: (i64, i64),
}

impl Identity {
    #[cfg(unix)]
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        Self { file: (found.dev(), found.ino()), changed: (found.ctime(), found.ctime_nsec()) }
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self {}
    }

    /// Whether two identities are of the same file, whatever its contents.
    fn is(self, other: Self) -> bool {
        #[cfg(unix)]
        return self.file == other.file;
        #[cfg(not(unix))]
        return self == other;
    }
}

/// Watched folders.
#[derive(Debug)]
struct Folders {
    /// Watcher of the system; none where there is none.
    watcher: Option<RecommendedWatcher>,
    /// Identity of each watched folder at the time it was watched.
    watched: BTreeMap<PathBuf, Identity>,
    /// Whether the log has said that some folders are not watched.
    reported: bool,
}

impl Folders {
    /// Watches the folders of `files` and of their link targets, and no others.
    fn watch(&mut self, files: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        let linked = files.iter().filter_map(|file| file.canonicalize().ok());
        let mut wanted: Vec<_> = files.iter().cloned().chain(linked).map(|file| folder(&file).to_owned()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let gone = |path: &PathBuf, identity: &mut Identity| {
            let is_there = || metadata(path).is_ok_and(|found| Identity::of(&found).is(*identity));
            !wanted.contains(path) || !is_there()
        };
        for (path, _) in self.watched.extract_if(.., gone) {
            // The folder, and the watch with it, may be gone.
            let _ = watcher.unwatch(&path);
        }
        for path in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            // The folder may come back.
            let Ok(found) = metadata(&path) else { continue };
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(path, Identity::of(&found))),
                Err(error) if !self.reported => {
                    self.reported = true;
                    cannot_watch(&error);
                }
                Err(_) => {}
            }
        }
    }
}

/// Returns the folder of a file.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot_watch(error: &notify::Error) {
    tracing::warn!(%error, period = ?PERIOD, "folders cannot be watched: changes of files are found later");
}
