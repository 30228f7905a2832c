//! Suite of tests that every back end of the task store passes, in this crate or elsewhere (feature `contract`).
//!
//! The runtime makes the same promises about tasks over any [`TaskStore`], so the trait's contract is tested here,
//! once. Each case gets two handles of one empty store: it changes the store through one handle and checks it through
//! the other, as two hosts would. A store that is not shared passes the same handle twice. A case fails by a panic, as
//! tests do.
//!
//! ```
//! use std::sync::Arc;
//!
//! use taskcell::tasks::MemoryStore;
//! use taskcell::tasks::contract::{self, Handle};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! contract::check(|| async {
//!     let store: Handle = Arc::new(MemoryStore::new());
//!     (Arc::clone(&store), store)
//! })
//! .await;
//! # }
//! ```
//!
//! [`check`] runs all cases and names those that failed. For one test per case, loop over [`CASES`].
//!
//! A store must keep exactly: text of any characters, including NUL; times from 1900 to 2261 to the nanosecond; times
//! to live up to `u32::MAX` milliseconds, the longest that MCP can express. Results and errors may be kept as the JSON
//! that goes out. A store may refuse any other value with an error.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the suite is test code: a case fails by a panic"
)]

mod leases;
mod records;
mod reserved;
mod room;
mod values;
mod waiting;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::TaskStore;
// The tests of the stores use this function, too. The support code of the tests switches the feature on.
#[cfg(test)]
pub(super) use values::job;

/// Handle of a store.
pub type Handle = Arc<dyn TaskStore>;

/// Future of a running case.
type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Time limit of a case. No case waits longer than a fraction of a second unless something hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Test of one property of a store.
#[derive(Clone, Copy)]
pub struct Case {
    /// Name of the property.
    pub name: &'static str,
    run: fn(Handle, Handle) -> Run,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

impl Case {
    /// Runs the case with two handles of an empty store. Must be called within a tokio runtime with its timer.
    ///
    /// # Panics
    /// Panics when the store lacks the property, or when the case takes more than a minute.
    pub async fn run(&self, one: Handle, other: Handle) {
        let run = tokio::time::timeout(DEADLINE, (self.run)(one, other));
        assert!(run.await.is_ok(), "{} hangs", self.name);
    }
}

macro_rules! cases {
    ($($file:ident :: $case:ident,)*) => {
        &[$(Case {
            name: concat!(stringify!($file), "::", stringify!($case)),
            run: |one, other| Box::pin($file::$case(one, other)),
        }),*]
    };
}

/// All cases.
pub const CASES: &[Case] = cases![
    records::each_field_is_kept,
    records::places_are_given_in_the_order_of_creation,
    records::an_id_is_given_once,
    records::the_limit_is_exact,
    records::a_change_is_made_from_the_last_version,
    records::one_of_many_changes_wins,
    records::an_outcome_is_kept_as_it_goes_out,
    records::an_outcome_does_not_change,
    records::a_list_is_paged,
    records::a_principal_sees_its_own,
    records::what_is_removed_is_gone,
    records::what_has_expired_is_removed,
    records::many_expired_go_step_by_step,
    records::the_secret_is_one,
    waiting::a_change_wakes,
    waiting::the_end_of_a_task_wakes,
    waiting::what_has_changed_is_not_waited_for,
    waiting::no_change_is_missed,
    leases::a_task_is_made_with_its_job,
    leases::a_job_is_kept_whole,
    leases::a_job_is_added_once,
    leases::only_the_newest_lease_counts,
    leases::a_job_ends_with_its_task,
    leases::the_oldest_are_claimed_first,
    leases::work_stays_with_its_principal,
    leases::time_runs_out,
    leases::a_worker_without_time_gets_nothing,
    leases::time_is_extended,
    leases::a_lease_is_given_back,
    leases::a_worker_resigns,
    leases::work_of_a_worker_that_is_gone_is_not_lost,
    leases::a_job_is_claimed_by_one,
    reserved::a_task_that_is_confirmed_stays,
    reserved::a_task_that_gets_its_job_stays,
    reserved::a_task_whose_maker_is_lost_goes,
    reserved::a_reservation_is_its_makers,
    room::what_is_kept_is_bounded,
    room::what_goes_makes_room,
    room::the_bound_is_exact,
];

/// Runs all cases, each with the two handles that `open` returns, and reports the names of those that failed.
///
/// # Panics
/// Panics when the store breaks the contract.
pub async fn check<F, Fut>(open: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = (Handle, Handle)>,
{
    let mut failed = Vec::new();
    for case in CASES {
        let (one, other) = open().await;
        // Each case is a tokio task of its own, so that its panic does not stop the others. The message of the panic is
        // on stderr.
        if tokio::spawn(async move { case.run(one, other).await }).await.is_err() {
            failed.push(case.name);
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed: {}", failed.len(), CASES.len(), failed.join(", "));
}
