//! Imports and exports of a project's JavaScript modules, compared with its world. componentize-qjs creates a component
//! with all exports of the world, even those that the modules lack, and each call of a missing export traps.
//!
//! This is no parser. Imports and exports are statements at the outermost level of a module, so words, strings and
//! brackets suffice once comments, regular expressions and templates are skipped.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::world::{Names, nearest};

/// Maximum number of modules of a project to read.
const MAX_MODULES: usize = 1_000;

/// Imports and exports of a module.
#[derive(Default)]
struct Module {
    /// Exported names.
    exports: BTreeSet<String>,
    /// Whether the module re-exports all names of another module, so that some names are unknown.
    exports_others: bool,
    /// Imports, with their line numbers.
    imports: Vec<(String, usize)>,
}

/// Returns the place and the fix of the first import from the host that the world does not have. Reads all modules that
/// relative paths reach.
pub(super) fn unknown_import(dir: &Path, entry: &str, world: &Names) -> Option<String> {
    let mut waiting = VecDeque::from([dir.join(entry)]);
    let mut seen = BTreeSet::new();
    while let Some(path) = waiting.pop_front() {
        if seen.len() >= MAX_MODULES || !seen.insert(path.clone()) {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (name, line) in Module::read(&text).imports {
            if name.starts_with("./") || name.starts_with("../") {
                waiting.push_back(joined(&path, &name));
            } else if name.contains(':') && name.contains('/') && !world.imports.contains(&name) {
                let shown = path.strip_prefix(dir).unwrap_or(&path).display();
                return Some(format!("{shown}:{line}: imports {name}, {}", remedy(&name, world)));
            }
        }
    }
    None
}

fn remedy(name: &str, world: &Names) -> String {
    match world.imports.iter().find(|known| unversioned(known) == unversioned(name)) {
        Some(known) => format!("which the world in wit has as {known}"),
        None => format!("which the world in wit does not import: add `import {name};` to it, or correct the name"),
    }
}

fn unversioned(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

/// Returns the first export of the world that the entry module lacks, with the fix.
pub(super) fn missing_export(dir: &Path, entry: &str, world: &Names) -> Option<String> {
    let module = Module::read(&fs::read_to_string(dir.join(entry)).ok()?);
    if module.exports_others {
        return None;
    }
    let missing = world.exports.iter().find(|name| {
        let ways = [camel(name), (*name).clone(), unversioned(name).to_owned()];
        !ways.iter().any(|way| module.exports.contains(way))
    })?;
    let wanted = camel(missing);
    let meant = nearest(&wanted, module.exports.iter().cloned());
    let fix = meant.map_or_else(
        || "write it, or take the line out of the world".to_owned(),
        |name| format!("did you mean its export `{name}`?"),
    );
    Some(format!("{entry} has no export `{wanted}`, and the world in wit exports {missing}: {fix}"))
}

/// Returns the JavaScript name of an interface or a function of the world: `getTask` for
/// `taskcell:handlers/get-task@0.1.0`.
fn camel(name: &str) -> String {
    let name = unversioned(name).rsplit('/').next().unwrap_or_default();
    let mut words = name.split('-');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

fn joined(module: &Path, relative: &str) -> PathBuf {
    let mut path = module.parent().unwrap_or(module).to_path_buf();
    for part in relative.split('/') {
        match part {
            "." | "" => {}
            ".." => _ = path.pop(),
            part => path.push(part),
        }
    }
    path
}

/// Lexical token of a module.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

/// Token with the number of open brackets before it and its line number.
struct Placed {
    token: Token,
    depth: usize,
    line: usize,
}

impl Module {
    fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut module = Self::default();
        for (at, placed) in tokens.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            let is_word = |word: &str| before.is_some_and(|before| before.depth == 0 && before.is(word));
            match &placed.token {
                Token::Text(name) if is_word("from") || is_word("import") => {
                    module.imports.push((name.clone(), placed.line));
                }
                Token::Word(word) if word == "export" && placed.depth == 0 && !before.is_some_and(Placed::is_dot) => {
                    module.export(tokens.get(at..).unwrap_or_default().get(1..).unwrap_or_default());
                }
                _ => {}
            }
        }
        module
    }

    /// Reads the tokens after `export`.
    fn export(&mut self, rest: &[Placed]) {
        let word = |at: usize| rest.get(at).and_then(|placed| placed.token.name());
        match rest.first().map(|placed| &placed.token) {
            Some(Token::Mark('*')) => match (word(1), word(2)) {
                (Some("as"), Some(name)) => _ = self.exports.insert(name.to_owned()),
                _ => self.exports_others = true,
            },
            Some(Token::Mark('{')) => {
                let inside: Vec<_> = rest.iter().skip(1).take_while(|placed| placed.depth > 0).collect();
                for item in inside.split(|placed| placed.token == Token::Mark(',')) {
                    // The item is `name` or `name as other`.
                    self.exports.extend(item.iter().rev().find_map(|placed| placed.token.name()).map(str::to_owned));
                }
            }
            Some(Token::Word(first)) if first == "default" => _ = self.exports.insert(first.clone()),
            Some(Token::Word(first)) if matches!(first.as_str(), "const" | "let" | "var") => {
                // A pattern has more names than it declares. The extra names do no harm.
                let names = rest.iter().skip(1).take_while(|placed| !placed.is_mark('=') && !placed.is_end());
                self.exports.extend(names.filter_map(|placed| placed.token.name()).map(str::to_owned));
                self.exports.extend(further(rest));
            }
            Some(Token::Word(_)) => {
                let kinds = ["async", "function", "class"];
                let words = rest.iter().filter_map(|placed| placed.token.name());
                self.exports.extend(words.take(3).find(|word| !kinds.contains(word)).map(str::to_owned));
            }
            _ => {}
        }
    }
}

/// Returns the names of a declaration after its first: those behind a comma and before a `=`, up to the next statement.
fn further(rest: &[Placed]) -> Vec<String> {
    let statement = rest.iter().skip(1).take_while(|placed| !placed.is_end());
    let outer: Vec<_> = statement.filter(|placed| placed.depth == 0).collect();
    let names = outer.windows(2).filter_map(|pair| match pair {
        [comma, name] if comma.is_mark(',') => name.token.name().map(str::to_owned),
        _ => None,
    });
    names.collect()
}

impl Placed {
    fn is(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(found) if found == word)
    }

    fn is_mark(&self, mark: char) -> bool {
        self.depth == 0 && self.token == Token::Mark(mark)
    }

    /// Whether a declaration ends here at the latest.
    fn is_end(&self) -> bool {
        const STATEMENTS: [&str; 7] = ["export", "import", "const", "let", "var", "function", "class"];
        self.is_mark(';') || self.depth == 0 && STATEMENTS.iter().any(|word| self.is(word))
    }

    fn is_dot(&self) -> bool {
        self.token == Token::Mark('.')
    }
}

impl Token {
    /// Returns the name that a word or a string gives.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Text(name) => Some(name),
            Self::Mark(_) => None,
        }
    }

    /// Whether a `/` after the token is a division instead of a regular expression.
    fn is_value(&self) -> bool {
        const BEFORE_VALUES: [&str; 12] =
            ["return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "yield", "await"];
        match self {
            Self::Word(word) => !BEFORE_VALUES.contains(&word.as_str()),
            Self::Text(_) | Self::Mark(')' | ']') => true,
            Self::Mark(_) => false,
        }
    }
}

/// Splits a module into tokens.
fn tokens(text: &str) -> Vec<Placed> {
    let mut reader = Reader { rest: text, line: 1, depth: 0, templates: Vec::new(), found: Vec::new() };
    while reader.step() {}
    reader.found
}

/// Tokenizer of a module.
struct Reader<'a> {
    rest: &'a str,
    line: usize,
    depth: usize,
    /// Number of open brackets at each template that an expression interrupts.
    templates: Vec<usize>,
    found: Vec<Placed>,
}

impl Reader<'_> {
    /// Reads a token. Returns whether there was one.
    fn step(&mut self) -> bool {
        let mut letters = self.rest.chars();
        let Some(first) = letters.next() else { return false };
        match (first, letters.next()) {
            ('/', Some('/')) => self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
            ('/', Some('*')) => self.skip(self.rest.find("*/").map_or(self.rest.len(), |end| end.saturating_add(2))),
            ('/', _) if !self.found.last().is_some_and(|last| last.token.is_value()) => {
                let length = regex(self.rest).unwrap_or(1);
                self.push(Token::Text(String::new()), length);
            }
            ('"' | '\'', _) => {
                let end = quoted(self.rest, first);
                let inner = self.rest.get(1..end.saturating_sub(1)).unwrap_or_default().to_owned();
                self.push(Token::Text(inner), end);
            }
            ('`', _) => self.template(1),
            ('}', _) if self.templates.last() == Some(&self.depth) => {
                self.templates.pop();
                self.template(1);
            }
            (letter, _) if is_word(letter) => {
                let end = self.rest.find(|letter: char| !is_word(letter)).unwrap_or(self.rest.len());
                self.push(Token::Word(self.rest.get(..end).unwrap_or_default().to_owned()), end);
            }
            (letter, _) if letter.is_whitespace() => self.skip(letter.len_utf8()),
            (letter, _) => self.mark(letter),
        }
        true
    }

    /// Reads a template, from behind its first quote or an expression in it, to its end or the next expression.
    fn template(&mut self, from: usize) {
        let mut escaped = false;
        let mut before = ' ';
        for (at, letter) in self.rest.char_indices().skip_while(|(at, _)| *at < from) {
            let end = at.saturating_add(letter.len_utf8());
            if std::mem::take(&mut escaped) {
                before = ' ';
                continue;
            }
            match letter {
                '\\' => escaped = true,
                '`' => return self.push(Token::Text(String::new()), end),
                '{' if before == '$' => {
                    self.templates.push(self.depth);
                    return self.push(Token::Mark('$'), end);
                }
                _ => {}
            }
            before = letter;
        }
        self.skip(self.rest.len());
    }

    fn mark(&mut self, letter: char) {
        if matches!(letter, ')' | ']' | '}') {
            self.depth = self.depth.saturating_sub(1);
        }
        self.push(Token::Mark(letter), letter.len_utf8());
        if matches!(letter, '(' | '[' | '{') {
            self.depth = self.depth.saturating_add(1);
        }
    }

    fn push(&mut self, token: Token, length: usize) {
        self.found.push(Placed { token, depth: self.depth, line: self.line });
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.line = self.line.saturating_add(skipped.matches('\n').count());
        self.rest = rest;
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$' || letter == '#'
}

/// Returns the length of a string with its quotes.
fn quoted(text: &str, quote: char) -> usize {
    ended(text, |letter| letter == quote || letter == '\n').unwrap_or(text.len())
}

/// Returns the length of a regular expression, or none when the line ends first, which makes it a division.
fn regex(text: &str) -> Option<usize> {
    let line = text.split('\n').next().unwrap_or_default();
    let mut is_class = false;
    ended(line, |letter| {
        match letter {
            '[' => is_class = true,
            ']' => is_class = false,
            _ => {}
        }
        letter == '/' && !is_class
    })
}

/// Returns the length up to the character that ends something. The first character and an escaped one do not count.
fn ended(text: &str, mut is_end: impl FnMut(char) -> bool) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if is_end(letter) {
            return Some(at.saturating_add(letter.len_utf8()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn exports_and_imports_are_found() {
        #[rustfmt::skip]
        let cases: [(&str, &[&str], &[&str]); 20] = [
            ("export const sampling = { handle: () => 1 };", &["sampling"], &[]),
            ("export const a = 1, b = { c: 2, d: [3, e] }, f = 4;", &["a", "b", "f"], &[]),
            ("export let a\nexport var b\nconst c = 1", &["a", "b"], &[]),
            ("export function roots() {}\nexport async function* more() {}", &["roots", "more"], &[]),
            ("export class Roots extends Base {}", &["Roots"], &[]),
            ("const x = 1; export { x, y as getTask, z as \"a:b/c\" };", &["x", "getTask", "a:b/c"], &[]),
            ("export {\n  a, // b\n  /* c, */ d as e,\n};", &["a", "e"], &[]),
            ("export { a as roots } from './other.js';", &["roots"], &["./other.js"]),
            ("export * as roots from \"./roots.js\"", &["roots"], &["./roots.js"]),
            ("export default { roots: 1 }", &["default"], &[]),
            ("import * as tasks from \"taskcell:handlers/tasks@0.1.0\";", &[], &["taskcell:handlers/tasks@0.1.0"]),
            ("import a, { b as c } from 'x';import 'y'", &[], &["x", "y"]),
            ("// export const a = 1\n/* export const b = 2 */ const c = 'export const d = 3'", &[], &[]),
            ("const t = `export const a ${ `${ { export: 1 } }` } export const b`; export const c = 1", &["c"], &[]),
            ("const r = /['\"`]/g, q = a / b; export const c = /[/]export/", &["c"], &[]),
            ("function f() { export_(); }\nx.export = 1; export const { a, b: [c] } = y;", &["a", "b", "c"], &[]),
            ("const s = 'it\\'s'; export const a = \"\\\"\";", &["a"], &[]),
            ("import(\"dynamic\"); const from = \"x\"; export const a = from", &["a"], &[]),
            ("const t = `\\${export const a \\` `; export const b = `$`, c = 2", &["b", "c"], &[]),
            ("export const été = 1; export const $a_1 = 2", &["été", "$a_1"], &[]),
        ];
        for (text, exports, imports) in cases {
            let module = Module::read(text);
            let expected: BTreeSet<_> = exports.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(module.exports, expected, "{text}");
            let found: Vec<_> = module.imports.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(found, imports, "{text}");
            assert!(!module.exports_others, "{text}");
        }
        assert!(Module::read("export * from './all.js'").exports_others);
        assert_eq!(Module::read("\n/*\n*/\nimport 'a:b/c'").imports, [("a:b/c".to_owned(), 4)]);
        for cut in ["`", "`${", "'", "/*", "export", "export {", "export const", "/", "\\", "}", "export *"] {
            let _ = Module::read(cut);
        }
    }

    #[test]
    fn modules_are_held_against_the_world() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let world = Names {
            imports: names(&["taskcell:handlers/tasks@0.1.0"]),
            exports: names(&["taskcell:handlers/get-task@0.1.0", "nothing-at-all"]),
        };
        let (dir, entry) = (folder.path(), "app.js");
        let missing = |text: &str| {
            write(entry, text);
            missing_export(dir, entry, &world)
        };
        assert_eq!(missing("export const getTask = {}; export function nothingAtAll() {}"), None);
        assert_eq!(missing("export { a as 'taskcell:handlers/get-task', b as nothingAtAll }"), None);
        assert_eq!(missing("export * from './all.js'"), None);
        let said = missing("export const getTasks = {}; export function nothingAtAll() {}").unwrap();
        assert!(
            said.contains("no export `getTask`, ")
                && said.contains("its export `getTasks`?")
                && said.contains("handlers/get-task@0.1.0"),
            "{said}"
        );
        let said = missing("export const getTask = {};").unwrap();
        assert!(said.contains("no export `nothingAtAll`") && said.contains("write it"), "{said}");

        write("lib.js", "\nimport { user } from 'taskcell:handlers/user@0.1.0';");
        write("other.js", "import * as t from 'taskcell:handlers/tasks@0.2.0';");
        let unknown = |text: &str| {
            write(entry, text);
            unknown_import(dir, entry, &world)
        };
        assert_eq!(unknown("import * as tasks from 'taskcell:handlers/tasks@0.1.0'; import 'package'"), None);
        assert_eq!(unknown("import './none.js'; import './app.js'"), None);
        let said = unknown("import './lib.js'").unwrap();
        assert!(
            said.starts_with("lib.js:2: ") && said.contains("add `import taskcell:handlers/user@0.1.0;`"),
            "{said}"
        );
        let said = unknown("import './x/../other.js'").unwrap();
        assert!(said.contains("which the world in wit has as taskcell:handlers/tasks@0.1.0"), "{said}");
    }
}
