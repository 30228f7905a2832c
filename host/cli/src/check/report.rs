//! What a check found: as a table for people, and as a document for programs.

use std::fmt;
use std::io::Write;

use serde_json::{Value, json};

use super::verdict::{Fault, Verdict};
use crate::terminal;
use crate::terminal::color::{self, Tone};
use taskcell::kinds::{KINDS, Kind};

/// Characters of a request that are shown; --json has it whole.
const MAX_REQUEST: usize = 400;

/// The groups of rows, in the order of the table.
const GROUPS: &[&str] = &["well-formed", "edge", "malformed", "tasks", "fixture"];

/// A case, and what came of it.
pub(super) struct Row {
    /// The kind; none for a fixture, and for the handler as a whole.
    pub(super) kind: Option<Kind>,
    /// One of [`GROUPS`].
    pub(super) group: &'static str,
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// The request that it was tried with: `method` and `params`.
    pub(super) request: Option<Value>,
    /// The last lines that the handler printed where its cell ended without an answer.
    pub(super) printed: Vec<String>,
}

/// What was found.
pub(crate) struct Report {
    pub(super) file: String,
    pub(super) digest: String,
    pub(super) size: usize,
    pub(super) kinds: Vec<Kind>,
    pub(super) background: bool,
    /// The grants that it was given a stand-in for.
    pub(super) stand_ins: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

/// How many cases came to what.
#[derive(Default)]
pub(crate) struct Counts {
    /// Those that hold.
    passed: usize,
    /// Those of them where the handler gave an error of its own in place of a result.
    errors: usize,
    /// Those that hold, and yet there is something to say.
    warned: usize,
    /// Those that do not hold.
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

    /// Whether there is nothing to say of any case.
    pub(crate) fn is_clean(&self) -> bool {
        self.passed == self.all()
    }

    /// What stands behind the number of those that passed.
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
    /// How many cases came to what.
    pub(crate) fn counts(&self) -> Counts {
        Counts::of(self.rows.iter())
    }

    /// Whether any case failed; a warning is none.
    pub(crate) fn has_failed(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.verdict, Verdict::Failed(_)))
    }

    /// The document of --json; `docs/check.md` says what is in it.
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

    /// The table.
    pub(crate) fn table(&self, out: &mut impl Write) -> std::io::Result<()> {
        let or_none = |words: Vec<&str>| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
        writeln!(out, "file       {}", terminal::one_line(&self.file))?;
        writeln!(out, "sha256     {}", self.digest)?;
        writeln!(out, "size       {} bytes", self.size)?;
        writeln!(out, "kinds      {}", or_none(self.kinds.iter().map(|kind| kind.info().export).collect()))?;
        writeln!(out, "stand-ins  {}\n", or_none(self.stand_ins.clone()))?;
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

    /// What is wrong, with what to change; at most so many faults.
    pub(crate) fn faults(&self, out: &mut impl Write, most: usize) -> std::io::Result<()> {
        let mut shown: Vec<&Row> = Vec::new();
        for row in &self.rows {
            // One mistake is often seen in many cases.
            if shown.len() >= most || shown.iter().any(|shown| shown.is_like(row)) {
                continue;
            }
            if row.fault(out, self.rows.iter().filter(|other| other.is_like(row)))? {
                shown.push(row);
            }
        }
        Ok(())
    }

    /// The line of a kind and a group, where there is anything.
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

    /// Whether the same is wrong in both.
    fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.kind.is_some() && self.verdict == other.verdict && self.words() == other.words()
    }

    /// What was printed, without numbers: addresses of a runtime's own words are others each time.
    fn words(&self) -> String {
        let words = self.printed.join("\n");
        words.chars().filter(|letter| !letter.is_ascii_hexdigit()).collect()
    }

    /// What is wrong, and in which cases; says whether anything is.
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
