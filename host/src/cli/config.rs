//! `taskcell.toml`: what an operator sets once, for every run.
//!
//! The file is used only where it is named, so that a folder that somebody is in never changes what is served. What
//! is wrong in it stops the program: an error names the file, the line and the column, and what would be right. A
//! flag on the command line wins over the file; [`super::tasks_args`] puts the two together.

use std::fmt;
use std::io::Read;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Unexpected, Visitor};
use toml::Spanned;

use super::policy::{HandlerTable, Policy};
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
    #[serde(rename = "handler")]
    tables: Vec<Spanned<HandlerTable>>,
    /// Who answers.
    #[serde(skip)]
    pub(super) handlers: Vec<Policy>,
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
    tasks: Option<Spanned<Whole<usize>>>,
    result_size: Option<Spanned<Whole<usize>>>,
    page: Option<Spanned<Whole<usize>>>,
    lease: Option<Spanned<Time>>,
    attempts: Option<Spanned<Whole<u32>>>,
    recovered: Option<Spanned<Whole<usize>>>,
    rate: Option<Spanned<Whole<u32>>>,
    burst: Option<Spanned<Whole<u32>>>,
}

/// A value that cannot be: where it stands, and why.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: Range<usize>,
    pub(super) why: String,
}

/// A configuration as text.
pub(super) struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    /// A place in it, for people: lines and columns count from one.
    pub(super) fn at(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{}:{line}:{column}", self.file.display())
    }

    /// What its paths are relative to.
    pub(super) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    fn wrong(&self, Wrong { at, why }: Wrong) -> anyhow::Error {
        anyhow!("{}: {why}", self.at(at.start))
    }
}

/// Reads a file of text that has `max` bytes at most.
pub(super) fn read_text(file: &Path, max: u64) -> anyhow::Result<String> {
    let name = file.display();
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file);
    let read = opened.and_then(|opened| opened.take(max + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("{name} cannot be read"))?;
    anyhow::ensure!(bytes.len() as u64 <= max, "{name} has more than {max} bytes");
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        anyhow!("{}: this is no UTF-8", Source { file, text: &before }.at(before.len()))
    })
}

impl Config {
    /// Reads a file. Paths in it are taken from the folder it is in.
    pub(super) fn load(file: &Path) -> anyhow::Result<Self> {
        let text = read_text(file, MAX_SIZE).context("the configuration")?;
        let source = Source { file, text: &text };
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let why = error.message().trim().replace('\n', ", ");
            source.wrong(Wrong { at: error.span().unwrap_or_default(), why })
        })?;
        config.limits = config.table.limits().map_err(|wrong| source.wrong(wrong))?;
        for table in std::mem::take(&mut config.tables) {
            let span = table.span();
            config.handlers.push(table.into_inner().check(span, &source).map_err(|wrong| source.wrong(wrong))?);
        }
        if let Some(Place::File(path)) = &mut config.store {
            *path = source.folder().join(&path);
        }
        if let Some(path) = &mut config.audit.file {
            *path = source.folder().join(&path);
        }
        Ok(config)
    }
}

impl LimitsTable {
    /// The defaults with what the file sets.
    fn limits(&self) -> Result<TaskLimits, Wrong> {
        const SECOND: Duration = Duration::from_secs(1);
        const HOUR: Duration = Duration::from_secs(60 * 60);
        // It goes out in 32 bits of milliseconds.
        const LONGEST: Duration = Duration::from_secs(49 * 24 * 60 * 60);

        let mut limits = TaskLimits::default();
        let why = "a task must live long enough to be fetched, and no longer than 49 days";
        set(&mut limits.default_ttl, &self.default_ttl, SECOND..=LONGEST, why)?;
        set(&mut limits.max_ttl, &self.max_ttl, SECOND..=LONGEST, why)?;
        if limits.default_ttl > limits.max_ttl {
            let (default, max) = (limits.default_ttl, limits.max_ttl);
            let at = self.default_ttl.as_ref().or(self.max_ttl.as_ref()).map(Spanned::span).unwrap_or_default();
            let why = format!("default-ttl is {default:?} and max-ttl is {max:?}: the default must not be the longer");
            return Err(Wrong { at, why });
        }
        let why = "a requestor must pause between two polls, and must come back";
        set(&mut limits.poll_interval, &self.poll_interval, Duration::from_millis(1)..=HOUR, why)?;
        set(&mut limits.tasks, &self.tasks, 1..=10_000_000, "there must be room for a task, and a limit")?;
        let why = "a result must fit, and a store must take it";
        set(&mut limits.result_size, &self.result_size, 1 << 10..=256 << 20, why)?;
        set(&mut limits.page, &self.page, 1..=10_000, "a list must come to its end, in pages")?;
        let why = "work must not be lost when the machine is busy, nor stay for long with a host that is gone";
        set(&mut limits.lease, &self.lease, Duration::from_millis(100)..=HOUR, why)?;
        let why = "work must be begun, and not for ever if it never ends";
        set(&mut limits.attempts, &self.attempts, 1..=1_000_000, why)?;
        let why = "what a stopped host left must be done, and not all at once";
        set(&mut limits.recovered, &self.recovered, 1..=1_000, why)?;
        if self.rate.is_some() || self.burst.is_some() {
            let (mut rate, mut burst) = (TaskLimits::RATE, TaskLimits::BURST);
            let why = "some requests about tasks must be answered";
            set(&mut rate, &self.rate, 1..=u32::MAX, why)?;
            set(&mut burst, &self.burst, 1..=u32::MAX, why)?;
            limits.rate = RateLimit::per_second(NonZeroU32::new(rate), NonZeroU32::new(burst));
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
        let why = format!("{value:?} is not between {least:?} and {most:?}: {why}");
        return Err(Wrong { at: found.span(), why });
    }
    *limit = value;
    Ok(())
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
                time.map(Time).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// A whole number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<T>(pub(super) T);

impl From<Whole<u32>> for u32 {
    fn from(number: Whole<u32>) -> Self {
        number.0
    }
}

impl From<Whole<usize>> for usize {
    fn from(number: Whole<usize>) -> Self {
        number.0
    }
}

impl<'de, T: TryFrom<i64>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number<T>(PhantomData<T>);

        impl<T: TryFrom<i64>> Visitor<'_> for Number<T> {
            type Value = Whole<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number that is not negative")
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Whole<T>, E> {
                T::try_from(number).map(Whole).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }
        }

        deserializer.deserialize_i64(Number(PhantomData))
    }
}

/// A text, or a table.
#[derive(Debug)]
pub(super) enum TextOr<T> {
    Text(String),
    Table(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = TextOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a table")
            }

            fn visit_str<E>(self, text: &str) -> Result<TextOr<T>, E> {
                Ok(TextOr::Text(text.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<TextOr<T>, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Table)
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each limit has a key, and none goes to another's place.
    #[test]
    fn every_limit_can_be_set() {
        let text = r#"
            default-ttl = "11s"
            max-ttl = "12m"
            poll-interval = "13ms"
            tasks = 14
            result-size = 15000
            page = 16
            lease = "1.7s"
            attempts = 18
            recovered = 19
            rate = 1
            burst = 2
        "#;
        let table: LimitsTable = toml::from_str(text).unwrap();
        let limits = table.limits().unwrap();
        let principal = "me".into();
        let TaskLimits {
            default_ttl,
            max_ttl,
            poll_interval,
            tasks,
            result_size,
            page,
            lease,
            attempts,
            recovered,
            rate,
        } = limits;
        let times = [default_ttl, max_ttl, poll_interval, lease].map(|time| time.as_millis());
        assert_eq!(times, [11_000, 720_000, 13, 1_700]);
        assert_eq!((tasks, result_size, page, attempts, recovered), (14, 15_000, 16, 18, 19));
        let admitted = (0..4).filter(|_| rate.admits(&principal)).count();
        assert_eq!(admitted, 2);
    }
}
