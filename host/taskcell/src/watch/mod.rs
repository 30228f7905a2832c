//! Files that are watched: which of them is another by now, once nobody writes to it any more.
//!
//! Editors and build tools put a new file in the place of the old one, so folders are watched, and what a link leads to.
//! An event only says when to look; what counts is what is found then. So it does no harm when events are lost, come in
//! floods or are about other files, and where none come (a folder that was itself replaced, one of the network, no watches
//! to be had) a look every other second finds the same.

mod reload;

use std::collections::BTreeMap;
use std::fs::{Metadata, metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// A file that was not changed for so long is written to no more.
const QUIET: Duration = Duration::from_millis(100);
/// One that is changed all the time is looked at after so long all the same.
const LONGEST: Duration = Duration::from_secs(2);
/// How often it is looked without an event.
const PERIOD: Duration = Duration::from_secs(2);

/// Files that are watched.
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
    /// What was found when each was last given to the caller.
    seen: Vec<Option<Found>>,
    /// Where to begin with the next look, so that one that changes all the time does not hide the others.
    next: usize,
    folders: Arc<Mutex<Folders>>,
    woken: Arc<Notify>,
}

impl FileWatch {
    /// Watches these. Each counts as changed at first, so that nothing is missed between loading a file and this.
    ///
    /// A file need not be there. Where the clock of a file system is coarse, one that is written to twice at the same time
    /// and has the same size counts as changed once. Where folders cannot be watched, the log says so, and changes are found later.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let files: Arc<[_]> = files.into_iter().collect();
        let woken = Arc::new(Notify::new());
        let waking = Arc::clone(&woken);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Whoever reads a file does not change it.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                waking.notify_one();
            }
        });
        let watcher = watcher.inspect_err(cannot_watch).ok();
        let folders = Folders { reported: watcher.is_none(), watcher, watched: BTreeMap::new() };
        Self { seen: vec![None; files.len()], files, next: 0, folders: Arc::new(Mutex::new(folders)), woken }
    }

    /// Waits until one of the files is another than when it was given last, is gone or has come back, and nobody has
    /// written to it for a moment; or for long enough. Gives its path.
    ///
    /// When this is dropped, nothing is missed: the next call gives what this one would have.
    pub async fn changed(&mut self) -> PathBuf {
        loop {
            if let Some(path) = self.look().await {
                return path;
            }
            // Whatever else happens in the folder does not keep this busy.
            sleep(QUIET).await;
            let _ = timeout(PERIOD, self.woken.notified()).await;
        }
    }

    /// Whether a file is as it was when it was given last. Whoever reads a file asks this then: what was changed meanwhile
    /// will be given again, and may have been read in the middle.
    pub async fn is_same(&self, file: &Path) -> bool {
        let place = self.files.iter().position(|path| path == file);
        let Some(seen) = place.and_then(|place| self.seen.get(place)) else { return false };
        seen.as_ref() == Some(&found(file).await)
    }

    /// The first that is another, if one is.
    async fn look(&mut self) -> Option<PathBuf> {
        let (files, folders) = (Arc::clone(&self.files), Arc::clone(&self.folders));
        let found = tokio::task::spawn_blocking(move || {
            // Watched first, so that what happens after the look wakes.
            folders.lock().unwrap_or_else(PoisonError::into_inner).watch(&files);
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

/// What there is once it stays the same for a moment.
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

/// What stands at a path. Another file, other contents or another place of the contents is not the same.
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

/// Which file it is, and when anything of it was changed, which nobody can set back.
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

    /// Whether it is the same file, whatever is in it.
    fn is(self, other: Self) -> bool {
        #[cfg(unix)]
        return self.file == other.file;
        #[cfg(not(unix))]
        return self == other;
    }
}

/// The folders that are watched.
#[derive(Debug)]
struct Folders {
    /// None where the system has none.
    watcher: Option<RecommendedWatcher>,
    /// Which folder each path was when it was watched.
    watched: BTreeMap<PathBuf, Identity>,
    /// Whether it was said that some are not watched.
    reported: bool,
}

impl Folders {
    /// Watches the folders of these files, and of what their links lead to, and no others.
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
            // It may be gone, and the watch with it.
            let _ = watcher.unwatch(&path);
        }
        for path in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            // It may come back.
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

/// The folder that a file is in.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot_watch(error: &notify::Error) {
    tracing::warn!(%error, period = ?PERIOD, "folders cannot be watched: changes of files are found later");
}
