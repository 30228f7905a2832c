//! The mechanisms of a sandbox: how components are compiled and kept, and what bounds their cells.
//!
//! An [`Engine`] compiles, and has the pool that cells come from; a cell is a fresh store with a fresh instance that
//! lives for one call. What is in a cell's store, what its imports do and what it is called for, stands in other
//! modules: here nothing is known of MCP but how deep its JSON may nest.

mod cache;
mod cache_files;
pub(crate) mod compile;
mod cpu_time;
mod engine;
pub mod file;
mod file_stamp;
mod limits;
mod output;
pub mod pagemap;
mod permits;
mod proposals;
mod scheduler;
mod ticker;

pub use cache_files::prepare as check_cache;
pub(crate) use cpu_time::{metered, overdrawn};
pub(crate) use engine::EvictIdle;
pub use engine::{Engine, EngineOptions, Pool, wasmtime_config};
pub(crate) use limits::Limiter;
pub use limits::Limits;
pub(crate) use output::{Logged, Output};
pub use pagemap::PagemapScan;
pub(crate) use permits::{Permit, Permits};
pub(crate) use scheduler::{CpuAverage, CpuPermit, TimeSlice};
