//! Limits of a cell, with their defaults.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::CellError;
use crate::protocol::Bounds;
use crate::support::polled;
use crate::telemetry::Measured;

/// Limits of components, cells and messages. All are on by default.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Linear memory of a cell in bytes, all memories together. Default 64 MiB.
    pub memory: usize,
    /// Elements of one table, of which there are [`Limits::tables`]. Default 20,000.
    pub table_elements: usize,
    /// Core instances of a component. Default 64: components of Python have 38.
    pub core_instances: u32,
    /// Linear memories of a component. Default 4.
    pub memories: u32,
    /// Tables of a component. Default 16.
    pub tables: u32,
    /// Resources that a cell may hold at once: its own, and those the host made for it. Default 10,000.
    pub handles: usize,
    /// Stack of a guest in bytes. Default 512 KiB.
    pub stack: usize,
    /// Time that a call may compute; what it waits for the host does not count. Default 5 seconds.
    pub cpu_time: Duration,
    /// Time that a call may take, waiting included. Default 15 minutes: people answer some of them.
    pub wall_time: Duration,
    /// Bytes that one host call may move out of the guest, or have made by WASI at its word; also those of what a guest
    /// returns. Default 4 MiB.
    pub host_call: usize,
    /// Bytes of a request and of a response. Default 4 MiB.
    pub message_size: usize,
    /// Levels that a member of a message may nest which is any JSON. Default 64; at most 100, so that no parser of JSON
    /// comes near the end of its stack.
    pub json_depth: usize,
    /// Bytes of a component. Default 64 MiB.
    pub component_size: usize,
    /// Time that one waits for a component to be compiled. Default 2 minutes. What compiles cannot be interrupted: it
    /// goes on, and [`Limits::component_size`] bounds it.
    pub compile_time: Duration,
    /// Bytes of the compiled components in the [cache](crate::EngineOptions::cache), all files together. When there are
    /// more, those go that were not used for longest; the one that was compiled last stays. Default 1 GiB.
    pub cache_size: u64,
    /// Bytes kept of what a cell prints, for the log. Default 64 KiB.
    pub output: usize,
    /// Cells at once, in all. Default 1,000; at most what the kernel's `vm.max_map_count` carries, about 10,000.
    pub cells: u32,
    /// Cells at once of one session, so that no server takes all of them. Default 500.
    pub session_cells: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            table_elements: 20_000,
            core_instances: 64,
            memories: 4,
            tables: 16,
            handles: 10_000,
            stack: 512 << 10,
            cpu_time: Duration::from_secs(5),
            wall_time: Duration::from_secs(15 * 60),
            host_call: 4 << 20,
            message_size: 4 << 20,
            json_depth: 64,
            component_size: 64 << 20,
            compile_time: Duration::from_secs(2 * 60),
            cache_size: 1 << 30,
            output: 64 << 10,
            cells: 1_000,
            session_cells: 500,
        }
    }
}

impl Limits {
    /// Bounds of a message.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { size: self.message_size, depth: self.json_depth }
    }
}

/// Counts what a store's memories and tables take, and remembers which limit was hit: a guest that is refused
/// memory traps in its own way, and the trap alone does not say why.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_limit: usize,
    table_limit: usize,
    memory: usize,
    hit: Option<Hit>,
    counts: [usize; 3],
    /// Observer of the amount of memory.
    measured: Option<Arc<Measured>>,
}

/// The limit that was hit, and what it would have become.
#[derive(Debug, Clone, Copy)]
enum Hit {
    Memory(usize),
    Table(usize),
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let counts = [limits.core_instances, limits.memories, limits.tables].map(|count| count as usize);
        let (memory_limit, table_limit) = (limits.memory, limits.table_elements);
        Self { memory_limit, table_limit, memory: 0, hit: None, counts, measured: None }
    }

    /// Says from now on how much memory there is.
    pub(crate) fn measure(&mut self, measured: Option<&Arc<Measured>>) {
        self.measured = measured.cloned();
        self.tell();
    }

    fn tell(&self) {
        if let Some(measured) = &self.measured {
            measured.has_memory(self.memory);
        }
    }

    /// The limit that was hit, as the error of the call that ended after it.
    pub(crate) fn hit(&self) -> Option<CellError> {
        self.hit.map(|hit| match hit {
            Hit::Memory(current) => CellError::Memory { current, limit: self.memory_limit },
            Hit::Table(current) => CellError::Table { current, limit: self.table_limit },
        })
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, most: Option<usize>) -> wasmtime::Result<bool> {
        // More than the memory itself may have: it does not grow, and nothing is to be counted.
        if most.is_some_and(|most| desired > most) {
            return Ok(false);
        }
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            self.hit = Some(Hit::Memory(total));
            return Ok(false);
        }
        self.memory = total;
        // What a memory begins with is not touched yet.
        if current > 0 {
            polled::grew(desired.saturating_sub(current));
        }
        self.tell();
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, most: Option<usize>) -> wasmtime::Result<bool> {
        // The pool's own maximum is this limit.
        if most.is_some_and(|most| desired > most && most < self.table_limit) {
            return Ok(false);
        }
        if desired > self.table_limit {
            self.hit = Some(Hit::Table(desired));
            return Ok(false);
        }
        Ok(true)
    }

    // A component with more was refused when it was loaded; these are for wasmtime, whose own defaults are higher.
    fn instances(&self) -> usize {
        let [instances, ..] = self.counts;
        instances
    }

    fn memories(&self) -> usize {
        let [_, memories, _] = self.counts;
        memories
    }

    fn tables(&self) -> usize {
        let [.., tables] = self.counts;
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All memories count together, and what a memory may not have by itself does not count at all.
    #[test]
    fn memory_is_that_of_all_memories() {
        let limits = Limits { memory: 1_000, ..Limits::default() };
        let mut limiter = Limiter::new(&limits);
        for (current, desired, most, taken) in [
            (0, 400, None, true),
            (0, 400, Some(500), true),
            // Again and again, as a guest may that tries how far it gets.
            (400, 600, Some(500), false),
            (400, 600, Some(500), false),
            (400, 600, None, true),
        ] {
            assert_eq!(limiter.memory_growing(current, desired, most).unwrap(), taken, "{current} {desired} {most:?}");
            assert!(limiter.hit().is_none());
        }
        assert!(!limiter.memory_growing(400, 401, None).unwrap());
        assert!(matches!(limiter.hit(), Some(CellError::Memory { current: 1_001, limit: 1_000 })));
    }
}
