//! Commands of the program in the pages: each names a command that there is, with options that it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use taskcell_test_support::cli;
use taskcell_test_support::provision::repository;

use super::files::files;

/// Folders and files with pages that tell users what to run.
const PAGES: [&str; 6] =
    ["CONTRIBUTING.md", "README.md", "SECURITY.md", "docs", "guest-examples", "host/cli/src/languages/templates"];

/// The help texts of the program, by the words of the command.
struct Help(BTreeMap<Vec<String>, String>);

impl Help {
    fn of(&mut self, command: &[String]) -> &str {
        self.0.entry(command.to_vec()).or_insert_with(|| {
            let words = command.iter().cloned().chain(["--help".to_owned()]).collect::<Vec<_>>();
            cli::run(env!("CARGO_BIN_EXE_taskcell-cli"), &words).unwrap().stdout
        })
    }

    /// The commands below a command, by the column of their names.
    fn commands(&mut self, command: &[String]) -> BTreeSet<String> {
        let Some((_, commands)) = self.of(command).split_once("\nCommands:\n") else { return BTreeSet::new() };
        let rows = commands.lines().take_while(|row| !row.is_empty());
        rows.filter_map(|row| row.strip_prefix("  ")?.split(' ').next()).map(str::to_owned).collect()
    }

    /// Whether a command takes an option: `--name`, or letters that each are an option.
    fn takes(&mut self, command: &[String], option: &str) -> bool {
        let help = self.of(command);
        let has = |name: &str| {
            help.lines().any(|line| line.trim_start().split([' ', ',', '=', '[']).take(3).any(|word| word == name))
        };
        match option.strip_prefix("--") {
            Some(_) => has(option),
            None => option[1..].chars().all(|letter| has(&format!("-{letter}"))),
        }
    }

    /// Says what is wrong with a command line, from the first word after `taskcell`.
    fn fault(&mut self, words: &[&str]) -> Option<String> {
        let mut command = Vec::new();
        let mut words = words.iter().map(|word| word.trim_matches(['[', ']'])).peekable();
        loop {
            let commands = self.commands(&command);
            // Options of the program itself may stand before the command.
            while let Some(option) = words.next_if(|word| command.is_empty() && word.starts_with('-')) {
                if !self.takes(&[], option) {
                    return Some(format!("no option {option}"));
                }
            }
            match words.next_if(|_| !commands.is_empty()) {
                Some(word) if commands.contains(word) => command.push(word.to_owned()),
                // The word for any command.
                Some("COMMAND") => return None,
                Some(word) => return Some(format!("no command {word}")),
                None => break,
            }
        }
        let options = words.take_while(|word| *word != "--").filter(|word| word.starts_with('-') && word.len() > 1);
        let options = options.filter_map(|word| word.split('=').next()).collect::<Vec<_>>();
        options.into_iter().find(|option| !self.takes(&command, option)).map(|option| format!("no option {option}"))
    }
}

/// Without what stands in quotes, which is a value; what is quoted at the beginning of a word goes with the word.
fn unquoted(line: &str) -> String {
    line.split('\'').step_by(2).collect::<Vec<_>>().join("VALUE")
}

/// Command lines of a page: in blocks of code, indented or fenced, and between backticks.
fn command_lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let (mut found, mut language) = (Vec::new(), None);
    for line in joined.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            language = if language.is_none() { Some(fence) } else { None };
            continue;
        }
        match language {
            // Code of another language names no commands to type.
            Some("console" | "sh" | "yaml") => {
                found.push(line.trim().trim_start_matches("$ ").trim_start_matches("- run: ").to_owned())
            }
            Some(_) => {}
            None if line.starts_with("    ") => found.push(line.trim().to_owned()),
            None => found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    let set = |word: &&str| word.contains('=') && word.starts_with(|first: char| first.is_ascii_uppercase());
    found.retain(|line| line.split(' ').find(|word| !set(word)) == Some("taskcell"));
    found
}

#[test]
fn commands_in_the_pages_are_taken() {
    let mut help = Help(BTreeMap::new());
    let (mut seen, mut faults) = (0, Vec::new());
    let pages = PAGES.iter().flat_map(|place| match repository().join(place) {
        file if file.is_file() => vec![file],
        folder => files(&folder, &["md"]),
    });
    for page in pages {
        for line in command_lines(&fs::read_to_string(&page).unwrap()) {
            // Redirections are the shell's.
            let line = unquoted(&line);
            let (_, rest) = line.split(" > ").next().unwrap().split_once("taskcell").unwrap();
            let words: Vec<_> = rest.split_whitespace().collect();
            if let Some(fault) = help.fault(&words) {
                faults.push(format!("{}: {fault}: {line}", page.display()));
            }
            seen += 1;
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(seen > 150, "only {seen} commands were found");
}
