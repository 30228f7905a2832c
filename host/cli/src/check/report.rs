//! Report of a check: a table for people and a JSON document for programs.

use std::fmt;
use std::io::Write;

use serde_json::{Value, json};

use super::verdict::{Fault, Verdict};
use crate::terminal;
use crate::terminal::color::{self, Tone};
use taskcell::grants::GrantKind;
use taskcell::kinds::{KINDS, Kind};

/// Maximum number of characters of a request in the table. --json has the complete request.
const MAX_REQUEST: usize = 400;

/// Groups of rows, in the order of the table.
const GROUPS: &[&str] = &["well-formed", "edge", "malformed", "tasks", "fixture"];

/// A case with its verdict.
pub(super) struct Row {
    /// Kind of the request. None for a fixture, and for the handler as a whole.
    pub(super) kind: Option<Kind>,
    /// Group, one of [`GROUPS`].
    pub(super) group: &'static str,
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// Request of the case: `method` and `params`.
    pub(super) request: Option<Value>,
    /// Last lines that the handler printed when its cell ended without an answer.
    pub(super) printed: Vec<String>,
}

/// Results of a check.
pub(crate) struct Report {
    pub(super) file: String,
    pub(super) digest: String,
    pub(super) size: usize,
    pub(super) kinds: Vec<Kind>,
    pub(super) background: bool,
    /// Grants of the handler that were mocked.
    pub(super) stand_ins: Vec<GrantKind>,
    pub(super) rows: Vec<Row>,
}

/// Number of cases by verdict.
#[derive(Default)]
pub(crate) struct Counts {
    /// Passed cases.
    passed: usize,
    /// Passed cases with an error of the handler in place of a result.
    errors: usize,
    /// Passed cases with a warning.
    warned: usize,
    /// Failed cases.
    failed: usize,
}

impl Counts {
    fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            let count = match &row.verdict {
                Verdict::Passed(_) | Verdict::PassedWithError(_) => &mut counts.passed,
                Verdict::Warned(_) => &mut counts.warned,
                Verdict::Failed(_) => &mut counts.failed,
            };
            *count = count.saturating_add(1);
            if let Verdict::PassedWithError(_) = &row.verdict {
                counts.errors = counts.errors.saturating_add(1);
            }
        }
        counts
    }

    fn all(&self) -> usize {
        self.passed.saturating_add(self.warned).saturating_add(self.failed)
    }

    /// Whether no case has an error, a warning or a failure.
    pub(crate) fn is_clean(&self) -> bool {
        self.passed == self.all()
    }

    /// Returns the text after the number of passed cases.
    fn with_errors(&self) -> String {
        if self.errors == 0 { String::new() } else { format!(" ({} with an error of the handler)", self.errors) }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, warned, failed, .. } = self;
        write!(f, "{passed} passed{}, {warned} warned, {failed} failed", self.with_errors())
    }
}

impl Report {
    /// Counts the cases by verdict.
    pub(crate) fn counts(&self) -> Counts {
        Counts::of(self.rows.iter())
    }

    /// Whether any case failed. A warning is no failure.
    pub(crate) fn has_failed(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.verdict, Verdict::Failed(_)))
    }

    /// Returns the document of --json, which `docs/check.md` describes.
    pub(crate) fn document(&self) -> Value {
        let Counts { passed, errors, warned, failed } = self.counts();
        let checks: Vec<_> = self.rows.iter().map(Row::document).collect();
        json!({
            "file": self.file,
            "sha256": self.digest,
            "size": self.size,
            "kinds": self.kinds.iter().map(|kind| kind.info().export).collect::<Vec<_>>(),
            "background": self.background,
            "standIns": self.stand_ins,
            "ok": !self.has_failed(),
            "passed": passed,
            "errors": errors,
            "warned": warned,
            "failed": failed,
            "checks": checks,
        })
    }

    /// Writes the table.
    pub(crate) fn table(&self, out: &mut impl Write) -> std::io::Result<()> {
        let or_none = |words: Vec<&str>| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
        writeln!(out, "file       {}", terminal::one_line(&self.file))?;
        writeln!(out, "sha256     {}", self.digest)?;
        writeln!(out, "size       {} bytes", self.size)?;
        writeln!(out, "kinds      {}", or_none(self.kinds.iter().map(|kind| kind.info().export).collect()))?;
        writeln!(out, "stand-ins  {}\n", or_none(self.stand_ins.iter().map(|grant| grant.as_str()).collect()))?;
        let kinds =
            KINDS.iter().map(|row| Some(row.kind)).filter(|kind| kind.is_some_and(|kind| self.kinds.contains(&kind)));
        for kind in kinds.chain([None]) {
            for group in GROUPS {
                self.line(out, kind, group)?;
            }
        }
        self.faults(out, usize::MAX)?;
        writeln!(out, "\n{}", self.counts())
    }

    /// Writes at most `most` faults, each with its fix.
    pub(crate) fn faults(&self, out: &mut impl Write, most: usize) -> std::io::Result<()> {
        let mut shown: Vec<&Row> = Vec::new();
        for row in &self.rows {
            // One mistake often shows in many cases.
            if shown.len() >= most || shown.iter().any(|shown| shown.is_like(row)) {
                continue;
            }
            if row.fault(out, self.rows.iter().filter(|other| other.is_like(row)))? {
                shown.push(row);
            }
        }
        Ok(())
    }

    /// Writes the line of a kind and a group, unless it has no rows.
    fn line(&self, out: &mut impl Write, kind: Option<Kind>, group: &str) -> std::io::Result<()> {
        let rows = || self.rows.iter().filter(|row| row.kind == kind && row.group == group);
        let Some(first) = rows().next() else { return Ok(()) };
        let counts = Counts::of(rows());
        let (of, passed, all) = (first.of(), counts.passed, counts.all());
        writeln!(out, "{of:<22} {group:<12} {passed} of {all} passed{}", counts.with_errors())
    }
}

impl Row {
    fn of(&self) -> &'static str {
        let other = if self.group == "fixture" { "fixtures" } else { "handler" };
        self.kind.map_or(other, |kind| kind.info().export)
    }

    /// Whether two rows show the same fault.
    fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.kind.is_some() && self.verdict == other.verdict && self.words() == other.words()
    }

    /// Returns the printed lines without digits, because addresses in a runtime's messages differ each time.
    fn words(&self) -> String {
        let words = self.printed.join("\n");
        words.chars().filter(|letter| !letter.is_ascii_hexdigit()).collect()
    }

    /// Writes the fault of the row, with the names of all cases that share it. Returns whether there is a fault.
    fn fault<'a>(&'a self, out: &mut impl Write, alike: impl Iterator<Item = &'a Self>) -> std::io::Result<bool> {
        let (word, Fault { got, fix, see }) = match &self.verdict {
            Verdict::Passed(_) | Verdict::PassedWithError(_) => return Ok(false),
            Verdict::Warned(fault) => (("warning", Tone::Doubtful), fault),
            Verdict::Failed(fault) => (("failed", Tone::Bad), fault),
        };
        let word = color::painted(word.0, word.1, color::is_on(&std::io::stdout()));
        writeln!(out, "\n{word}: {}: {}: {}", self.of(), self.group, terminal::one_line(&self.name))?;
        let alike: Vec<_> = alike.skip(1).map(|row| row.name.as_str()).collect();
        if !alike.is_empty() {
            writeln!(out, "  also     {}", alike.join("; "))?;
        }
        if let Some(request) = &self.request {
            writeln!(out, "  request  {}", taskcell::text::one_line(&shown(request), MAX_REQUEST))?;
        }
        let printed = self.printed.join("\n");
        for (key, text) in [("got", got), ("printed", &printed), ("fix", fix), ("see", see)] {
            if text.is_empty() {
                continue;
            }
            let mut lines = text.lines();
            writeln!(out, "  {key:<8} {}", lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(out, "           {line}")?;
            }
        }
        Ok(true)
    }

    fn document(&self) -> Value {
        let (verdict, got, fault) = match &self.verdict {
            Verdict::Passed(got) | Verdict::PassedWithError(got) => ("passed", got, None),
            Verdict::Warned(fault) => ("warned", &fault.got, Some(fault)),
            Verdict::Failed(fault) => ("failed", &fault.got, Some(fault)),
        };
        json!({
            "kind": self.kind.map(|kind| kind.info().export),
            "group": self.group,
            "name": self.name,
            "verdict": verdict,
            "got": got,
            "printed": self.printed,
            "error": matches!(self.verdict, Verdict::PassedWithError(_)),
            "fix": fault.map(|fault| &fault.fix),
            "see": fault.map(|fault| &fault.see),
            "request": self.request,
        })
    }
}

fn shown(request: &Value) -> String {
    match (request.get("method").and_then(Value::as_str), request.get("params")) {
        (Some(method), Some(params)) => format!("{method} {params}"),
        _ => request.to_string(),
    }
}
