//! Names that are near to one that does not exist.

use crate::terminal::one_line;

/// Minimum Jaro-Winkler similarity of a suggested name, from 0 to 1.
const NEAR: f64 = 0.75;
/// Largest difference in similarity from the nearest name.
const APART: f64 = 0.1;
/// Names that are said to be near.
const MAX_NEAR: usize = 3;
/// Names that are listed where none is near.
const MAX_LISTED: usize = 12;
/// Names that are compared, and characters of each: a server may have any number.
const MAX_COMPARED: usize = 10_000;
const MAX_NAME: usize = 200;

/// Text to follow "there is no such name": the nearest names, or some of the existing names; empty if there are none.
pub(crate) fn hint(wanted: &str, names: &[&str]) -> String {
    let wanted = wanted.to_lowercase();
    let mut near: Vec<_> = names
        .iter()
        .take(MAX_COMPARED)
        .filter(|name| name.len() <= MAX_NAME && wanted.len() <= MAX_NAME)
        .map(|name| (likeness(&wanted, &name.to_lowercase()), *name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .collect();
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let nearest = near.first().map_or(NEAR, |(likeness, _)| *likeness);
    near.retain(|(likeness, _)| nearest - likeness <= APART);
    let shown = |names: &mut dyn Iterator<Item = &str>| names.map(one_line).collect::<Vec<_>>();
    if !near.is_empty() {
        let names = shown(&mut near.iter().take(MAX_NEAR).map(|(_, name)| *name));
        return format!("; did you mean {}?", names.join(" or "));
    }
    if names.is_empty() {
        return String::new();
    }
    let more = if names.len() > MAX_LISTED { ", …" } else { "" };
    format!("; there are {}{more}", shown(&mut names.iter().take(MAX_LISTED).copied()).join(", "))
}

/// Similarity of two names; a name that contains the other counts as near.
fn likeness(wanted: &str, name: &str) -> f64 {
    let holds = wanted.len() >= 3 && name.contains(wanted);
    strsim::jaro_winkler(wanted, name).max(if holds { NEAR } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_said() {
        let names = ["echo", "get-sum", "get-env", "trigger-sampling-request"];
        for (wanted, expected) in [
            ("ehco", "; did you mean echo?"),
            ("Get-Sum", "; did you mean get-sum?"),
            ("sampling", "; did you mean trigger-sampling-request?"),
            ("zzz", "; there are echo, get-sum, get-env, trigger-sampling-request"),
        ] {
            assert_eq!(hint(wanted, &names), expected, "{wanted}");
        }
        assert_eq!(hint("a", &[]), "");
        let many: Vec<_> = (0..20).map(|number| format!("{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(hint("zzz", &many).ends_with("11, …"));
    }
}
