//! Private files: rights of the files that hold prompts, answers and text that users typed, and checks that they are
//! still in their place.
//!
//! Stores, key-value files and audit logs are private. A file that this program creates belongs to its user alone, with
//! the folders created for it. An existing file may belong to anybody:
//!
//! | file | treatment |
//! |---|---|
//! | belongs to another user | refused: that user can read all of it, and may change the data that handlers work on |
//! | can be written by everybody | refused for the same reason |
//! | can be read by others, or written by its group | used, with a warning: its owner may intend it |

use std::fs::Metadata;
use std::io::{Error, ErrorKind};
use std::path::Path;

/// Creates a folder and the folders above it, each for this user alone. Existing folders stay as they are.
#[cfg(feature = "sqlite")]
pub(crate) fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Refuses a file that others may read or change, or warns of it, by the table above. Devices and pipes are accepted as
/// they are.
///
/// # Errors
/// An error of kind `PermissionDenied`, with a message that says what to do.
pub(crate) fn check_rights(path: &Path, found: &Metadata) -> std::io::Result<()> {
    #[cfg(unix)]
    if found.is_file() {
        use std::os::unix::fs::MetadataExt;

        let (mode, owner) = (found.mode() & 0o777, found.uid());
        let refused = |what: String| Err(Error::new(ErrorKind::PermissionDenied, what));
        if user().is_some_and(|user| user != owner) {
            return refused(format!(
                "it belongs to another user (number {owner}), who can read and change all that is kept in it: name \
                 another file, or make it yours with `chown`"
            ));
        }
        if mode & 0o002 != 0 {
            return refused(format!("everybody may change it (mode {mode:o}): `chmod 600` it, or name another file"));
        }
        if mode & 0o064 != 0 {
            let path = crate::text::one_line(&path.display().to_string(), 1_000);
            tracing::warn!(
                "others may read {path} (mode {mode:o}), which has prompts and answers in it: `chmod 600` it"
            );
        }
    }
    Ok(())
}

/// Returns the user of this process, or none where that is unknown.
#[cfg(unix)]
fn user() -> Option<u32> {
    // The folder of a process belongs to the user that runs it.
    #[cfg(target_os = "linux")]
    return Some(rustix::process::geteuid().as_raw());
    #[cfg(not(target_os = "linux"))]
    return None;
}

/// Identity of the file at a path.
#[cfg(feature = "sqlite")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

#[cfg(feature = "sqlite")]
impl Identity {
    /// Identity of an existing file.
    pub(crate) fn of(found: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;

            Self { device: found.dev(), inode: found.ino() }
        }
        #[cfg(not(unix))]
        {
            let _ = found;
            Self {}
        }
    }

    /// Checks that the path still names the same file.
    ///
    /// # Errors
    /// A message that says what happened to the file and what to do.
    pub(crate) fn check(self, path: &Path) -> Result<(), String> {
        let what = match std::fs::metadata(path) {
            Ok(found) if Self::of(&found) == self => return Ok(()),
            Ok(_) => "another file was put in its place while it was used",
            Err(error) if error.kind() == ErrorKind::NotFound => "it was taken away while it was used",
            Err(error) => return Err(format!("it cannot be looked at any more: {error}")),
        };
        Err(format!(
            "{what}: nothing more is stored, and what was stored last may be lost with it; put it back, or start again \
             without it"
        ))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_others_may_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        for (mode, taken) in
            [(0o600, true), (0o400, true), (0o640, true), (0o644, true), (0o660, true), (0o602, false), (0o666, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let checked = check_rights(&path, &std::fs::metadata(&path).unwrap());
            assert_eq!(checked.is_ok(), taken, "{mode:o}: {checked:?}");
        }
        // A device contains no text.
        assert!(check_rights(Path::new("/dev/null"), &std::fs::metadata("/dev/null").unwrap()).is_ok());
    }

    #[test]
    fn folders_are_made_for_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        make_folder(&folder.path().join("one/two/three")).unwrap();
        let mode = |part: &str| folder.path().join(part).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(["", "one", "one/two", "one/two/three"].map(mode), [0o755, 0o700, 0o700, 0o700]);
    }

    #[test]
    fn a_file_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        std::fs::write(&path, "one").unwrap();
        let identity = Identity::of(&std::fs::metadata(&path).unwrap());
        std::fs::write(&path, "its text may be another").unwrap();
        assert_eq!(identity.check(&path), Ok(()));
        std::fs::write(&other, "one").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(identity.check(&path).unwrap_err().contains("put in its place"));
        std::fs::remove_file(&path).unwrap();
        assert!(identity.check(&path).unwrap_err().contains("taken away"));
    }
}
