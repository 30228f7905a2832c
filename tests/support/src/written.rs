//! Writer that keeps in memory what is written to it, as the file of an audit log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use serde_json::Value;

use crate::server::json_lines;

/// Bytes that were written. Clones share them.
#[derive(Debug, Default, Clone)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// Returns the bytes as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Parses the bytes as lines of JSON.
    ///
    /// # Errors
    /// When a line is not JSON.
    pub fn lines(&self) -> Result<Vec<Value>> {
        json_lines(&self.text())
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
