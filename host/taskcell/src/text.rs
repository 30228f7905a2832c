//! Display of foreign text: text of servers, guests, stores and configurations.
//!
//! Control characters could move the cursor or start a line of their own. Characters that reorder text could make it
//! read differently. Characters without a shape could make two names look alike. Each of these is shown as U+FFFD. Runs
//! of blanks become one blank, so that padding cannot push text to the start of a terminal's row. At most `MAX_MARKS`
//! marks pile up on one letter, so that they do not cover other rows.

use std::iter::Peekable;
use std::str::Chars;

use icu_properties::props::{
    BinaryProperty, DefaultIgnorableCodePoint, Emoji, EnumeratedProperty, ExtendedPictographic, GeneralCategory,
};

/// Marks on one letter. Known writing systems need up to four.
const MAX_MARKS: usize = 4;

/// Returns bytes in hexadecimal, two lower-case digits each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the text as one trimmed line of at most `max` characters. Each run of line breaks, tabs and blanks becomes
/// one blank.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut count = 0usize;
    let mut blank = false;
    for shown in Visible::new(text) {
        let c = match shown {
            Shown::AsIs(c) | Shown::Hidden(c) if is_blank(c) => {
                blank = true;
                continue;
            }
            Shown::AsIs(c) => c,
            Shown::Hidden(_) => char::REPLACEMENT_CHARACTER,
        };
        for c in (std::mem::take(&mut blank) && !line.is_empty()).then_some(' ').into_iter().chain([c]) {
            if count == max {
                line.push('…');
                return line;
            }
            line.push(c);
            count = count.saturating_add(1);
        }
    }
    line
}

/// Returns the text with its lines, tabs and blanks.
pub fn lines(text: &str) -> String {
    let shown = Visible::new(text).map(|shown| match shown {
        Shown::AsIs(c) | Shown::Hidden(c @ ('\n' | '\t')) => c,
        Shown::Hidden(_) => char::REPLACEMENT_CHARACTER,
    });
    shown.collect()
}

/// Returns an indented JSON document. Characters that cannot be shown occur only in its strings, where they are
/// escaped.
pub fn json(document: &serde_json::Value) -> String {
    use std::fmt::Write;

    let text = format!("{document:#}");
    let mut escaped = String::with_capacity(text.len());
    for shown in Visible::new(&text) {
        match shown {
            Shown::AsIs(c) | Shown::Hidden(c @ '\n') => escaped.push(c),
            Shown::Hidden(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    escaped
}

/// Whether the text can be shown unchanged in one line.
pub fn is_printable_line(text: &str) -> bool {
    Visible::new(text).all(|shown| matches!(shown, Shown::AsIs(_)))
}

/// Character of a text, classified.
#[derive(Clone, Copy)]
enum Shown {
    /// Character that can be shown.
    AsIs(char),
    /// Character that must not reach a terminal.
    Hidden(char),
}

/// Iterator over the characters of a text that classifies each in its place.
struct Visible<'a> {
    rest: Peekable<Chars<'a>>,
    /// Previous character, if it was shown.
    before: Option<char>,
    /// Number of marks just before.
    marks: usize,
}

impl<'a> Visible<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.chars().peekable(), before: None, marks: 0 }
    }

    /// Whether the character forms one picture with its neighbors: it selects how an emoji is drawn, or joins two.
    fn makes_an_emoji(&mut self, c: char) -> bool {
        let Some(before) = self.before else { return false };
        let is_pictograph = |c: char| ExtendedPictographic::for_char(c);
        match c {
            '\u{fe0e}' | '\u{fe0f}' if before.is_ascii() => {
                (before.is_ascii_digit() || matches!(before, '#' | '*')) && self.rest.peek() == Some(&'\u{20e3}')
            }
            '\u{fe0e}' | '\u{fe0f}' => Emoji::for_char(before),
            '\u{200d}' => {
                (is_pictograph(before) || matches!(before, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'))
                    && self.rest.peek().is_some_and(|next| is_pictograph(*next))
            }
            _ => false,
        }
    }
}

impl Iterator for Visible<'_> {
    type Item = Shown;

    fn next(&mut self) -> Option<Shown> {
        let c = self.rest.next()?;
        self.marks = if !c.is_ascii() && is_mark(c) { self.marks.saturating_add(1) } else { 0 };
        let is_shown = if is_invisible(c) { self.makes_an_emoji(c) } else { self.marks <= MAX_MARKS };
        self.before = is_shown.then_some(c);
        Some(if is_shown { Shown::AsIs(c) } else { Shown::Hidden(c) })
    }
}

/// Whether a character looks like a blank, with no sign that it is another character.
fn is_blank(c: char) -> bool {
    // The Braille pattern without a dot is a letter by its properties.
    matches!(c, '\n' | '\t' | '\u{2800}') || (c.is_whitespace() && !is_invisible(c))
}

/// Whether a character is drawn onto the letter before it.
fn is_mark(c: char) -> bool {
    matches!(GeneralCategory::for_char(c), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
        && !DefaultIgnorableCodePoint::for_char(c)
}

fn is_invisible(c: char) -> bool {
    // Fast path for most text.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}') || DefaultIgnorableCodePoint::for_char(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(one_line("a\n\u{1b}[2Jb\u{202e}c\u{7}", 100), "a \u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(one_line(&"x".repeat(10), 3), "xxx…");
        assert_eq!(one_line("a\u{2028}b\u{61c}c", 100), "a\u{fffd}b\u{fffd}c");
        assert_eq!(one_line("over\rwritten\u{85}", 100), "over\u{fffd}written\u{fffd}");
    }

    /// Two different names look different. [Unicode Standard, Default_Ignorable_Code_Point]
    #[test]
    fn what_has_no_shape_is_seen() {
        let ignorable = [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{17b5}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{2060}',
            '\u{2061}',
            '\u{2064}',
            '\u{206a}',
            '\u{206f}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0e}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0020}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e01ef}',
            '\u{e0fff}',
        ];
        for c in ignorable {
            let text = format!("my{c}bank");
            assert_eq!(one_line(&text, 100), "my\u{fffd}bank", "{:x}", u32::from(c));
            assert_eq!(one_line(&format!("{c}bank{c}"), 100), "\u{fffd}bank\u{fffd}", "{:x}", u32::from(c));
        }
    }

    /// Writing systems and emoji stay as they are.
    #[test]
    fn what_has_a_shape_stays() {
        for text in [
            "Füße, naïve, Ελλάδα, Журнал",
            "שָׁלוֹם",
            "مرحبا بالعالم",
            "हिन्दी",
            "ภาษาไทย",
            "漢字かな",
            "한국어",
            "Tiếng Việt",
            "\u{26a0}\u{fe0f} done \u{2764}\u{fe0e}",
            "1\u{fe0f}\u{20e3}",
            "\u{1f469}\u{200d}\u{1f4bb} \u{1f469}\u{1f3fd}\u{200d}\u{1f680}",
            "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",
            "\u{1f1e9}\u{1f1ea}",
        ] {
            assert_eq!(one_line(text, 100), text);
        }
        // Neither character is part of a picture in its place.
        assert_eq!(one_line("1\u{fe0f}2 \u{2764}\u{fe0f}\u{fe0f}", 100), "1\u{fffd}2 \u{2764}\u{fe0f}\u{fffd}");
        assert_eq!(one_line("\u{2764}\u{200d}a", 100), "\u{2764}\u{fffd}a");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let shown = one_line(&format!("a{}b", "\u{301}".repeat(200)), 1_000);
        assert_eq!(shown.matches('\u{301}').count(), MAX_MARKS);
        assert!(shown.ends_with("\u{fffd}b"), "{shown}");
        let mixed = one_line(&format!("a{}", "\u{301}\u{fe0f}\u{489}\u{20dd}".repeat(50)), 1_000);
        assert!(mixed.chars().filter(|c| is_mark(*c)).count() <= 200 && !mixed.contains('\u{fe0f}'), "{mixed}");
    }

    /// Padding does not survive, whatever characters it uses.
    #[test]
    fn runs_of_blanks_are_one() {
        let blanks = [
            ' ', '\t', '\n', '\u{a0}', '\u{1680}', '\u{2003}', '\u{2009}', '\u{202f}', '\u{205f}', '\u{2800}',
            '\u{3000}',
        ];
        for blank in blanks {
            let run = blank.to_string().repeat(80);
            assert_eq!(one_line(&format!("{run}a{run}b{run}"), 100), "a b", "{:x}", u32::from(blank));
        }
        let all: String = blanks.iter().collect();
        assert_eq!(one_line(&format!("a{all}b"), 100), "a b");
        assert_eq!(one_line("a    b", 3), "a b");
        assert_eq!(one_line("ab    c", 3), "ab …");
        assert_eq!((one_line("   ", 5), one_line("", 0), one_line("a", 0)), (String::new(), String::new(), "…".into()));
    }

    #[test]
    fn a_document_escapes_what_is_hidden() {
        let document = serde_json::json!({ "a": "x\u{200b}\u{e0041}\u{9b} \u{26a0}\u{fe0f}\u{301}" });
        let text = json(&document);
        assert!(text.contains("x\\u200b\\udb40\\udc41\\u009b \u{26a0}\u{fe0f}"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), document);
        assert_eq!(lines("a\n\tb  c\u{200b}\r"), "a\n\tb  c\u{fffd}\u{fffd}");
        assert!(
            is_printable_line("a  \u{26a0}\u{fe0f}") && !is_printable_line("a\u{200b}") && !is_printable_line("a\n")
        );
    }
}
