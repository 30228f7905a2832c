//! The grants by their words, and the imported interfaces that each gives.
//!
//! Only this file has the words. Configurations, `--grant`, errors and `taskcell inspect` take them from here.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

/// Access that an operator may give to a handler: one imported interface or several.
///
/// The word of a grant is its name in lower case: in text, in JSON and in configurations alike.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[non_exhaustive]
pub enum GrantKind {
    /// Tasks of the conversation.
    Tasks,
    /// Progress notifications to the server.
    Progress,
    /// Settings of the handler.
    Config,
    /// A model.
    Model,
    /// Questions to the user.
    User,
    /// Keys and values that outlive the cell.
    KeyValue,
    /// Requests to servers.
    Http,
}

impl GrantKind {
    /// Returns the grant's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The interfaces that the grant gives, by name without version.
    fn interfaces(self) -> &'static [&'static str] {
        match self {
            Self::Tasks => &["taskcell:handlers/tasks"],
            Self::Progress => &["taskcell:handlers/progress"],
            Self::Config => &["wasi:config/store"],
            Self::Model => &["taskcell:handlers/model"],
            Self::User => &["taskcell:handlers/user"],
            Self::KeyValue => &["wasi:keyvalue/store", "wasi:keyvalue/atomics", "wasi:keyvalue/batch"],
            Self::Http => &["wasi:http/types", "wasi:http/outgoing-handler"],
        }
    }

    /// Returns the grant that gives an interface, by the interface's name without version.
    pub(crate) fn of_interface(name: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|grant| grant.interfaces().contains(&name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_grant_has_one_word() {
        let words = ["tasks", "progress", "config", "model", "user", "keyvalue", "http"];
        assert_eq!(GrantKind::VARIANTS.len(), words.len());
        for (grant, word) in GrantKind::VARIANTS.iter().zip(words) {
            assert_eq!((grant.as_str(), grant.to_string().as_str()), (word, word));
            assert_eq!(serde_json::to_value(grant).unwrap(), word);
            assert_eq!(serde_json::from_value::<GrantKind>(word.into()).unwrap(), *grant);
            assert_eq!(word.parse(), Ok(*grant));
        }
    }
}
