//! What bounds a cell, with the defaults.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::Error;

/// What bounds components, cells and messages. All limits are on by default.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Linear memory of a cell in bytes, all memories together. Default 64 MiB.
    pub memory: usize,
    /// Elements of one table. Default 20,000.
    pub table_elements: usize,
    /// Stack of a guest in bytes. Default 512 KiB.
    pub stack: usize,
    /// Time that a call may compute; what it waits for the host does not count. Default 5 seconds.
    pub cpu_time: Duration,
    /// Time that a call may take, waiting included. Default 15 minutes: people answer some of them.
    pub wall_time: Duration,
    /// Bytes that one host call may move out of the guest. Default 4 MiB.
    pub host_call: usize,
    /// Bytes of a request and of a response. Default 4 MiB.
    pub message_size: usize,
    /// Bytes of a component. Default 64 MiB.
    pub component_size: usize,
    /// Cells at once, in all. Default 1,000; at most what the kernel's `vm.max_map_count` carries, about 10,000.
    pub cells: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            table_elements: 20_000,
            stack: 512 << 10,
            cpu_time: Duration::from_secs(5),
            wall_time: Duration::from_secs(15 * 60),
            host_call: 4 << 20,
            message_size: 4 << 20,
            component_size: 64 << 20,
            cells: 1_000,
        }
    }
}

/// Counts what a store's memories and tables take, and remembers which limit was hit: a guest that is refused
/// memory traps in its own way, and the trap alone does not say why.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_limit: usize,
    table_limit: usize,
    memory: usize,
    hit: Option<Hit>,
}

#[derive(Debug, Clone, Copy)]
enum Hit {
    Memory,
    Table,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { memory_limit: limits.memory, table_limit: limits.table_elements, memory: 0, hit: None }
    }

    /// The limit that was hit, as the error of the call that ended after it.
    pub(super) fn hit(&self) -> Option<Error> {
        self.hit.map(|hit| match hit {
            Hit::Memory => Error::Memory { limit: self.memory_limit },
            Hit::Table => Error::Table { limit: self.table_limit },
        })
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            self.hit = Some(Hit::Memory);
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.table_limit {
            self.hit = Some(Hit::Table);
            return Ok(false);
        }
        Ok(true)
    }

    // The pool bounds instances, tables and memories of a component; counting them again costs time and adds
    // nothing. Python components hold 38 core instances.
    fn instances(&self) -> usize {
        super::engine::CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        super::engine::TABLES as usize
    }

    fn memories(&self) -> usize {
        super::engine::MEMORIES as usize
    }
}
