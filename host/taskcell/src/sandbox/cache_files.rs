//! The files of the cache: made for this user alone, used only where nobody else may write, and removed when they are
//! many.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Names that the files of the cache end with: compiled code, and which file was which component.
const KEPT: [&str; 2] = ["cwasm", "seen"];
/// Extension of a file that is being written.
const PARTIAL: &str = "partial";
/// Age from which a partial file has no writer any more.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes the folder, or checks that nobody else may write to it.
#[cfg(unix)]
pub fn prepare(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check_own(&std::fs::metadata(folder)?)
}

#[cfg(not(unix))]
pub fn prepare(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
}

/// Makes a new file that this user alone may read and write, whatever the umask of the process.
#[cfg(unix)]
pub(super) fn make(path: &Path) -> Result<File> {
    use std::fs::Permissions;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    // The umask may have taken the owner's rights, too.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(not(unix))]
pub(super) fn make(path: &Path) -> Result<File> {
    File::create_new(path)
}

/// Opens a file that is this user's and that nobody else may write to.
pub(super) fn open_own(path: &Path) -> Result<File> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Error::other("it is no regular file"));
    }
    check_own(&metadata)?;
    Ok(file)
}

#[cfg(unix)]
fn check_own(metadata: &Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt;

    if metadata.mode() & 0o022 != 0 {
        return Err(Error::other("others may write to it; `chmod go-w` it or choose another"));
    }
    // The folder of a process is its own, so its owner is the user that runs this.
    if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() != metadata.uid()) {
        return Err(Error::other("it belongs to another user; choose another"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_own(_: &Metadata) -> Result<()> {
    Ok(())
}

/// A path to the open file itself, whatever stands at the path that it was opened by.
#[cfg(target_os = "linux")]
pub(super) fn own_path(file: &File, path: &Path) -> PathBuf {
    use std::os::fd::AsRawFd;

    let own = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // Without `/proc` the path has to do: nobody else may replace a file in the folder.
    if own.exists() { own } else { path.to_owned() }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn own_path(_: &File, path: &Path) -> PathBuf {
    path.to_owned()
}

/// Removes the files that were not used for longest until the others have `size` bytes together, and what a process
/// that was killed left half written. `keep` stays.
pub(super) fn tidy(folder: &Path, size: u64, keep: Option<&Path>) -> Result<()> {
    let mut kept = Vec::new();
    let mut total = 0u64;
    for entry in std::fs::read_dir(folder)? {
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        let Some(ending) = path.extension().and_then(OsStr::to_str) else { continue };
        // Another process may have removed it.
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() {
            continue;
        }
        let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        if ending == PARTIAL {
            if used.elapsed().is_ok_and(|age| age > STALE) {
                remove(&path);
            }
        } else if KEPT.contains(&ending) {
            total = total.saturating_add(metadata.len());
            kept.push((used, metadata.len(), path));
        }
    }
    kept.sort_unstable();
    for (_, bytes, path) in kept {
        if total <= size {
            return Ok(());
        }
        if keep != Some(&*path) {
            remove(&path);
            total = total.saturating_sub(bytes);
        }
    }
    Ok(())
}

/// Removes a file. One that is mapped stays for whoever has it.
fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Ok(()) => tracing::debug!(path = %path.display(), "a file of the cache was removed"),
        Err(error) => tracing::debug!(path = %path.display(), %error, "a file of the cache could not be removed"),
    }
}
