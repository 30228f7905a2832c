//! Table of a server's tools for people: each tool with its arguments, in the width of the terminal.

use std::fmt::Write;
use std::io::IsTerminal;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::schema;
use crate::terminal::one_line;

/// Maximum width of the column of names; a longer name pushes its description to the right.
const MAX_NAMES: usize = 32;
/// Terminal width up to which each description stands below its name.
const NARROW: usize = 70;
/// Minimum width for wrapped text, however narrow the terminal is.
const LEAST: usize = 20;
/// Characters shown of a default value.
const MAX_DEFAULT: usize = 40;
/// Arguments of a tool that are shown.
const MAX_ARGUMENTS: usize = 100;

/// A row of the table: a name and its description.
struct TableRow {
    indent: usize,
    name: String,
    text: String,
}

/// Width of the terminal on stdout in columns; `None` when stdout is not a terminal, so that lines are not wrapped.
pub(crate) fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns))
}

/// Formats the table for a terminal of `width` columns.
pub(crate) fn shown(tools: &[Value], width: Option<usize>) -> String {
    let rows: Vec<_> = tools.iter().flat_map(rows).collect();
    let names = rows.iter().map(|row| row.indent + row.name.width()).filter(|width| *width <= MAX_NAMES).max();
    let names = names.unwrap_or_default();
    let mut shown = String::new();
    for TableRow { indent, name, text } in &rows {
        let head = format!("{:indent$}{name}", "");
        let pad = names.saturating_sub(head.width());
        let narrow = width.is_some_and(|width| width <= NARROW);
        let (lead, hang) = match () {
            () if text.is_empty() => (head, 0),
            () if narrow => (format!("{head}\n{:1$}", "", indent + 2), indent + 2),
            () => (format!("{head}{:pad$}  ", ""), names + 2),
        };
        let room = width.map(|width| width.saturating_sub(hang).max(LEAST));
        let lines = room.map_or_else(|| vec![text.clone()], |room| wrapped(text, room));
        let text = lines.join(&format!("\n{:hang$}", ""));
        // Writing to a string cannot fail.
        let _ = writeln!(shown, "{}", format!("{lead}{text}").trim_end());
    }
    shown.trim_end().to_owned()
}

/// Rows of a tool: the tool, then its arguments.
fn rows(tool: &Value) -> Vec<TableRow> {
    let word = |value: &Value, key| one_line(value.get(key).and_then(Value::as_str).unwrap_or_default());
    let mut rows = vec![TableRow { indent: 0, name: word(tool, "name"), text: word(tool, "description") }];
    let root = tool.get("inputSchema").unwrap_or(&Value::Null);
    let properties = root.get("properties").and_then(Value::as_object).into_iter().flatten();
    let required = root.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (name, schema) in properties.take(MAX_ARGUMENTS) {
        let kind = schema::shown(&schema::kinds(schema, root));
        let default = schema.get("default").map(|default| taskcell::text::one_line(&default.to_string(), MAX_DEFAULT));
        let rest = match default {
            Some(default) => format!(" = {default}"),
            None if required.iter().any(|required| required == name) => String::new(),
            None => " (optional)".to_owned(),
        };
        let name = one_line(&format!("{name}: {kind}{rest}"));
        rows.push(TableRow { indent: 4, name, text: word(schema, "description") });
    }
    rows
}

/// Wraps text into lines of at most `columns` columns, between words where possible.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let room = lines.last().map_or(0, |line| columns.saturating_sub(line.width()));
        let first = lines.last().is_none_or(String::is_empty);
        if !first && word.width().saturating_add(1) > room {
            lines.push(String::new());
        }
        for (index, letter) in word.chars().enumerate() {
            let Some(line) = lines.last_mut() else { continue };
            if index == 0 && !line.is_empty() {
                line.push(' ');
            }
            let size = unicode_width::UnicodeWidthChar::width(letter).unwrap_or_default();
            if line.width().saturating_add(size) > columns && !line.is_empty() {
                lines.push(letter.to_string());
            } else {
                line.push(letter);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tools() -> Vec<Value> {
        vec![
            json!({ "name": "echo", "description": "Echoes back the input", "inputSchema": { "type": "object", "required": ["message"],
                "properties": { "message": { "type": "string", "description": "Message to echo" } } } }),
            json!({ "name": "sum", "inputSchema": { "properties": {
                "a": { "type": "number", "default": 1 }, "unit": { "enum": ["m", "km"] } } } }),
            json!({ "name": "a\u{1b}[2J", "description": "One\nline" }),
        ]
    }

    #[test]
    fn tools_are_listed_with_their_arguments() {
        let expected = [
            "echo                            Echoes back the input",
            "    message: string             Message to echo",
            "sum",
            "    a: number = 1",
            "    unit: \"m\" | \"km\" (optional)",
            "a\u{fffd}[2J                          One line",
        ];
        let found = shown(&tools(), None);
        let found: Vec<_> = found.lines().collect();
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        assert!(found[0].starts_with("echo ") && found[0].ends_with(" Echoes back the input"), "{found:#?}");
        assert!(found[1].starts_with("    message: string ") && found[1].ends_with(" Message to echo"), "{found:#?}");
        assert_eq!(found[2..5], expected[2..5]);
        let column = |line: &str, text: &str| line.find(text).map(|at| line[..at].width());
        assert_eq!(column(found[0], "Echoes"), column(found[1], "Message to"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = json!({ "name": "long", "description": "word ".repeat(40) + &"x".repeat(200) + "語語語語語語語語語語語語語語語" });
        for columns in [30, 40, 71, 80, 200] {
            let found = shown(&[tools(), vec![long.clone()]].concat(), Some(columns));
            for line in found.lines() {
                assert!(line.width() <= columns.max(34), "{columns}: {line:?} has {}", line.width());
            }
            assert!(found.contains("message: string"), "{found}");
        }
    }
}
