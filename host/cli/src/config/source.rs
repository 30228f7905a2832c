//! The text of a configuration file, and errors that name a place in it.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, anyhow};

/// Largest file that the value of a setting may come from, in bytes.
pub(crate) const MAX_SETTING: u64 = 4 << 20;

/// An invalid value of the configuration.
#[derive(Debug)]
pub(crate) struct ConfigError {
    /// The bytes of the file that hold the value.
    pub(crate) span: Range<usize>,
    /// The fault, and the values that are allowed.
    pub(crate) message: String,
}

impl ConfigError {
    /// Creates an error about the value at `span`.
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }
}

/// The text of a configuration file.
pub(crate) struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

impl<'a> Source<'a> {
    /// Creates a source from the `text` that `file` contains.
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text }
    }

    /// Formats a byte offset as `file:line:column`. Lines and columns start at one; a column is a character.
    pub(crate) fn at(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{}:{line}:{column}", self.file.display())
    }

    /// Returns the folder that relative paths of the file start from.
    pub(crate) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Formats an error with the place of its value.
    pub(super) fn error(&self, ConfigError { span, message }: ConfigError) -> anyhow::Error {
        anyhow!("{}: {message}", self.at(span.start))
    }
}

/// Reads a text file of at most `max` bytes.
///
/// # Errors
/// Fails for a file that cannot be read, is larger or is not UTF-8.
pub(crate) fn read_text(file: &Path, max: u64) -> anyhow::Result<String> {
    let name = file.display();
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file);
    let read = opened.and_then(|opened| opened.take(max + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("{name} cannot be read"))?;
    anyhow::ensure!(bytes.len() as u64 <= max, "{name} has more than {max} bytes");
    text(file, bytes)
}

/// Decodes the bytes of a file. The error names the first place that is not UTF-8.
pub(super) fn text(file: &Path, bytes: Vec<u8>) -> anyhow::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        anyhow!("{}: this is no UTF-8", Source::new(file, &before).at(before.len()))
    })
}
