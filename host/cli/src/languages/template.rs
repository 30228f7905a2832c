//! Templates: real files with marks around the regions that belong to some kinds only.
//!
//! A region begins with a comment line that holds `[[` and the names of kinds, and ends with a comment line that holds
//! `]]`. The region is kept, without the two lines, when one of its kinds was chosen. Regions nest.

/// Returns the template's text for the chosen kinds.
pub(crate) fn fill(template: &str, chosen: impl Fn(&str) -> bool) -> String {
    let mut text = String::with_capacity(template.len());
    // State of each open region. A line is kept when all open regions are kept.
    let mut open: Vec<bool> = Vec::new();
    for line in template.lines() {
        match mark(line) {
            Some(Mark::Begin(kinds)) => open.push(kinds.split_whitespace().any(&chosen)),
            Some(Mark::End) => {
                open.pop();
            }
            None if open.iter().all(|stays| *stays) => {
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    text
}

enum Mark<'a> {
    Begin(&'a str),
    End,
}

/// Returns the mark of a line. Any comment syntax may stand before the mark.
fn mark(line: &str) -> Option<Mark<'_>> {
    let line = line.trim().trim_start_matches(['/', '#', ';', '<', '!', '-', ' ']).trim_end_matches(['-', '>', ' ']);
    if line == "]]" { Some(Mark::End) } else { line.strip_prefix("[[ ").map(Mark::Begin) }
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn regions_stay_for_their_kinds_and_nest() {
        let template =
            "a\n//[[ x y\nb\n    # [[ y\n    c\n    # ]]\n//]]\n<!-- [[ z -->\nd\n<!-- ]] -->\n[[package]]\n";
        let of = |kinds: &[&str]| fill(template, |kind| kinds.contains(&kind));
        assert_eq!(of(&[]), "a\n[[package]]\n");
        assert_eq!(of(&["x"]), "a\nb\n[[package]]\n");
        assert_eq!(of(&["y", "z"]), "a\nb\n    c\nd\n[[package]]\n");
    }
}
