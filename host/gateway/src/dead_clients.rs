//! Clients that declare capabilities and never answer: a question to them ends when the call does.

/// Client whose word does not count for some questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadClient {
    /// `clientInfo.name`.
    pub name: String,
    /// Keys of [`KEYS`](crate::policy::KEYS), and `elicitation` for both of its modes.
    pub dead: Vec<String>,
    /// Source of the claim, for reports.
    pub source: String,
}

/// Words that stand for several keys.
const GROUPS: [(&str, &[&str]); 1] = [("elicitation", &["elicitation-form", "elicitation-url"])];

/// Shipped rows: name, dead keys, source.
const SHIPPED: [(&str, &[&str], &str); 1] = [(
    // Claude Desktop and Cowork, from 2025-11 on.
    "claude-ai",
    &["elicitation"],
    "declared and never drawn: claude-code#88901, claude-ai-mcp#1046",
)];

/// Returns the known clients that never answer. An application's own rows take the place of a row of the same name.
#[must_use]
pub fn shipped() -> Vec<DeadClient> {
    let row = |(name, dead, source): &(&str, &[&str], &str)| DeadClient {
        name: (*name).to_owned(),
        dead: dead.iter().map(|word| (*word).to_owned()).collect(),
        source: (*source).to_owned(),
    };
    SHIPPED.iter().map(row).collect()
}

/// Whether a word can stand in [`DeadClient::dead`].
#[must_use]
pub fn is_word(word: &str) -> bool {
    crate::policy::KEYS.contains(&word) || GROUPS.iter().any(|(group, _)| *group == word)
}

/// Returns why the client `name` is known not to answer questions of a key: the source. The last row with the name
/// counts, so that own rows follow the shipped ones.
pub(crate) fn why<'a>(rows: &'a [DeadClient], name: &str, key: &str) -> Option<&'a str> {
    let row = rows.iter().rev().find(|row| row.name == name)?;
    let means = |word: &String| word == key || GROUPS.iter().any(|(group, keys)| group == word && keys.contains(&key));
    row.dead.iter().any(means).then_some(&*row.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_rows_take_the_place_of_shipped_ones() {
        let mut rows = shipped();
        assert!(why(&rows, "claude-ai", "elicitation-url").is_some_and(|source| source.contains('#')));
        assert_eq!(why(&rows, "claude-ai", "sampling"), None);
        assert_eq!(why(&rows, "other", "elicitation-form"), None);
        assert!(rows.iter().flat_map(|row| &row.dead).all(|word| is_word(word)));
        rows.push(DeadClient { name: "claude-ai".to_owned(), dead: vec!["roots".to_owned()], source: String::new() });
        assert_eq!(why(&rows, "claude-ai", "elicitation-form"), None);
        assert!(why(&rows, "claude-ai", "roots").is_some());
    }
}
