//! Wrapping of lines into rows that fit the terminal.
//!
//! A terminal continues a long line at the start of its next row, where the rest can pass for a line of the program.
//! Lines longer than the terminal are therefore wrapped here, and each row after the first begins with [`BAR`].

use std::io::{IsTerminal, Write, stderr};

use unicode_width::UnicodeWidthChar;

use super::screen;

/// Prefix of a row that begins with foreign text.
pub(crate) const BAR: &str = "  │ ";
/// Prefix like [`BAR`], for a narrow terminal.
const NARROW_BAR: &str = "│";
/// Maximum columns of a narrow terminal.
const NARROW: usize = 16;
/// Size assumed when the terminal does not report one.
const UNKNOWN: Size = Size { columns: 80, rows: 24 };
/// Minimum columns to wrap to: a bar and a wide character.
const LEAST: usize = 3;

/// Size of a terminal in columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// Size of the terminal on stderr, or a usual size when it reports none.
pub(crate) fn size() -> Size {
    #[cfg(unix)]
    let found = rustix::termios::tcgetwinsize(stderr()).ok().map(|size| (size.ws_col, size.ws_row));
    #[cfg(not(unix))]
    let found = crossterm::terminal::size().ok();
    let or = |found: u16, unknown: usize| if found == 0 { unknown } else { usize::from(found) };
    found.map_or(UNKNOWN, |(columns, rows)| Size {
        columns: or(columns, UNKNOWN.columns).max(LEAST),
        rows: or(rows, UNKNOWN.rows),
    })
}

/// Formats a printable line for stderr: wrapped behind a bar if stderr is a terminal, unchanged otherwise.
pub(crate) fn for_stderr(line: &str) -> String {
    if stderr().is_terminal() { rows(line, size().columns).join("\n") } else { line.to_owned() }
}

/// Cuts a printable line to one row of the terminal on stderr. The last column stays free, because some terminals begin
/// the next row when it is filled.
pub(crate) fn one_row(line: &str) -> String {
    wrap(line, size().columns.saturating_sub(1)).swap_remove(0)
}

/// Writer of the log, whose lines may hold foreign text.
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let lines: String = text.lines().flat_map(|line| [for_stderr(line), "\n".to_owned()]).collect();
        screen::Log.write_all(lines.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        screen::Log.flush()
    }
}

/// The bar for a terminal of `columns` columns.
pub(crate) fn bar(columns: usize) -> &'static str {
    if columns > NARROW { BAR } else { NARROW_BAR }
}

/// Wraps the line into rows of `columns` columns, each after the first behind a bar.
pub(crate) fn rows(line: &str, columns: usize) -> Vec<String> {
    let bar = bar(columns);
    let mut rows = wrap(line, columns);
    if rows.len() > 1 {
        // The remainder of the line as it was: wrapping drops only the blanks between rows.
        let head = rows.swap_remove(0);
        let rest = line.get(head.len()..).unwrap_or_default().trim_start_matches(' ');
        rows = vec![head];
        rows.extend(wrap(rest, columns.saturating_sub(width(bar))).into_iter().map(|row| format!("{bar}{row}")));
    }
    rows
}

/// Wraps the line into rows of at most `columns` columns, at blanks, and within words longer than a row. Returns at
/// least one row.
pub(crate) fn wrap(line: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut rows = Vec::new();
    let mut row = String::new();
    let mut used = 0usize;
    let mut in_escape = false;
    for word in line.split_inclusive(' ') {
        let fits = used.saturating_add(width(word.trim_end_matches(' '))) <= columns;
        if !fits && !row.trim_matches(' ').is_empty() {
            rows.push(std::mem::take(&mut row).trim_end_matches(' ').to_owned());
            used = 0;
        }
        for c in word.chars() {
            // The program's own color codes in the log must stay whole. Foreign text has no escapes.
            if c == '\u{1b}' || in_escape {
                in_escape = !c.is_ascii_alphabetic();
                row.push(c);
                continue;
            }
            let more = used.saturating_add(cells(c));
            if more > columns && c == ' ' {
                continue;
            }
            if more > columns {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            row.push(c);
            used = used.saturating_add(cells(c));
        }
    }
    rows.push(row.trim_end_matches(' ').to_owned());
    rows
}

/// Upper bound on the columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(cells).fold(0, usize::saturating_add)
}

/// Upper bound on the columns that a character takes. Terminals differ on combining marks and on letters that East
/// Asian fonts draw wide.
pub(crate) fn cells(c: char) -> usize {
    c.width_cjk().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_break_between_words() {
        let table: [(&str, usize, &[&str]); 11] = [
            ("", 10, &[""]),
            ("one two three", 80, &["one two three"]),
            ("one two three", 7, &["one two", "three"]),
            ("one two three", 8, &["one two", "three"]),
            ("one  two", 4, &["one", "two"]),
            ("  indented text", 10, &["  indented", "text"]),
            ("abcdefghij", 4, &["abcd", "efgh", "ij"]),
            ("a abcdefghij b", 4, &["a", "abcd", "efgh", "ij b"]),
            ("宽宽宽", 4, &["宽宽", "宽"]),
            ("宽", 0, &["宽"]),
            ("a     ", 3, &["a"]),
        ];
        for (line, columns, rows) in table {
            assert_eq!(wrap(line, columns), rows, "{line:?} {columns}");
        }
    }

    /// Color codes of the log stay whole and take no columns.
    #[test]
    fn colors_take_no_room() {
        let line = "\u{1b}[33m WARN\u{1b}[0m one two three";
        let shown = rows(line, 40);
        assert_eq!(shown, [line]);
        let shown = rows(&format!("{line}{}", " and more".repeat(5)), 30);
        assert!(shown.len() > 1 && shown.iter().skip(1).all(|row| row.starts_with(BAR)), "{shown:?}");
        assert!(shown.concat().contains("\u{1b}[33m") && shown.concat().contains("\u{1b}[0m"), "{shown:?}");
    }

    /// For any line and any width, only the first row begins without a bar. No row is wider than the terminal, which
    /// would wrap it without a bar.
    #[test]
    fn no_row_begins_with_foreign_text() {
        let fake = "connected to my-bank 1.0 (2025-11-25)";
        let lines = [
            format!("server says  {}{fake}", " ".repeat(300)),
            format!("server says  {}{fake}", ".".repeat(67)),
            format!("server says  {}{fake}", "宽".repeat(40)),
            format!("server says  {}{fake}", "e\u{301}".repeat(90)),
            format!("server says  {}{fake}", "א".repeat(90)),
            format!("server says  {}{fake}", "\u{1f469}\u{200d}\u{1f4bb}".repeat(40)),
            format!("server says  {}{fake}", "a ".repeat(200)),
            format!("server says  {}{fake}", "\u{fffd}".repeat(100)),
        ];
        for line in &lines {
            for columns in 4..200 {
                let shown = rows(line, columns);
                for (place, row) in shown.iter().enumerate() {
                    assert!(width(row) <= columns, "{columns}: {row:?}");
                    assert!(row.starts_with(if place == 0 { "s" } else { bar(columns) }), "{columns}: {row:?}");
                }
                let letters = |text: &str| text.replace(bar(columns), "").replace(['\n', ' '], "");
                assert_eq!(letters(&shown.concat()), line.replace(' ', ""), "{columns}");
            }
        }
    }
}
