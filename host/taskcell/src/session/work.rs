//! The work that an answer leaves.

use std::sync::Arc;

use crate::grants::Progress;
use crate::tasks::Claim;

/// Work to start once an answer is out.
#[derive(Default)]
pub(super) struct Work {
    pub(super) claims: Vec<Claim>,
    /// Where the progress of the request goes that it came with.
    pub(super) progress: Option<Arc<Progress>>,
}
