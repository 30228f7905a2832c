//! Table `[task-limits]` of the configuration: limits of a principal's tasks.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::source::ConfigError;
use super::values::{NonNegative, Size, Time, set};
use taskcell::tasks::{RateLimit, TaskLimits};

/// Table `[task-limits]`, with the fields of [`TaskLimits`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TaskLimitsTable {
    default_ttl: Option<Spanned<Time>>,
    max_ttl: Option<Spanned<Time>>,
    poll_interval: Option<Spanned<Time>>,
    tasks: Option<Spanned<NonNegative<usize>>>,
    result_size: Option<Spanned<Size>>,
    total_size: Option<Spanned<Size>>,
    page: Option<Spanned<NonNegative<usize>>>,
    lease: Option<Spanned<Time>>,
    attempts: Option<Spanned<NonNegative<u32>>>,
    recovered: Option<Spanned<NonNegative<usize>>>,
    rate: Option<Spanned<NonNegative<u32>>>,
    burst: Option<Spanned<NonNegative<u32>>>,
}

impl TaskLimitsTable {
    /// Returns the default limits, overridden by the values of the file.
    pub(super) fn limits(&self) -> Result<TaskLimits, ConfigError> {
        const SECOND: Duration = Duration::from_secs(1);
        const HOUR: Duration = Duration::from_secs(60 * 60);
        // A time to live is sent as milliseconds in 32 bits.
        const LONGEST: Duration = Duration::from_secs(49 * 24 * 60 * 60);

        let mut limits = TaskLimits::default();
        let why = "a task must live long enough to be fetched, and no longer than 49 days";
        set(&mut limits.default_ttl, &self.default_ttl, SECOND..=LONGEST, why)?;
        set(&mut limits.max_ttl, &self.max_ttl, SECOND..=LONGEST, why)?;
        if limits.default_ttl > limits.max_ttl {
            let (default, max) = (limits.default_ttl, limits.max_ttl);
            let at = self.default_ttl.as_ref().or(self.max_ttl.as_ref()).map(Spanned::span).unwrap_or_default();
            let why = format!("default-ttl is {default:?} and max-ttl is {max:?}: the default must not be the longer");
            return Err(ConfigError::new(at, why));
        }
        let why = "a requestor must pause between two polls, and must come back";
        set(&mut limits.poll_interval, &self.poll_interval, Duration::from_millis(1)..=HOUR, why)?;
        set(&mut limits.tasks, &self.tasks, 1..=10_000_000, "there must be room for a task, and a limit")?;
        let why = "a result must fit, and a store must take it";
        set(&mut limits.result_size, &self.result_size, 1 << 10..=256 << 20, why)?;
        let why = "there must be room for a task, and the disk must not be filled";
        set(&mut limits.total_size, &self.total_size, 1 << 20..=1 << 40, why)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each limit has a key, and each key sets its own limit.
    #[test]
    fn every_limit_can_be_set() {
        let text = r#"
            default-ttl = "11s"
            max-ttl = "12m"
            poll-interval = "13ms"
            tasks = 14
            result-size = 15000
            total-size = 1500000
            page = 16
            lease = "1.7s"
            attempts = 18
            recovered = 19
            rate = 1
            burst = 2
        "#;
        let table: TaskLimitsTable = toml::from_str(text).unwrap();
        let limits = table.limits().unwrap();
        let principal = "me".into();
        // A new limit without a key changes the number of fields.
        let is_field = |line: &&str| line.starts_with("    ") && !line.starts_with("     ") && line.contains(": ");
        assert_eq!(format!("{limits:#?}").lines().filter(is_field).count(), 11, "{limits:#?}");
        let TaskLimits {
            default_ttl,
            max_ttl,
            poll_interval,
            tasks,
            result_size,
            total_size,
            page,
            lease,
            attempts,
            recovered,
            rate,
            ..
        } = limits;
        let times = [default_ttl, max_ttl, poll_interval, lease].map(|time| time.as_millis());
        assert_eq!(times, [11_000, 720_000, 13, 1_700]);
        assert_eq!((tasks, result_size, page, attempts, recovered), (14, 15_000, 16, 18, 19));
        assert_eq!(total_size, 1_500_000);
        let admitted = (0..4).filter(|_| rate.refuses(&principal).is_none()).count();
        assert_eq!(admitted, 2);
    }
}
