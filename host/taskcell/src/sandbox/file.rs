//! The file of a component: read only if it is one, and no further than a component may have bytes.

use std::fs::{File, metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Engine;
use super::file_stamp::FileStamp;
use crate::error::{LoadError, LoadFault};
use crate::text::hex;

/// Contents of a file, with its stamp.
type Stamped = (Vec<u8>, Option<FileStamp>);

/// The SHA-256 digest of a component, in hexadecimal: its name where its path says nothing.
pub fn digest(component: &[u8]) -> String {
    hex(&Sha256::digest(component))
}

/// Reads the file of a component.
///
/// # Errors
/// [`LoadFault::Read`] and [`LoadFault::TooLarge`].
pub async fn read(engine: &Engine, path: &Path) -> Result<Vec<u8>, LoadError> {
    read_stamped(engine, path).await.map(|(bytes, _)| bytes)
}

/// Reads a file together with its stamp, if the stamp can tell later whether the file is unchanged.
///
/// # Errors
/// As [`read`].
pub(crate) async fn read_stamped(engine: &Engine, path: &Path) -> Result<Stamped, LoadError> {
    let limit = engine.limits().component_size;
    let file = path.to_owned();
    let read = tokio::task::spawn_blocking(move || at_most(&file, limit)).await.map_err(io::Error::other);
    match read.and_then(|read| read) {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(size)) => {
            let error = LoadFault::TooLarge { size, limit }.of(path.display().to_string());
            error.log();
            Err(error)
        }
        Err(error) => Err(LoadFault::Read(error).of(path.display().to_string())),
    }
}

/// The bytes of a file, or how many there are where that is more than `limit`.
fn at_most(path: &Path, limit: usize) -> Result<Result<Stamped, usize>, io::Error> {
    // Before it is opened: to open a pipe is to wait for who writes to it, and a device may never end.
    let found = metadata(path)?;
    if found.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let size = usize::try_from(found.len()).unwrap_or(usize::MAX);
    if size > limit {
        return Ok(Err(size));
    }
    // It may have grown meanwhile, and some files say that they are empty and are not.
    let mut bytes = Vec::with_capacity(size);
    let mut file = File::open(path)?;
    let before = FileStamp::of(&file.metadata()?);
    Read::by_ref(&mut file).take((limit as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    let stamp =
        before.filter(|before| file.metadata().ok().and_then(|after| FileStamp::of(&after)).as_ref() == Some(before));
    Ok(if bytes.len() > limit { Err(bytes.len()) } else { Ok((bytes, stamp)) })
}
