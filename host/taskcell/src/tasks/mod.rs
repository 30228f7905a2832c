//! Tasks: requests whose result is fetched later. A task outlives the process if its store does.
//!
//! Every change goes through [`Tasks`], whether it comes from a handler (through its `tasks` import), from the host or
//! from the operator's command. So the rules of MCP's task utility are kept in one place: a task starts `working`, a
//! final status never changes, times to live have a maximum, and an id that is unknown, expired or another principal's
//! gives the same error. Tasks are kept in a [`TaskStore`]. Any future can do their work. The module depends neither on
//! WebAssembly nor on the transport.
//!
//! | file | contents |
//! |---|---|
//! | `receiver` | the rules: [`Tasks`] |
//! | `worker` | background work: what runs in this process, its leases, and recovery after a stopped host |
//! | `record` | the stored data of a task |
//! | `store` | the trait of the back ends: [`TaskStore`] |
//! | `memory`, `sqlite` | the back ends |
//! | `contract` | the suite that every back end passes |
//! | `aside` | long computations of the host, one at a time for each session |
//! | `holding` | checks of results against requests, off the session's path where they take long |
//! | `cursor` | signed positions in a list |
//! | `limits` | bounds on a principal's tasks |
//! | `audit` | the audit log |

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

/// Returns the size of `value` as JSON in bytes, without building the text.
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

/// Converts a duration to whole milliseconds for the wire. Longer durations become the largest number.
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
