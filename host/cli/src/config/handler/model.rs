//! Table `[handler.model]` of the configuration: the models of a provider that a handler may use, with limits.
//!
//! The table is the grant. A key that it leaves out has the default of the guards.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use serde::Deserialize;
use toml::Spanned;

use super::{Origin, SettingTable, origin};
use crate::config::source::{ConfigError, Source};
use crate::config::{NonNegative, StringOr, Time, set};
use crate::terminal;
use taskcell::grants::{Model, Provider, ProviderModel, Secret};

/// Table `[handler.model]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ModelTable {
    provider: Spanned<String>,
    base_url: Option<Spanned<String>>,
    #[serde(default)]
    insecure: bool,
    key: Option<Spanned<StringOr<SettingTable>>>,
    default: Spanned<String>,
    effort: Option<Spanned<String>>,
    allowed: Option<Spanned<Vec<String>>>,
    max_tokens: Option<Spanned<NonNegative<u32>>>,
    requests_per_minute: Option<Spanned<NonNegative<u32>>>,
    session_tokens: Option<Spanned<NonNegative<u64>>>,
    calls: Option<Spanned<NonNegative<usize>>>,
    timeout: Option<Spanned<Time>>,
    answer_size: Option<Spanned<NonNegative<usize>>>,
    #[serde(default)]
    metadata: bool,
}

/// Model that a handler is granted.
#[derive(Debug)]
pub(super) struct ModelPolicy {
    /// Provider without its key.
    provider: Provider,
    /// Source of the key, with its place in the file.
    key: Option<(Origin, String)>,
}

impl ModelTable {
    /// Validates the table.
    pub(super) fn check(self, source: &Source<'_>) -> Result<ModelPolicy, ConfigError> {
        let mut provider = Provider::new(self.provider.get_ref(), self.default.get_ref());
        provider.base_url = self.base_url.as_ref().map(|url| url.get_ref().clone());
        provider.insecure = self.insecure;
        provider.effort = self.effort.as_ref().map(|effort| effort.get_ref().clone());
        provider.metadata = self.metadata;
        let guards = &mut provider.guards;
        guards.allowed = self.allowed.as_ref().map(|allowed| allowed.get_ref().clone()).unwrap_or_default();
        set(&mut guards.max_tokens, &self.max_tokens, 1..=10_000_000, "a model must say something")?;
        let mut rate = guards.requests_per_minute.get();
        set(&mut rate, &self.requests_per_minute, 1..=1_000_000, "some calls must be made")?;
        guards.requests_per_minute = NonZeroU32::new(rate).unwrap_or(guards.requests_per_minute);
        let why = "a session must have some tokens, and an end of them";
        set(&mut guards.session_tokens, &self.session_tokens, 1..=1 << 50, why)?;
        set(&mut guards.calls, &self.calls, 1..=10_000, "a call must be made, and not all at once")?;
        let why = "a model must have time to answer, and no more than a handler has";
        let times = Duration::from_millis(100)..=Duration::from_secs(15 * 60);
        set(&mut guards.timeout, &self.timeout, times, why)?;
        let why = "an answer must fit, and must not fill the memory";
        set(&mut guards.answer_size, &self.answer_size, 1 << 10..=64 << 20, why)?;
        provider.check().map_err(|wrong| {
            let span = |field: &Option<Spanned<_>>| field.as_ref().map(Spanned::span);
            let at = match wrong.field {
                "base_url" => span(&self.base_url),
                "effort" => span(&self.effort),
                "default_model" => Some(self.default.span()),
                "allowed" => self.allowed.as_ref().map(Spanned::span),
                _ => None,
            };
            ConfigError::new(at.unwrap_or_else(|| self.provider.span()), wrong.why)
        })?;
        let folder = source.folder();
        let key = self.key.map(|key| {
            let at = key.span();
            key_origin(key, folder).map(|origin| (origin, source.at(at.start)))
        });
        Ok(ModelPolicy { provider, key: key.transpose()? })
    }
}

/// Returns the source of a key. The file must not contain the key itself.
fn key_origin(key: Spanned<StringOr<SettingTable>>, folder: &Path) -> Result<Origin, ConfigError> {
    let at: Range<usize> = key.span();
    match key.get_ref() {
        StringOr::Table(table) if table.env.is_some() != table.file.is_some() => origin(key, folder),
        _ => {
            let why = "`key` is { env = \"VARIABLE\" } or { file = \"PATH\" }: a configuration is shown and copied, a key \
                       is not. What stands there is not shown";
            Err(ConfigError::new(at, why))
        }
    }
}

impl ModelPolicy {
    /// Creates the model, with its key.
    pub(super) fn model(&self) -> anyhow::Result<Arc<dyn Model>> {
        let mut provider = self.provider.clone();
        if let Some((origin, at)) = &self.key {
            let key = origin.text("the key of the model", at)?;
            // A text file ends with a line break, which is not part of the key.
            provider.key = Some(Secret::new(key.trim().to_owned()));
        }
        let at = self.key.as_ref().map_or("", |(_, at)| at);
        let model = ProviderModel::new(provider).map_err(|wrong| anyhow!("{at}: the key of the model: {wrong}"))?;
        Ok(Arc::new(model))
    }

    /// Returns the environment variable with the key.
    pub(super) fn secret(&self) -> Option<&str> {
        match &self.key {
            Some((Origin::Environment(variable), _)) => Some(variable),
            _ => None,
        }
    }

    /// Returns the facts to show, as names and values. Only the source of the key is shown.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let Provider { name, base_url, insecure, default_model, effort, metadata, guards, .. } = &self.provider;
        let one_line = |text: &str| terminal::one_line(text);
        let list = |names: &[String]| names.iter().map(|name| one_line(name)).collect::<Vec<_>>().join(", ");
        let fact = |value: &dyn Display| value.to_string();
        let allowed = if guards.allowed.is_empty() { "the default".to_owned() } else { list(&guards.allowed) };
        // A query after `?` may be a secret.
        let url = base_url.as_deref().map(|url| one_line(url.split(['?', '#']).next().unwrap_or_default()));
        let key = self.key.as_ref().map_or_else(|| "none".to_owned(), |(origin, at)| origin.told(at));
        vec![
            ("provider", one_line(name)),
            ("base-url", url.unwrap_or_else(|| "the provider's own".to_owned())),
            ("insecure", fact(insecure)),
            ("key", key),
            ("default", one_line(default_model)),
            ("effort", effort.clone().unwrap_or_else(|| "the provider's own".to_owned())),
            ("allowed", allowed),
            ("max-tokens", fact(&guards.max_tokens)),
            ("requests-per-minute", fact(&guards.requests_per_minute)),
            ("session-tokens", fact(&guards.session_tokens)),
            ("calls", fact(&guards.calls)),
            ("timeout", format!("{:?}", guards.timeout)),
            ("answer-size", fact(&guards.answer_size)),
            ("metadata", fact(metadata)),
        ]
    }
}
