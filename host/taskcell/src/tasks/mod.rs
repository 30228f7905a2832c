//! Tasks: requests whose answer is fetched later, and outlives the process if its store does.
//!
//! Whoever asks for a change (a handler through its `tasks` import, the host itself, the operator's tool) asks
//! [`Tasks`], so the rules of MCP's task utility are kept in one place: a task starts `working`, a final status never
//! changes, times to live have a maximum, and an id that is unknown, expired or another principal's is the same error.
//! What tasks are kept in is a [`TaskStore`]; what works on them is any future. Neither WebAssembly nor JSON-RPC is
//! known here.
//!
//! | file | knows |
//! |---|---|
//! | `receiver` | the rules: [`Tasks`] |
//! | `worker` | background work: what runs here, under which lease, and what a stopped host left |
//! | `record` | what is kept of a task |
//! | `store` | the trait of the back ends: [`TaskStore`] |
//! | `memory`, `sqlite` | the back ends |
//! | `contract` | the suite that every back end passes |
//! | `aside` | work of the host that may take long, one piece of a conversation at a time |
//! | `holding` | what a result must be, checked where it keeps nobody waiting |
//! | `cursor` | places in a list, signed |
//! | `limits` | what bounds a principal's tasks |
//! | `audit` | who did what to which task |

mod aside;
mod audit;
#[cfg(feature = "contract")]
pub mod contract;
mod cursor;
mod error;
mod holding;
mod limits;
mod memory;
mod receiver;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod worker;

pub use audit::AuditLog;
pub(crate) use audit::{Audited, ModelCall};
pub use error::{TaskError, TaskOperation};
pub use limits::{RateLimit, TaskLimits};
pub use memory::MemoryStore;
pub use receiver::{Actor, CreateOptions, OnChange, Tasks};
pub use record::{
    Claim, Full, Job, Lease, NewTask, Outcome, Room, StoreOutcome, TaskOrigin, TaskRecord, Transition, Work,
};
#[cfg(feature = "sqlite")]
pub use sqlite::{Clear, Cleared, SqliteStore};
pub use store::{PrincipalFilter, StoreError, TaskStore};
pub use worker::Runner;

pub use crate::validation::ExpectedResult;

use std::time::Duration;

use serde::Serialize;

/// Bytes of a value as JSON, which is not made for it.
pub(crate) fn json_size(value: &impl Serialize) -> Result<u64, StoreError> {
    struct Counted(u64);

    impl std::io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len() as u64);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut counted = Counted(0);
    let written = serde_json::to_writer(&mut counted, value);
    written.map_err(|error| StoreError(format!("the task cannot be stored: {error}")))?;
    Ok(counted.0)
}

/// A duration for the wire.
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
