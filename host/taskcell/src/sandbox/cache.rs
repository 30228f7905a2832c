//! Compiled components on disk.
//!
//! Compiling takes from 30 ms (Rust) to seconds (Python); mapping the compiled file takes less than one. A file's
//! name holds the component's digest and a hash of the engine's version and settings, so a stale one is never
//! found. Beside it stands which file was which component ([`CachedDigest`]).
//!
//! What is found is run without a look at its bytes: a digest of them would cost more than the mapping saves
//! (`docs/architecture.md`). So the folder and each file must be this user's, and nobody else may write to them.

use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::cache_files::{make, open_own, own_path, prepare, tidy};
use super::file_stamp::{CachedDigest, FileStamp};
use crate::EngineError;
use crate::text::hex;

/// Bytes of a note on which component a file is: about ten times what it has.
const MAX_SEEN: u64 = 4 << 10;

#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Hash of the engine's version and settings.
    engine: String,
    /// Bytes that the files may have together.
    size: u64,
    /// Whether it was said that nothing can be kept.
    told: AtomicBool,
}

impl Cache {
    pub(super) fn open(folder: PathBuf, size: u64, engine: &wasmtime::Engine) -> Result<Self, EngineError> {
        prepare(&folder).map_err(|error| EngineError(format!("{}: cannot be the cache: {error}", folder.display())))?;
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let hash = hasher.0.finalize();
        let engine = hash.first_chunk::<8>().map(|hash| hex(hash)).unwrap_or_default();
        let cache = Self { folder, engine, size, told: AtomicBool::new(false) };
        cache.tidy(None);
        Ok(cache)
    }

    /// The compiled component, when it is there and whole.
    pub(super) fn load(&self, engine: &wasmtime::Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        if !path.exists() {
            return None;
        }
        let component = open_own(&path).map_err(wasmtime::Error::from).and_then(|file| {
            // The files that were not used for longest go first. Without the right to say so a file counts as old.
            let _ = file.set_modified(SystemTime::now());
            // SAFETY: `deserialize_file` trusts the file to be what `Component::serialize` wrote. `open_own` saw by the
            // file's descriptor that it is this user's and that nobody else may write to it, and it is mapped by that
            // same descriptor; only this user can write to the folder (checked by `prepare`), this code alone writes
            // there under such names, and it renames a file to its name only when it is whole. wasmtime checks version
            // and settings itself.
            #[expect(unsafe_code, reason = "mapping compiled code is unsafe by nature; the proof stands above")]
            unsafe {
                Component::deserialize_file(engine, own_path(&file, &path))
            }
        });
        component
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "a cached component is not usable: it is compiled again");
            })
            .ok()
    }

    /// Keeps a compiled component. A failure costs only the time to compile it again, and is said once.
    pub(super) fn store(&self, component: &Component, digest: &str) {
        let path = self.path(digest);
        let stored = component.serialize().and_then(|bytes| self.write(&path, &bytes));
        match stored {
            Ok(()) => self.tidy(Some(&path)),
            Err(error) if !self.told.swap(true, Ordering::Relaxed) => {
                tracing::warn!(folder = %self.folder.display(), %error, "compiled components cannot be cached");
            }
            Err(error) => tracing::debug!(folder = %self.folder.display(), %error, "a component could not be cached"),
        }
    }

    /// Writes a file whole, or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> wasmtime::Result<()> {
        let partial = self.folder.join(format!("{}.partial", uuid::Uuid::new_v4()));
        let written = make(&partial).and_then(|mut file| file.write_all(bytes));
        let written = written.and_then(|()| std::fs::rename(&partial, path));
        if written.is_err() {
            // Nothing else will: the name is random.
            let _ = std::fs::remove_file(&partial);
        }
        Ok(written?)
    }

    /// Removes what is too much, but for the file that was just written.
    fn tidy(&self, keep: Option<&Path>) {
        if let Err(error) = tidy(&self.folder, self.size, keep) {
            tracing::debug!(folder = %self.folder.display(), %error, "the cache could not be tidied");
        }
    }

    /// The digest of the component that a file was, if it is still the same file.
    pub(super) fn seen(&self, stamp: &FileStamp) -> Option<String> {
        let mut seen = Vec::new();
        open_own(&self.folder.join(stamp.name())).ok()?.take(MAX_SEEN).read_to_end(&mut seen).ok()?;
        let seen: CachedDigest = serde_json::from_slice(&seen).ok()?;
        (seen.stamp == *stamp && is_digest(&seen.digest)).then_some(seen.digest)
    }

    /// Keeps which component a file is. A failure costs only the time to read it again.
    pub(super) fn remember(&self, stamp: FileStamp, digest: &str) {
        let path = self.folder.join(stamp.name());
        let seen =
            serde_json::to_vec(&CachedDigest { stamp, digest: digest.to_owned() }).map_err(wasmtime::Error::from);
        if let Err(error) = seen.and_then(|seen| self.write(&path, &seen)) {
            tracing::debug!(path = %path.display(), %error, "which component a file is could not be kept");
        }
    }

    /// The file of a compiled component, when there is one.
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
