//! Work that an answer leaves.

use std::sync::Arc;

use crate::grants::Progress;
use crate::tasks::Claim;

/// Work to start once an answer is sent.
#[derive(Default)]
pub(super) struct Work {
    pub(super) claims: Vec<Claim>,
    /// Progress of the request that made the tasks.
    pub(super) progress: Option<Arc<Progress>>,
}
