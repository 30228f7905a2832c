//! Grant `config`: settings, through `wasi:config/store`.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use wasmtime::component::Linker;
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};

use crate::grants::CellState;

/// The settings of a handler: keys and values. Shared by all its cells, which only read them.
#[derive(Clone, Default)]
pub struct Settings {
    variables: Arc<WasiConfigVariables>,
    keys: Arc<[String]>,
    secrets: Arc<[Secret]>,
}

/// The value of a setting.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Setting {
    /// Text that anybody may see.
    Plain(String),
    /// Text that nobody but the handler may see.
    Secret(Secret),
}

/// Text that is not shown: neither `Debug` nor `Display` gives it.
#[derive(Clone)]
pub struct Secret(String);

/// Placeholder for a secret.
const HIDDEN: &str = "[secret]";

impl Secret {
    /// Hides text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whom it is meant.
    #[cfg(feature = "model")]
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl From<String> for Setting {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<Secret> for Setting {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

impl Settings {
    /// The text with a mark in place of each secret. A handler that prints its settings must not bring them into the
    /// log by mistake; one that means to can spell them otherwise.
    pub(crate) fn without_secrets<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for Secret(secret) in self.secrets.iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN).into();
            }
        }
        text
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Plain values may be private, too: the keys tell enough.
        f.debug_list().entries(self.keys.iter()).finish()
    }
}

impl<V: Into<Setting>> FromIterator<(String, V)> for Settings {
    fn from_iter<T: IntoIterator<Item = (String, V)>>(settings: T) -> Self {
        let (mut keys, mut secrets) = (Vec::new(), Vec::new());
        let mut variables = WasiConfigVariables::new();
        for (key, value) in settings {
            keys.push(key.clone());
            let value = match value.into() {
                Setting::Plain(text) => text,
                Setting::Secret(secret) => {
                    secrets.push(secret.clone());
                    secret.0
                }
            };
            variables.insert(key, value);
        }
        // Nothing is hidden by hiding nothing. A secret that is part of another goes last, or the rest of that stays.
        secrets.retain(|Secret(text)| !text.is_empty());
        secrets.sort_by_key(|Secret(text)| std::cmp::Reverse(text.len()));
        Self { variables: Arc::new(variables), keys: keys.into(), secrets: secrets.into() }
    }
}

static NONE: LazyLock<WasiConfigVariables> = LazyLock::new(WasiConfigVariables::new);

pub(super) fn add_to_linker(linker: &mut Linker<CellState>) -> wasmtime::Result<()> {
    wasmtime_wasi_config::add_to_linker(linker, |state| {
        WasiConfig::new(state.context.handler.grants.config.as_ref().map_or(&NONE, |settings| &settings.variables))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2".to_owned());
        let longer = Secret::new("hunter22".to_owned());
        assert_eq!(format!("{secret} {secret:?} {:?}", Setting::from(secret.clone())), {
            "[secret] [secret] Secret([secret])"
        });
        let empty = Secret::new(String::new());
        let values = [("a", secret), ("b", longer), ("c", empty)].map(|(key, value)| (key.to_owned(), value));
        let settings = Settings::from_iter(values);
        assert_eq!(format!("{settings:?}"), r#"["a", "b", "c"]"#);
        assert_eq!(settings.without_secrets("it is hunter22, not hunter2"), "it is [secret], not [secret]");
        assert_eq!(settings.without_secrets("nothing"), "nothing");
    }
}
