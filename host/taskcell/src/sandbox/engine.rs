//! The engine: how components are compiled, and the pool their cells come from.
//!
//! The settings are those measured in `docs/history/performance.md`. The rule behind them: nothing on the request path
//! maps, unmaps or protects memory, because each such call makes a second thread slow the first one down.

use std::any::Any;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use tokio::sync::Semaphore;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::cache::Cache;
use super::limits::Limits;
use super::pagemap::{Decision, PagemapScan};
use super::permits::{Permit, Permits};
use super::scheduler::CpuScheduler;
use super::ticker::Ticker;
use crate::protocol::json::MAX_DEPTH;
use crate::support::lock;
use crate::{CellError, EngineError};

/// Memory maps that a cell takes in the worst case; the kernel bounds their number.
const MAPS_PER_CELL: u64 = 6;
/// Components that are compiled at once. Who gave up waiting leaves a compiler that goes on; with more of them, those
/// who ask again and again would take all processors.
const COMPILING: usize = 2;
/// Bytes of a used memory that stay resident and are cleared by hand, which costs less than an unmap.
const KEEP_RESIDENT: usize = 256 << 10;

/// Setup of an [`Engine`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Limits of components, cells and messages.
    pub limits: Limits,
    /// Where compiled components are kept; nowhere when absent. Only this user may be able to write there, for
    /// what is found there is run as it is.
    pub cache: Option<PathBuf>,
    /// Whether the pool scans the page map for the pages that a cell wrote.
    pub pagemap_scan: PagemapScan,
}

/// Compiles components and holds the pool their cells come from. Cloning it is cheap and shares both.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// Contents of an [`Engine`]'s pool: resources in use by cells, and resources kept for the next ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pool {
    /// Core instances of cells.
    pub core_instances: u64,
    /// Linear memories of cells.
    pub memories: usize,
    /// Tables of cells.
    pub tables: usize,
    /// Stacks of cells.
    pub stacks: usize,
    /// Bytes of memories and tables that no cell has and that stay resident for the next.
    pub idle: usize,
}

/// Cells that wait for another request, and give way to those that have one.
pub(crate) trait EvictIdle: Send + Sync + 'static {
    /// Ends the cell that has waited longest. False when there is none.
    fn evict_one(&self) -> bool;
}

struct Shared {
    engine: wasmtime::Engine,
    limits: Limits,
    cells: Arc<Permits>,
    /// Owners of cells that wait for another request.
    idle: Mutex<Vec<Weak<dyn EvictIdle>>>,
    compiling: Arc<Semaphore>,
    cache: Option<Cache>,
    ticker: Ticker,
    scheduler: CpuScheduler,
    /// Value that a higher layer keeps for all components of the engine.
    kept: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

impl Engine {
    /// Sets an engine up: reserves address space, starts the epoch ticker.
    ///
    /// # Errors
    /// When this machine cannot carry the limits, or the cache is not this user's alone.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let EngineOptions { limits, cache, pagemap_scan } = options;
        if limits.cells == 0 {
            return Err(EngineError("no cell may run: `cells` is 0; use at least 1".to_owned()));
        }
        if limits.json_depth > MAX_DEPTH {
            let depth = limits.json_depth;
            return Err(EngineError(format!("`json_depth` is {depth}: no parser takes that; use at most {MAX_DEPTH}")));
        }
        check_map_count(limits.cells)?;
        let pagemap = Decision::new(pagemap_scan);
        tracing::debug!(scan = pagemap.scan, "{pagemap}");
        let engine =
            wasmtime::Engine::new(&config(&limits, &pagemap)).map_err(|error| EngineError(format!("{error:#}")))?;
        let cache = cache.map(|folder| Cache::open(folder, limits.cache_size, &engine)).transpose()?;
        let cells = Arc::new(Permits::new(limits.cells));
        let compiling = Arc::new(Semaphore::new(COMPILING));
        let (ticker, scheduler) = (Ticker::start(engine.clone())?, CpuScheduler::default());
        Ok(Self {
            shared: Arc::new(Shared {
                engine,
                limits,
                cells,
                idle: Mutex::default(),
                compiling,
                cache,
                ticker,
                scheduler,
                kept: OnceLock::new(),
            }),
        })
    }

    /// The limits it was set up with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Current contents of the pool.
    #[must_use]
    pub fn pool(&self) -> Pool {
        // The engine of this module always has a pool.
        let Some(metrics) = self.shared.engine.pooling_allocator_metrics() else { return Pool::default() };
        let idle = metrics.unused_memory_bytes_resident().saturating_add(metrics.unused_table_bytes_resident());
        Pool {
            core_instances: metrics.core_instances(),
            memories: metrics.memories(),
            tables: metrics.tables(),
            stacks: metrics.stacks(),
            idle,
        }
    }

    /// Whether compiled components are kept.
    pub fn has_cache(&self) -> bool {
        self.shared.cache.is_some()
    }

    /// The file of the cache with the component of this digest, when it is there.
    pub fn cached(&self, digest: &str) -> Option<PathBuf> {
        self.shared.cache.as_ref().and_then(|cache| cache.file(digest))
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.shared.engine
    }

    /// The value of this type that a higher layer keeps with the engine; none before [`Engine::keep`].
    pub(crate) fn kept<T: Any>(&self) -> Option<&T> {
        self.shared.kept.get()?.downcast_ref()
    }

    /// Keeps a value with the engine, unless there is one already.
    pub(crate) fn keep(&self, value: impl Any + Send + Sync) {
        // The one that was there first is as good.
        let _ = self.shared.kept.set(Box::new(value));
    }

    pub(super) fn cache(&self) -> Option<&Cache> {
        self.shared.cache.as_ref()
    }

    pub(crate) fn touch(&self) {
        self.shared.ticker.touch();
    }

    pub(crate) fn scheduler(&self) -> &CpuScheduler {
        &self.shared.scheduler
    }

    /// A place for one more cell. When there is none, a cell that only waits for another request makes room.
    pub(crate) fn admit(&self) -> Result<Permit<&Permits>, CellError> {
        let cells = &self.shared.cells;
        let permit = cells.take().or_else(|| self.evict_idle().then(|| cells.take()).flatten());
        permit.ok_or(CellError::Overloaded { limit: cells.limit() })
    }

    /// Ends a cell that waits. False when there is none.
    fn evict_idle(&self) -> bool {
        let idle = lock(&self.shared.idle);
        let idle: Vec<_> = idle.iter().filter_map(Weak::upgrade).collect();
        idle.iter().any(|idle| idle.evict_one())
    }

    /// The places for cells.
    pub(crate) fn permits(&self) -> &Arc<Permits> {
        &self.shared.cells
    }

    /// Makes room by ending cells that wait there.
    pub(crate) fn may_evict(&self, waiting: &Arc<impl EvictIdle>) {
        let mut idle = lock(&self.shared.idle);
        idle.retain(|idle| idle.strong_count() > 0);
        if !idle.iter().any(|idle| std::ptr::addr_eq(idle.as_ptr(), Arc::as_ptr(waiting))) {
            let waiting: Weak<_> = Arc::downgrade(waiting);
            idle.push(waiting);
        }
    }

    /// The places of those who compile.
    pub(super) fn compiling(&self) -> Arc<Semaphore> {
        Arc::clone(&self.shared.compiling)
    }
}

/// The settings of the engine, for those who compare it with another use of wasmtime (`benches/`): those that
/// [`PagemapScan::Auto`] gives on this machine.
#[doc(hidden)]
#[must_use]
pub fn wasmtime_config(limits: &Limits) -> Config {
    config(limits, &Decision::new(PagemapScan::Auto))
}

fn config(limits: &Limits, pagemap: &Decision) -> Config {
    let Limits { cells, core_instances, memories, tables, .. } = *limits;
    // Most handlers have one memory and a table or two, so the pool has that for each cell; the largest that is taken
    // fits in any case.
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(cells)
        .total_core_instances(cells.saturating_mul(core_instances))
        .max_core_instances_per_component(core_instances)
        .total_memories(cells.saturating_add(memories))
        .max_memories_per_component(memories)
        .max_memories_per_module(memories)
        .total_tables(cells.saturating_mul(2).saturating_add(tables))
        .max_tables_per_component(tables)
        .max_tables_per_module(tables)
        .total_stacks(cells)
        .max_memory_size(limits.memory)
        .table_elements(limits.table_elements)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .pagemap_scan(pagemap.setting())
        // A slot that last held another component costs 12 µs more: keep enough of each.
        .max_unused_warm_slots(100);

    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .max_wasm_stack(limits.stack)
        .async_stack_size(limits.stack.saturating_add(1 << 20))
        .epoch_interruption(true)
        // No guest tool chain needs these; each costs time or attack surface.
        .concurrency_support(false)
        .gc_support(false)
        .wasm_gc(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        // Sizes of instances vary by component; the trap's message names functions, not source lines.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    config
}

/// Refuses more cells than the kernel has memory maps for: running out of them aborts in unrelated places.
fn check_map_count(cells: u32) -> Result<(), EngineError> {
    let Ok(text) = std::fs::read_to_string("/proc/sys/vm/max_map_count") else { return Ok(()) };
    let Ok(maps) = text.trim().parse::<u64>() else { return Ok(()) };
    let most = maps / MAPS_PER_CELL;
    if u64::from(cells) > most {
        return Err(EngineError(format!(
            "{cells} cells at once need more memory maps than vm.max_map_count = {maps} allows; use at most {most}, or raise it"
        )));
    }
    Ok(())
}
