//! Table `[handler.keyvalue]`: keys and values of a handler, stored in a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;
use toml::Spanned;

use super::KeptFile;
use crate::config::source::ConfigError;
use crate::config::{NonNegative, Size, set};
use taskcell::grants::{Quota, SqliteKeyValue};

/// Table `[handler.keyvalue]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct KeyValueTable {
    file: Option<PathBuf>,
    name: Option<Spanned<String>>,
    quota: Option<Spanned<Size>>,
    keys: Option<Spanned<NonNegative<u64>>>,
    key_size: Option<Spanned<Size>>,
    value_size: Option<Spanned<Size>>,
}

/// Keys and values of a handler: their file, name and quota.
#[derive(Debug)]
pub(crate) struct KeyValuePolicy {
    file: Option<PathBuf>,
    name: String,
    quota: Quota,
}

impl KeyValueTable {
    /// Validates the table of the handler whose component is at `handler`.
    pub(super) fn check(self, folder: &Path, handler: &Path) -> Result<KeyValuePolicy, ConfigError> {
        let mut quota = Quota::default();
        let why = "a handler must be able to keep something, and not to fill the disk";
        set(&mut quota.bytes, &self.quota, 1..=1 << 40, why)?;
        set(&mut quota.keys, &self.keys, 1..=1_000_000_000, why)?;
        set(&mut quota.key_size, &self.key_size, 1..=1 << 16, "a key is a name")?;
        set(&mut quota.value_size, &self.value_size, 1..=64 << 20, "a value is in memory whole")?;
        let name = match self.name {
            None => own_name(handler),
            Some(name) if is_name(name.get_ref()) => name.into_inner(),
            Some(name) => {
                let why = "a name has 1 to 200 characters, no / and no control characters".to_owned();
                return Err(ConfigError::new(name.span(), why));
            }
        };
        Ok(KeyValuePolicy { file: self.file.map(|file| folder.join(file)), name, quota })
    }
}

/// Returns the default name of a handler: the absolute path of its component, which is unique. A configured name has no
/// `/`, so it never equals another handler's default name.
fn own_name(handler: &Path) -> String {
    let path = handler.canonicalize().or_else(|_| std::path::absolute(handler));
    format!("file://{}", path.as_deref().unwrap_or(handler).display())
}

fn is_name(name: &str) -> bool {
    (1..=200).contains(&name.chars().count()) && !name.contains('/') && !name.chars().any(char::is_control)
}

impl KeyValuePolicy {
    /// Returns the facts that `inspect` shows.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let Quota { bytes, keys, key_size, value_size, .. } = self.quota;
        vec![
            ("file", self.file().map_or_else(|error| error.to_string(), |file| file.display().to_string())),
            ("name", self.name.clone()),
            ("quota", bytes.to_string()),
            ("keys", keys.to_string()),
            ("key-size", key_size.to_string()),
            ("value-size", value_size.to_string()),
        ]
    }

    /// Returns the file with the keys and values.
    pub(crate) fn file(&self) -> anyhow::Result<PathBuf> {
        use etcetera::BaseStrategy;

        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let folders = etcetera::choose_base_strategy();
        let folders = folders.context("this user has no folder to keep keys and values in: name a file")?;
        Ok(folders.data_dir().join("taskcell").join("keyvalue.db"))
    }

    /// Returns the file as `doctor` checks it. The handler's table is at `at`.
    pub(super) fn kept_file(&self, at: &str) -> KeptFile {
        let fix = format!("`file` of [handler.keyvalue] at {at} names another");
        KeptFile { what: "keys and values", file: self.file(), fix }
    }

    /// Returns the name that separates these keys and values from those of other handlers in the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Opens the keys and values, and creates a missing file.
    pub(crate) async fn open(&self) -> anyhow::Result<Arc<SqliteKeyValue>> {
        Ok(Arc::new(SqliteKeyValue::open(&self.file()?, &self.name, self.quota.clone()).await?))
    }
}
