//! Components and the cells they run in.
//!
//! An [`Engine`] compiles; a [`Handler`] is a component that was checked and pre-linked; a cell is a fresh store
//! with a fresh instance that lives for one call. Everything that can be done once is done when the handler is
//! loaded, so that a call looks nothing up and checks no type. Of MCP this module knows what `kinds` tells it.

mod cache;
mod cache_files;
mod cell;
mod compile;
mod engine;
mod exports;
pub(crate) mod file;
mod handler;
mod kept;
mod limits;
mod meter;
mod output;
pub(crate) mod pagemap;
mod places;
mod proposals;
mod seen;
mod ticker;
mod turns;

#[cfg(feature = "cli")]
pub(crate) use cache_files::prepare as check_cache;
pub(crate) use cell::{CellState, call};
pub use engine::{Engine, EngineOptions, Pool, wasmtime_config};
pub(crate) use exports::{
    Answer, AugmentedElicitation, AugmentedSampling, Background, CancelTask, Elicitation, Export, GetTask,
    GetTaskResult, ListTasks, Roots, Sampling,
};
pub use handler::{Handler, Import};
pub(crate) use kept::Kept;
pub use limits::Limits;
pub use pagemap::PagemapScan;
pub(crate) use places::Places;
pub(crate) use turns::Slice;

/// The WIT package of the handler protocol.
pub const PACKAGE: &str = "taskcell:handlers";
/// Its version. Components built for the same minor version are taken.
pub const PACKAGE_VERSION: &str = "0.1.0";
