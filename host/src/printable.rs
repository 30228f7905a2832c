//! Text of servers and guests, fit to be shown.
//!
//! Control characters could move a cursor, fake a prompt or start a line of their own in a log; characters that
//! reorder text could make it read differently from what it is. Both become visible instead.

/// The text with line breaks as blanks, cut after `max` characters.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let text = text.trim();
    let mut line: String = text.chars().take(max).map(|c| if c == '\n' { ' ' } else { visible(c) }).collect();
    if text.chars().nth(max).is_some() {
        line.push('…');
    }
    line
}

/// The text with its lines and tabs.
#[cfg(feature = "cli")]
pub(crate) fn lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { c } else { visible(c) }).collect()
}

/// A JSON document, indented, with such characters as escapes: they stand only in its strings.
#[cfg(feature = "cli")]
pub(crate) fn json(document: &serde_json::Value) -> String {
    use std::fmt::Write;

    let text = format!("{document:#}");
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_invisible(c) {
            // Writing to a string cannot fail, and all such characters have four digits at most.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Whether the text can be shown as it is, in one line.
#[cfg(feature = "cli")]
pub(crate) fn is_printable_line(text: &str) -> bool {
    !text.chars().any(is_invisible)
}

fn visible(c: char) -> char {
    if is_invisible(c) { '\u{fffd}' } else { c }
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(one_line("a\n\u{1b}[2Jb\u{202e}c\u{7}", 100), "a \u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(one_line(&"x".repeat(10), 3), "xxx…");
        assert_eq!(one_line("a\u{2028}b\u{61c}c", 100), "a\u{fffd}b\u{fffd}c");
    }
}
