//! Fuzz target: any bytes as `taskcell.toml`.
//!
//! For any mistake, the program ends with one printable line that names the file, the line and the column. The line
//! quotes nothing from a place that may hold a secret: the value of a setting, or of an `env`, where people put the
//! secret itself by mistake. To check that, the target replaces each such value by a known value of the same type.

use std::ops::Range;
use std::path::Path;

use taskcell_cli::fuzz_config;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const FILE: &str = "folder/taskcell.toml";

pub(super) fn run(input: &[u8]) {
    read(input);
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(table) = DeTable::parse(text) else {
        quotes_nothing(text);
        return;
    };
    let mut places = Vec::new();
    secrets(table.get_ref(), false, &mut places);
    if places.is_empty() {
        return;
    }
    let mut text = text.to_owned();
    // From the end, so that earlier places stay valid.
    places.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, canary) in places {
        text.replace_range(place, canary);
    }
    let said = read(text.as_bytes());
    for canary in CANARIES {
        assert!(!said.contains(canary.trim_matches('"')), "shown: {said}\nof: {text}");
    }
}

/// Reads a configuration and returns the error text.
fn read(input: &[u8]) -> String {
    match fuzz_config(Path::new(FILE), input) {
        Ok(lines) => lines.join("\n"),
        Err(error) => {
            assert!(!error.contains(char::is_control), "{error:?}");
            let place = error.strip_prefix(FILE).and_then(|rest| rest.strip_prefix(':'));
            let mut place = place.unwrap_or_else(|| panic!("no file: {error}")).splitn(3, ':');
            let mut number = || place.next().and_then(|number| number.parse::<usize>().ok());
            let (line, column) = (number(), number());
            assert!(line > Some(0) && column > Some(0), "no place: {error}");
            let lines = input.split(|byte| *byte == b'\n');
            let line = lines.map(<[u8]>::len).nth(line.unwrap_or_default() - 1);
            assert!(line.is_some_and(|length| column.unwrap_or_default() <= length + 1), "no such place: {error}");
            error
        }
    }
}

/// Stand-ins for secrets: a text, an integer, a fraction, a date.
const CANARIES: [&str; 4] = ["\"hide-this-c4n4ry\"", "918273645546372", "9182736.4554637", "1987-06-05"];

/// Finds the places of all values under an `env`, among settings, or of a model's `key`, each with its stand-in.
fn secrets(table: &DeTable<'_>, secret: bool, places: &mut Vec<(Range<usize>, &'static str)>) {
    for (key, value) in table {
        let key = key.get_ref();
        let holds = matches!(&**key, "env" | "config" | "key");
        // The content of a file is not part of the configuration, so the file's name may be shown.
        values(value, key != "file" && (secret || holds), places);
    }
}

fn values(value: &Spanned<DeValue<'_>>, secret: bool, places: &mut Vec<(Range<usize>, &'static str)>) {
    let [text, whole, fraction, date] = CANARIES;
    let canary = match value.get_ref() {
        DeValue::Array(items) => return items.iter().for_each(|item| values(item, secret, places)),
        DeValue::Table(table) => return secrets(table, secret, places),
        DeValue::String(_) => text,
        DeValue::Integer(_) => whole,
        DeValue::Float(_) => fraction,
        DeValue::Datetime(_) => date,
        DeValue::Boolean(_) => return,
    };
    if secret {
        places.push((value.span(), canary));
    }
}

/// Checks an error for text that is not TOML. It must quote no long word, because the places of values are unknown.
fn quotes_nothing(text: &str) {
    let said = read(text.as_bytes());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let telling = |word: &&str| word.len() >= 12 && word.contains(|c: char| c.is_ascii_digit());
    if let Some(word) = words.filter(telling).find(|word| said.contains(word)) {
        panic!("{word} is quoted: {said}");
    }
}
