//! Runs the tools of a language, and reports how to install missing ones.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// Tool that a build needs, or one of several tools that meet the same need.
pub(super) struct Tool {
    /// Name of the tool, with the versions that work.
    pub(super) what: &'static str,
    /// Command that shows whether the tool is installed.
    pub(super) command: &'static [&'static str],
    /// Whether the command's stdout confirms the tool.
    pub(super) accepts: fn(&str) -> bool,
    /// Command that installs the tool, or the place to get it. Empty for another location of a tool that is listed
    /// already; errors leave that location out.
    pub(super) install: &'static str,
}

/// Needs of a build, one a row. Any one tool of a row meets its need.
pub(super) type Needs = &'static [&'static [Tool]];

impl Tool {
    /// Returns the output of the command when the tool is missing for a project in this folder.
    fn missing(&self, dir: &Path) -> Option<String> {
        let (program, arguments) = self.command.split_first()?;
        let mut command = Command::new(program);
        // Runs in the project's folder, because some tools choose their version by it.
        command.args(arguments).current_dir(dir).stdin(Stdio::null()).stderr(Stdio::null());
        match command.output() {
            Err(_) => Some(format!("there is no `{program}`")),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stdout);
                let good = output.status.success() && (self.accepts)(&said);
                let first = said.lines().next().unwrap_or_default();
                (!good).then(|| format!("`{}` says {first:?}", self.command.join(" ")))
            }
        }
    }
}

/// Returns the first installed tool of a row.
pub(super) fn found<'a>(row: &'a [Tool], dir: &Path) -> Option<&'a Tool> {
    row.iter().find(|tool| tool.missing(dir).is_none())
}

/// Need that no installed tool meets.
pub(crate) struct Unmet {
    /// Tools that would meet the need, with the reason why each is missing.
    pub(crate) what: String,
    /// Instructions to install each tool.
    pub(crate) install: String,
}

/// Returns the unmet needs of a project in a folder.
pub(super) fn unmet<'a>(needs: impl IntoIterator<Item = &'a [Tool]>, dir: &Path) -> Vec<Unmet> {
    let unmet = needs.into_iter().filter(|row| found(row, dir).is_none());
    unmet
        .map(|row| {
            let named = row.iter().filter(|tool| !tool.install.is_empty());
            let reasons = named.filter_map(|tool| Some((tool, tool.missing(dir)?)));
            let (what, install): (Vec<_>, Vec<_>) =
                reasons.map(|(tool, why)| (format!("{} ({why})", tool.what), tool.install)).unzip();
            Unmet { what: what.join(" or "), install: install.join(", or ") }
        })
        .collect()
}

/// Checks that each need is met.
///
/// # Errors
/// Fails for an unmet need. The error names the missing tools, the reasons and how to install the tools.
pub(super) fn need(title: &str, needs: &[&[Tool]], dir: &Path) -> anyhow::Result<()> {
    let (what, mut install): (Vec<_>, Vec<_>) =
        unmet(needs.iter().copied(), dir).into_iter().map(|unmet| (unmet.what, unmet.install)).unzip();
    if what.is_empty() {
        return Ok(());
    }
    install.dedup();
    bail!("a handler in {title} is built with {}; install what is missing: {}", what.join(" and "), install.join("; "))
}

/// Whether a program's version is at least `least`. The version is the first number of the form `1.2` in `said`.
pub(super) fn at_least(said: &str, least: (u32, u32)) -> bool {
    let version = said.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches(|letter: char| !letter.is_ascii_digit()).split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    });
    version.is_some_and(|version: (u32, u32)| version >= least)
}

/// Runs a command to its end. Its output goes to stderr, after a line with the command.
///
/// # Errors
/// Fails when the command cannot be started or fails.
pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    // An author cannot act on a tool's own backtrace.
    command.stdout(std::io::stderr()).env_remove("RUST_BACKTRACE");
    let program = named(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("`{program}` cannot be started"))?;
    ensure!(status.success(), "`{program}` failed ({status}); what it says is wrong stands above");
    Ok(())
}

/// Prints the command to stderr and returns the name of its program.
pub(super) fn named(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    eprintln!("$ {program} {}", arguments.join(" "));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_where_tools_print_them() {
        for (said, least, good) in [
            ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n", (1, 85), true),
            ("cargo 1.84.1", (1, 85), false),
            ("Debian clang version 19.1.7 (3~deb12u1)\nTarget: x", (19, 0), true),
            ("v22.3.0", (20, 0), true),
            ("go version go1.27.1 linux/amd64", (1, 24), true),
            ("2.0", (1, 85), true),
            ("", (0, 0), false),
        ] {
            assert_eq!(at_least(said, least), good, "{said}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_how_to_install_it() {
        const MISSING: Tool =
            Tool { what: "a thing", command: &["no-such-tool"], accepts: |_| true, install: "get a thing" };
        const OLD: Tool = Tool {
            what: "echo 2",
            command: &["echo", "1.0"],
            accepts: |said| at_least(said, (2, 0)),
            install: "get echo",
        };
        const ELSEWHERE: Tool = Tool { what: "a thing", command: &["./no-such-tool"], accepts: |_| true, install: "" };
        const THERE: Tool = Tool { what: "echo", command: &["echo", "1.0"], accepts: |_| true, install: "never" };
        let errors: [(&[&[Tool]], _); 4] = [
            (&[&[THERE], &[MISSING, THERE], &[ELSEWHERE, THERE]], None),
            (
                &[&[MISSING], &[OLD], &[THERE]],
                Some(
                    "a handler in X is built with a thing (there is no `no-such-tool`) and echo 2 (`echo 1.0` says \
                     \"1.0\"); install what is missing: get a thing; get echo",
                ),
            ),
            (
                &[&[OLD, ELSEWHERE, MISSING], &[THERE]],
                Some(
                    "a handler in X is built with echo 2 (`echo 1.0` says \"1.0\") or a thing (there is no \
                     `no-such-tool`); install what is missing: get echo, or get a thing",
                ),
            ),
            (
                &[&[OLD, MISSING], &[MISSING]],
                Some(
                    "a handler in X is built with echo 2 (`echo 1.0` says \"1.0\") or a thing (there is no \
                     `no-such-tool`) and a thing (there is no `no-such-tool`); install what is missing: get echo, or get \
                     a thing; get a thing",
                ),
            ),
        ];
        for (needs, said) in errors {
            let error = need("X", needs, Path::new(".")).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), said);
        }
        assert!(found(&[OLD, MISSING], Path::new(".")).is_none());
        assert_eq!(found(&[OLD, THERE], Path::new(".")).map(|tool| tool.install), Some("never"));
    }
}
