//! Requests for tasks that some servers never send, though a handler takes them.
//!
//! The SDK for TypeScript sends `sampling/createMessage` and `elicitation/create` only to a client that declares `sampling` or
//! `elicitation`, whether the request is for a task or not. taskcell declares just what handlers export, as the reference
//! implementation does, so a handler of the augmented kinds alone is not asked by such a server.

use std::fmt;

use serde_json::Value;

use super::terminal::Progress;
use taskcell::kinds::Kind;

/// A kind of request that is declared for tasks alone.
pub(super) struct Unasked {
    /// The augmented kind.
    pub(super) kind: Kind,
}

/// The kinds that are declared for tasks and not plainly.
pub(super) fn unasked(capabilities: &Value) -> impl Iterator<Item = Unasked> {
    let augmented = [
        (Kind::AugmentedSampling, "/sampling", "/tasks/requests/sampling/createMessage"),
        (Kind::AugmentedElicitation, "/elicitation", "/tasks/requests/elicitation/create"),
    ];
    let is_declared = |at: &str| capabilities.pointer(at).is_some();
    let found = augmented.into_iter().filter(move |(_, plain, task)| is_declared(task) && !is_declared(plain));
    found.map(|(kind, ..)| Unasked { kind }).collect::<Vec<_>>().into_iter()
}

/// Shows what is declared to a server, and what of it the server may pass over.
pub(super) fn tell_declared(progress: Progress, capabilities: &Value) {
    progress.line(format!("declared     {capabilities}"));
    for found in unasked(capabilities) {
        progress.line(format!("warning      {found}"));
    }
}

impl Unasked {
    /// The name of the plain kind.
    pub(super) fn plain(&self) -> &'static str {
        self.kind.plain().unwrap_or(self.kind).info().export
    }
}

impl fmt::Display for Unasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.plain();
        write!(f, "tasks.requests.{plain} is declared without {plain}: servers on the TypeScript SDK will not ask")
    }
}
