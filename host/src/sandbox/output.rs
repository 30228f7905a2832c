//! What a guest prints on stdout and stderr: kept up to a bound, for the log.
//!
//! A guest that prints has nobody to print to, but its author wants to see it. A write never fails, because a
//! failing print ends most languages' programs; what is over the bound is dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;

/// Bytes kept of one cell's output.
const MAX: usize = 64 << 10;

/// The output of one cell.
#[derive(Clone, Default)]
pub(super) struct Output(Arc<Mutex<Vec<u8>>>);
