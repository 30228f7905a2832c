//! Table `[handler.http]`: servers that a handler may call, with limits.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::config::source::ConfigError;
use crate::config::{NonNegative, Size, StringOr, Time, set};
use taskcell::grants::{Http, HttpLimits, HttpRule};

/// Table `[handler.http]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HttpTable {
    allow: Vec<Spanned<StringOr<RuleTable>>>,
    time: Option<Spanned<Time>>,
    request_size: Option<Spanned<Size>>,
    response_size: Option<Spanned<Size>>,
    requests: Option<Spanned<NonNegative<u64>>>,
    at_once: Option<Spanned<NonNegative<u32>>>,
}

/// Row of `allow`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    host: Spanned<String>,
    scheme: Option<Scheme>,
    port: Option<Spanned<NonNegative<u16>>>,
    methods: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    private: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scheme {
    Https,
    Http,
}

impl HttpTable {
    pub(super) fn check(self) -> Result<Http, ConfigError> {
        let rules: Vec<_> = self.allow.into_iter().map(rule).collect::<Result<_, _>>()?;
        let mut limits = HttpLimits::default();
        let times = Duration::from_millis(1)..=Duration::from_secs(60 * 60);
        set(&mut limits.time, &self.time, times, "a server needs some time, and must come to its end")?;
        set(&mut limits.request_size, &self.request_size, 0..=1 << 30, "a request must come to its end")?;
        set(&mut limits.response_size, &self.response_size, 0..=1 << 30, "a response must come to its end")?;
        set(&mut limits.requests, &self.requests, 1..=1_000_000, "some request must be possible, and a limit")?;
        set(&mut limits.at_once, &self.at_once, 1..=1_000, "some request must be possible, and a limit")?;
        Ok(Http::new(rules, limits))
    }
}

/// Returns the facts that `inspect` shows.
pub(super) fn facts(http: &Http) -> Vec<(&'static str, String)> {
    let allow: Vec<_> = http.rules().iter().map(ToString::to_string).collect();
    let HttpLimits { time, request_size, response_size, requests, at_once, .. } = http.limits();
    vec![
        ("allow", allow.join("; ")),
        ("time", format!("{time:?}")),
        ("request-size", request_size.to_string()),
        ("response-size", response_size.to_string()),
        ("requests", requests.to_string()),
        ("at-once", at_once.to_string()),
    ]
}

fn rule(row: Spanned<StringOr<RuleTable>>) -> Result<HttpRule, ConfigError> {
    let at = row.span();
    let row = match row.into_inner() {
        StringOr::String(host) => return HttpRule::new(&host).map_err(|why| ConfigError::new(at, why)),
        StringOr::Table(row) => row,
    };
    let mut rule = HttpRule::new(row.host.get_ref()).map_err(|why| ConfigError::new(row.host.span(), why))?;
    if let Some(methods) = row.methods {
        let at = methods.span();
        let names = methods.get_ref().iter().map(String::as_str);
        rule = rule.methods(names).map_err(|why| ConfigError::new(at.clone(), why))?;
        if methods.get_ref().is_empty() {
            return Err(ConfigError::new(at, "a row without methods allows nothing: leave the row out"));
        }
    }
    if let Some(port) = row.port {
        let NonNegative(number) = *port.get_ref();
        if number == 0 {
            return Err(ConfigError::new(port.span(), "there is no port 0"));
        }
        rule.port = Some(number);
    }
    rule.plain = row.scheme == Some(Scheme::Http);
    rule.private = row.private;
    Ok(rule)
}
