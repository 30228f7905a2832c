//! Table `[limits]` of the configuration: limits of components, cells and messages.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::source::ConfigError;
use super::values::{NonNegative, Size, Time, set};
use taskcell::Limits;
use taskcell::protocol::MAX_DEPTH;
use taskcell_gateway::stdio::lines::MAX_LINE;

/// Table `[limits]`, with the fields of [`Limits`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LimitsTable {
    memory: Option<Spanned<Size>>,
    table_elements: Option<Spanned<NonNegative<usize>>>,
    core_instances: Option<Spanned<NonNegative<u32>>>,
    memories: Option<Spanned<NonNegative<u32>>>,
    tables: Option<Spanned<NonNegative<u32>>>,
    handles: Option<Spanned<NonNegative<usize>>>,
    stack: Option<Spanned<Size>>,
    cpu_time: Option<Spanned<Time>>,
    wall_time: Option<Spanned<Time>>,
    host_call: Option<Spanned<Size>>,
    message_size: Option<Spanned<Size>>,
    json_depth: Option<Spanned<NonNegative<usize>>>,
    component_size: Option<Spanned<Size>>,
    compile_time: Option<Spanned<Time>>,
    cache_size: Option<Spanned<Size>>,
    output: Option<Spanned<Size>>,
    cells: Option<Spanned<NonNegative<u32>>>,
    session_cells: Option<Spanned<NonNegative<u32>>>,
}

impl LimitsTable {
    /// Returns the default limits, overridden by the values of the file.
    pub(super) fn limits(&self) -> Result<Limits, ConfigError> {
        const KIB: usize = 1 << 10;
        const MIB: usize = 1 << 20;
        const GIB: usize = 1 << 30;
        const TIB: u64 = 1 << 40;
        // A component needs at least one of each part.
        const PARTS: RangeInclusive<u32> = 1..=1_000;

        let mut limits = Limits::default();
        let why = "a handler needs a page of memory, and none can address more than 4 GiB";
        set(&mut limits.memory, &self.memory, 64 * KIB..=4 * GIB, why)?;
        let why = "a handler needs some, and the room for them is set aside";
        set(&mut limits.table_elements, &self.table_elements, 1..=1_000_000, why)?;
        let why = "a component is made of some, and a machine carries only so many";
        set(&mut limits.core_instances, &self.core_instances, PARTS, why)?;
        set(&mut limits.memories, &self.memories, PARTS, why)?;
        set(&mut limits.tables, &self.tables, PARTS, why)?;
        set(&mut limits.handles, &self.handles, 1..=1_000_000, "a handler that prints holds some")?;
        let why = "a handler must be able to call its functions, and there is a stack for each cell";
        set(&mut limits.stack, &self.stack, 64 * KIB..=64 * MIB, why)?;
        let why = "a handler must come to its answer, and time is kept to 10 ms";
        set(&mut limits.cpu_time, &self.cpu_time, milliseconds(10)..=hours(1), why)?;
        let why = "a handler must come to its answer, and whoever asked gives up some day";
        set(&mut limits.wall_time, &self.wall_time, milliseconds(10)..=hours(7 * 24), why)?;
        let why = "a handler must hand over its answer, which the host holds in memory";
        set(&mut limits.host_call, &self.host_call, KIB..=GIB, why)?;
        let why = "a message must fit, and a line of a server has no more";
        set(&mut limits.message_size, &self.message_size, KIB..=MAX_LINE, why)?;
        let why = "schemas nest some levels, and a parser must not come to the end of its stack";
        set(&mut limits.json_depth, &self.json_depth, 8..=MAX_DEPTH, why)?;
        let why = "a component must fit, and is read into memory";
        set(&mut limits.component_size, &self.component_size, KIB..=GIB, why)?;
        let why = "a component must be compiled, and somebody waits for it";
        set(&mut limits.compile_time, &self.compile_time, milliseconds(10)..=hours(1), why)?;
        let why = "compiled components are kept on a disk, and the last one is kept in any case";
        set(&mut limits.cache_size, &self.cache_size, 0..=TIB, why)?;
        let why = "it is kept in memory until its cell has ended";
        set(&mut limits.output, &self.output, 0..=64 * MIB, why)?;
        let why = "some cell must run";
        set(&mut limits.cells, &self.cells, 1..=1_000_000, why)?;
        set(&mut limits.session_cells, &self.session_cells, 1..=1_000_000, why)?;
        Ok(limits)
    }
}

const fn milliseconds(number: u64) -> Duration {
    Duration::from_millis(number)
}

const fn hours(number: u64) -> Duration {
    Duration::from_secs(number * 60 * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each limit has a key, and each key sets its own limit.
    #[test]
    fn every_limit_can_be_set() {
        let text = r#"
            memory = "11MiB"
            table-elements = 12
            core-instances = 13
            memories = 14
            tables = 15
            handles = 16
            stack = 170000
            cpu-time = "18s"
            wall-time = "19m"
            host-call = "20KiB"
            message-size = "21 KiB"
            json-depth = 22
            component-size = "1GiB"
            compile-time = "24s"
            cache-size = "28MiB"
            output = 0
            cells = 26
            session-cells = 27
        "#;
        let table: LimitsTable = toml::from_str(text).unwrap();
        let limits = table.limits().unwrap();
        // A new limit without a key changes the number of fields.
        let fields =
            format!("{limits:#?}").lines().filter(|line| line.starts_with("    ") && line.contains(": ")).count();
        assert_eq!(fields, 18, "{limits:#?}");
        let Limits {
            memory,
            table_elements,
            core_instances,
            memories,
            tables,
            handles,
            stack,
            cpu_time,
            wall_time,
            host_call,
            message_size,
            json_depth,
            component_size,
            compile_time,
            cache_size,
            output,
            cells,
            session_cells,
            ..
        } = limits;
        let sizes = [memory, stack, host_call, message_size, component_size, output];
        assert_eq!(sizes, [11 << 20, 170_000, 20 << 10, 21 << 10, 1 << 30, 0]);
        assert_eq!(cache_size, 28 << 20);
        assert_eq!([table_elements, handles, json_depth], [12, 16, 22]);
        assert_eq!([core_instances, memories, tables, cells, session_cells], [13, 14, 15, 26, 27]);
        assert_eq!([cpu_time, wall_time, compile_time].map(|time| time.as_secs()), [18, 19 * 60, 24]);
    }
}
