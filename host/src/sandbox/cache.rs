//! Compiled components on disk.
//!
//! Compiling takes from 30 ms (Rust) to seconds (Python); mapping the compiled file takes less than one. A file's
//! name holds the component's digest and a hash of the engine's version and settings, so a stale one is never
//! found. Beside it stands which file was which component ([`Seen`]). What is found is run without further checks, so the folder must be this user's alone.

use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::seen::{Seen, Stamp};
use crate::Error;

#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Hash of the engine's version and settings.
    engine: String,
}

impl Cache {
    pub(super) fn open(folder: PathBuf, engine: &wasmtime::Engine) -> Result<Self, Error> {
        prepare(&folder)
            .map_err(|error| Error::Engine(format!("{}: cannot be the cache: {error}", folder.display())))?;
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let hash = hasher.0.finalize();
        let engine = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { folder, engine })
    }

    /// The compiled component, when it is there and whole.
    pub(super) fn load(&self, engine: &wasmtime::Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        if !path.exists() {
            return None;
        }
        // SAFETY: `deserialize_file` trusts the file to be what `Component::serialize` wrote. Only this user can
        // write to the folder (checked by `prepare`), this code alone writes there under such names, and it
        // renames a file to its name only when it is whole. wasmtime checks version and settings itself.
        #[expect(unsafe_code, reason = "mapping compiled code is unsafe by nature; the proof stands above")]
        let component = unsafe { Component::deserialize_file(engine, &path) };
        component
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "a cached component is not usable");
            })
            .ok()
    }

    /// Keeps a compiled component. A failure costs only the time to compile it again.
    pub(super) fn store(&self, component: &Component, digest: &str) {
        if let Err(error) = self.try_store(component, digest) {
            tracing::warn!(folder = %self.folder.display(), %error, "a compiled component could not be cached");
        }
    }

    fn try_store(&self, component: &Component, digest: &str) -> wasmtime::Result<()> {
        self.write(&self.path(digest), &component.serialize()?)
    }

    /// Writes a file whole, or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> wasmtime::Result<()> {
        let partial = self.folder.join(format!("{}.partial", uuid::Uuid::new_v4()));
        let mut file = std::fs::File::create_new(&partial)?;
        let written = file.write_all(bytes).and_then(|()| std::fs::rename(&partial, path));
        if written.is_err() {
            // Nothing else will: the name is random.
            let _ = std::fs::remove_file(&partial);
        }
        Ok(written?)
    }

    /// The digest of the component that a file was, if it is still the same file.
    pub(super) fn seen(&self, stamp: &Stamp) -> Option<String> {
        let seen = std::fs::read(self.folder.join(stamp.name())).ok()?;
        let seen: Seen = serde_json::from_slice(&seen).ok()?;
        (seen.stamp == *stamp && is_digest(&seen.digest)).then_some(seen.digest)
    }

    /// Keeps which component a file is. A failure costs only the time to read it again.
    pub(super) fn remember(&self, stamp: Stamp, digest: &str) {
        let path = self.folder.join(stamp.name());
        let seen = serde_json::to_vec(&Seen { stamp, digest: digest.to_owned() }).map_err(wasmtime::Error::from);
        if let Err(error) = seen.and_then(|seen| self.write(&path, &seen)) {
            tracing::debug!(path = %path.display(), %error, "which component a file is could not be kept");
        }
    }

    /// The file of a compiled component, when there is one.
    #[cfg(feature = "cli")]
    pub(super) fn file(&self, digest: &str) -> Option<PathBuf> {
        Some(self.path(digest)).filter(|path| path.exists())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{}.cwasm", self.engine))
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Makes the folder, or checks that nobody else may write to it.
#[cfg(unix)]
fn prepare(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = std::fs::metadata(folder)?;
    if metadata.mode() & 0o022 != 0 {
        return Err(std::io::Error::other("others may write to it; `chmod go-w` it or choose another"));
    }
    // The folder of a process is its own, so its owner is the user that runs this.
    if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() != metadata.uid()) {
        return Err(std::io::Error::other("it belongs to another user; choose another"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn prepare(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// `precompile_compatibility_hash` gives what can be hashed; file names want more than 64 bits that stay the same
/// from one version of Rust to the next.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
