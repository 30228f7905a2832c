//! `taskcell.toml`: what an operator sets once, for every run.
//!
//! The file is used only where it is named, so that a folder that somebody is in never changes what is served. What
//! is wrong in it stops the program: an error names the file, the line and the column, and what would be right. A
//! flag on the command line wins over the file; [`super::tasks_args`] puts the two together.

use std::fmt;
use std::io::Read;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};
use toml::Spanned;

use super::store::Place;
use super::tasks_args::TaskMode;
use crate::tasks::{RateLimit, TaskLimits};

/// Bytes of a file that are read: one that is larger is no configuration.
const MAX_SIZE: u64 = 1 << 20;

/// What a file sets. What it leaves out is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    /// Who takes requests about tasks.
    pub(super) tasks: Option<TaskMode>,
    /// Where tasks are kept.
    pub(super) store: Option<Place>,
    /// Whose tasks are served.
    pub(super) principal: Option<Name>,
    #[serde(rename = "task-limits")]
    table: LimitsTable,
    /// What bounds the tasks: the defaults with what the table has.
    #[serde(skip)]
    pub(super) limits: TaskLimits,
    /// The audit log.
    pub(super) audit: AuditTable,
    /// What the handlers support of elicitation.
    pub(super) elicitation: ElicitationTable,
    /// What the handlers support of sampling.
    pub(super) sampling: SamplingTable,
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuditTable {
    /// The file that lines are added to.
    pub(super) file: Option<PathBuf>,
    /// Whether requests and answers stand in it whole.
    pub(super) payloads: Option<bool>,
}

/// `[elicitation]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ElicitationTable {
    /// By a form.
    pub(super) form: Option<bool>,
    /// By a page.
    pub(super) url: Option<bool>,
}

/// `[sampling]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SamplingTable {
    /// With tools.
    pub(super) tools: Option<bool>,
}

/// `[task-limits]`: the fields of [`TaskLimits`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct LimitsTable {
    default_ttl: Option<Spanned<Time>>,
    max_ttl: Option<Spanned<Time>>,
    poll_interval: Option<Spanned<Time>>,
    tasks: Option<Spanned<usize>>,
    result_size: Option<Spanned<usize>>,
    page: Option<Spanned<usize>>,
    lease: Option<Spanned<Time>>,
    attempts: Option<Spanned<u32>>,
    recovered: Option<Spanned<usize>>,
    rate: Option<Spanned<u32>>,
    burst: Option<Spanned<u32>>,
}

/// A value that cannot be: where it stands, and why.
#[derive(Debug)]
struct Wrong {
    at: Range<usize>,
    why: String,
}

impl Config {
    /// Reads a file. Paths in it are taken from the folder it is in.
    pub(super) fn load(file: &Path) -> anyhow::Result<Self> {
        let name = file.display();
        let mut bytes = Vec::new();
        let opened = std::fs::File::open(file);
        let read = opened.and_then(|opened| opened.take(MAX_SIZE + 1).read_to_end(&mut bytes));
        read.with_context(|| format!("the configuration {name} cannot be read"))?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(anyhow!("the configuration {name} has more than {MAX_SIZE} bytes"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let before =
                String::from_utf8_lossy(error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default());
            anyhow!("{}: this is no UTF-8, which TOML is written in", place(file, &before, before.len()))
        })?;
        let wrong = |Wrong { at, why }: Wrong| anyhow!("{}: {why}", place(file, &text, at.start));
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let why = error.message().trim().replace('\n', ", ");
            wrong(Wrong { at: error.span().unwrap_or_default(), why })
        })?;
        config.limits = config.table.limits().map_err(wrong)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        if let Some(Place::File(path)) = &mut config.store {
            *path = folder.join(&path);
        }
        if let Some(path) = &mut config.audit.file {
            *path = folder.join(&path);
        }
        Ok(config)
    }
}

impl LimitsTable {
    /// The defaults with what the file sets.
    fn limits(&self) -> Result<TaskLimits, Wrong> {
        const SECOND: Duration = Duration::from_secs(1);
        const HOUR: Duration = Duration::from_secs(60 * 60);
        // A time to live goes out in 32 bits of milliseconds.
        const LONGEST: Duration = Duration::from_millis(u32::MAX as u64);

        let mut limits = TaskLimits::default();
        let gone = "a task must live long enough to be fetched, and no longer than 49 days";
        set(&mut limits.default_ttl, &self.default_ttl, SECOND..=LONGEST, gone)?;
        set(&mut limits.max_ttl, &self.max_ttl, SECOND..=LONGEST, gone)?;
        if limits.default_ttl > limits.max_ttl {
            let (default, max) = (limits.default_ttl, limits.max_ttl);
            let at = self.default_ttl.as_ref().or(self.max_ttl.as_ref()).map(Spanned::span).unwrap_or_default();
            let why = format!("default-ttl is {default:?} and max-ttl is {max:?}: the default must not be the longer");
            return Err(Wrong { at, why });
        }
        let asks = "a requestor would ask without a pause, or never";
        set(&mut limits.poll_interval, &self.poll_interval, Duration::from_millis(1)..=HOUR, asks)?;
        set(&mut limits.tasks, &self.tasks, 1..=10_000_000, "no task could be made, or there would be no limit")?;
        let size = "no result would fit, or more than a store takes";
        set(&mut limits.result_size, &self.result_size, 1 << 10..=256 << 20, size)?;
        set(&mut limits.page, &self.page, 1..=10_000, "a list would have no end, or one page without one")?;
        let lease = "work would be lost whenever the machine is busy, or stay for long with a host that is gone";
        set(&mut limits.lease, &self.lease, Duration::from_millis(100)..=HOUR, lease)?;
        set(&mut limits.attempts, &self.attempts, 1..=1_000_000, "no work would be done, or failing work for ever")?;
        let left = "what a stopped host left would never be done, or all at once";
        set(&mut limits.recovered, &self.recovered, 1..=1_000, left)?;
        if self.rate.is_some() || self.burst.is_some() {
            let (mut rate, mut burst) = (2_000, 10_000);
            set(&mut rate, &self.rate, 1..=u32::MAX, "every request about tasks would be refused")?;
            set(&mut burst, &self.burst, 1..=u32::MAX, "every request about tasks would be refused")?;
            limits.rate = RateLimit::per_second(rate.try_into().ok(), burst.try_into().ok());
        }
        Ok(limits)
    }
}

/// Takes a value of the file, if there is one and it can be.
fn set<T, V>(limit: &mut V, found: &Option<Spanned<T>>, bounds: RangeInclusive<V>, why: &str) -> Result<(), Wrong>
where
    T: Copy + Into<V>,
    V: PartialOrd + fmt::Debug,
{
    let Some(found) = found else { return Ok(()) };
    let value: V = (*found.get_ref()).into();
    if !bounds.contains(&value) {
        let (least, most) = bounds.into_inner();
        let why = format!("{value:?} is not within {least:?} and {most:?}: {why} otherwise");
        return Err(Wrong { at: found.span(), why });
    }
    *limit = value;
    Ok(())
}

/// A place in a file, for people: lines and columns count from one.
fn place(file: &Path, text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{line}:{column}", file.display())
}

/// A duration as text, such as `90s`, `10m` or `1h 30m`.
#[derive(Debug, Clone, Copy)]
struct Time(Duration);

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a time as text, such as "500ms", "90s", "10m" or "24h""#)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Time, E> {
                let read: Result<jiff::SignedDuration, _> = text.parse();
                let time = read.ok().and_then(|time| Duration::try_from(time).ok());
                time.map(Time).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// The name of a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

impl Name {
    /// Longest name, in characters: it stands in every task.
    const MAX: usize = 200;
}

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name.trim().is_empty() {
            return Err("a principal needs a name".to_owned());
        }
        if name.chars().count() > Self::MAX || name.chars().any(char::is_control) {
            return Err(format!("a principal's name has {} characters at most, and no control characters", Self::MAX));
        }
        Ok(Self(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
