//! Choice of the model: the server's preference, within the allowed models. [client/sampling, Model Preferences]

use crate::protocol::types::ModelPreferences;

/// Characters of a model's name.
pub(super) const MAX_NAME: usize = 200;

/// Names of models, or beginnings of names.
#[derive(Debug)]
pub(super) struct Models {
    default: String,
    allowed: Vec<String>,
}

impl Models {
    pub(super) fn new(default: &str, allowed: &[String]) -> Self {
        Self { default: default.to_owned(), allowed: allowed.to_vec() }
    }

    /// Whether a model may run.
    pub(super) fn allows(&self, name: &str) -> bool {
        let allows = |allowed: &String| match allowed.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == allowed,
        };
        if self.allowed.is_empty() { name == self.default } else { self.allowed.iter().any(allows) }
    }

    /// The model for a request: the first hint that is part of an allowed name, or that is allowed as it stands.
    /// Without one the default: hints are advice. The priorities are not used, for nothing here knows what a model
    /// costs.
    pub(super) fn choose(&self, preferences: Option<&ModelPreferences>) -> String {
        let hints = preferences.and_then(|preferences| preferences.hints.as_ref()).into_iter().flatten();
        let hints = hints.filter_map(|hint| hint.name.as_deref()).filter(|hint| !hint.is_empty());
        hints.flat_map(|hint| self.find(hint)).next().unwrap_or(&self.default).to_owned()
    }

    fn find<'a>(&'a self, hint: &'a str) -> Option<&'a str> {
        let names = self.allowed.iter().filter(|name| !name.ends_with('*')).chain([&self.default]);
        let exact = is_name(hint) && self.allows(hint);
        exact.then_some(hint).or_else(|| names.map(String::as_str).find(|name| name.contains(hint)))
    }
}

/// Whether text of a stranger can be a model's name: it goes into addresses, and genai takes what stands before `::`
/// for a provider.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-:/@+".contains(c))
        && !["..", "//", "::"].iter().any(|part| text.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::types::ModelHint;

    #[test]
    fn the_first_hint_that_is_allowed_wins() {
        let wide = ["gpt-5*", "claude-3-haiku"];
        #[rustfmt::skip]
        let table: [(&[&str], &[&str], &str); 13] = [
            (&[],   &[],                                    "gpt-5"),
            (&[],   &["claude"],                            "gpt-5"),
            (&[],   &["gpt-5-mini"],                        "gpt-5"),
            (&[],   &["gpt"],                               "gpt-5"),
            (&wide, &["gpt-5-mini"],                        "gpt-5-mini"),
            (&wide, &["haiku"],                             "claude-3-haiku"),
            (&wide, &["claude-3-sonnet", "claude"],         "claude-3-haiku"),
            (&wide, &["opus", "gpt-5-nano", "haiku"],       "gpt-5-nano"),
            (&wide, &["", "sonnet"],                        "gpt-5"),
            (&wide, &["gpt-5/../../secret"],                "gpt-5"),
            (&wide, &["gpt-5 \n"],                          "gpt-5"),
            (&wide, &["gpt-5::x"],                          "gpt-5"),
            (&["*"], &["anthropic::claude", "llama:8b"],    "llama:8b"),
        ];
        for (allowed, hints, expected) in table {
            let allowed: Vec<_> = allowed.iter().map(|&name| name.to_owned()).collect();
            let hints = hints.iter().map(|&hint| ModelHint { name: Some(hint.to_owned()) }).collect();
            let preferences = ModelPreferences {
                hints: Some(hints),
                cost_priority: Some(1.0),
                speed_priority: None,
                intelligence_priority: None,
            };
            assert_eq!(Models::new("gpt-5", &allowed).choose(Some(&preferences)), expected, "{preferences:?}");
        }
        assert_eq!(Models::new("m", &[]).choose(None), "m");
    }
}
