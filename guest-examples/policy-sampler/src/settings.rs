//! The settings that the operator gave, as a policy.

use crate::error;
use crate::policy::{Action, Policy, Rule};
use crate::taskcell::handlers::types::RpcError;
use crate::wasi::config::store;

/// The policy of the settings `rules`, a rule a line, and `max-tokens`, which may be missing.
///
/// A setting that is missing or cannot be read is an error: without rules nothing reaches the model.
pub fn policy() -> Result<Policy, RpcError> {
    let rules = setting("rules")?.ok_or_else(|| error(-32603, "The setting `rules` is missing".into()))?;
    let rules = rules.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let rules =
        rules.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(rule).collect::<Result<_, _>>()?;
    let max_tokens = match setting("max-tokens")? {
        Some(text) => text.trim().parse().map_err(|_| error(-32603, "The setting `max-tokens` is no number".into()))?,
        None => u32::MAX,
    };
    Ok(Policy { rules, max_tokens })
}

/// A line of `rules`: what to do, then the words that it is done to.
fn rule((line, text): (usize, &str)) -> Result<Rule, RpcError> {
    let (action, words) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let action = match action {
        "refuse" => Action::Refuse,
        "redact" => Action::Redact,
        _ => {
            return Err(error(
                -32603,
                format!("Line {line} of the setting `rules` begins with no `refuse` or `redact`"),
            ));
        }
    };
    if words.trim().is_empty() {
        return Err(error(-32603, format!("Line {line} of the setting `rules` names no words")));
    }
    Ok(Rule { line, action, words: words.trim().to_ascii_lowercase() })
}

fn setting(key: &str) -> Result<Option<String>, RpcError> {
    store::get(key).map_err(|_| error(-32603, format!("The setting `{key}` cannot be read")))
}
