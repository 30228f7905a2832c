//! Digests of component files, remembered so that loading an unchanged file again need not read it.
//!
//! A component of Python has 18 MB: reading it and computing its digest is four fifths of loading it when the compiled
//! code is mapped from the cache. The cache therefore keeps the digest with the system's data about the file: its
//! place, its size, and the times of its last write and of its last change of any kind. Nobody can set the last of
//! these, so a file with equal data is the same file. A file that changed a moment ago is not kept: the clocks of file
//! systems are coarse, and it could change again within the same tick.
//!
//! A digest that a policy demands is never taken from here.

use std::fs::Metadata;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Time for which a file must be unchanged: the coarsest clock of a file system in use has steps of two seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// The system's data about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds since 1970.
    written: (i64, i64),
    changed: (i64, i64),
}

/// A file with the digest of the component in it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CachedDigest {
    pub(crate) stamp: FileStamp,
    pub(crate) digest: String,
}

impl FileStamp {
    /// Of a file; none where it says too little, or changed a moment ago.
    #[cfg(unix)]
    pub(crate) fn of(file: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;

        let changed = Duration::new(file.ctime().try_into().ok()?, file.ctime_nsec().try_into().ok()?);
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH.checked_add(changed)?).ok()?;
        (age >= SETTLED).then(|| Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            written: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }

    /// Elsewhere a file's times can be set.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Bytes of the file.
    pub(crate) fn size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// A name for what is kept of the file.
    pub(crate) fn name(&self) -> String {
        format!("{:x}-{:x}.seen", self.device, self.inode)
    }
}
