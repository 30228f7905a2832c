//! Task requests that some servers never send, although a handler exports their kind.
//!
//! The TypeScript SDK sends `sampling/createMessage` and `elicitation/create` only to a client that declares `sampling`
//! or `elicitation`, whether the request asks for a task or not. Like the reference implementation, taskcell declares
//! only what the handlers export. Such a server therefore never asks a handler that exports only augmented kinds.

use std::fmt;

use serde_json::Value;

use crate::terminal::Progress;
use taskcell::kinds::Kind;

/// A kind of request that is declared for tasks only.
pub(crate) struct Unasked {
    /// The augmented kind.
    pub(crate) kind: Kind,
}

/// Lists the kinds that are declared for tasks but not as plain requests.
pub(crate) fn unasked(capabilities: &Value) -> impl Iterator<Item = Unasked> {
    let augmented = [
        (Kind::AugmentedSampling, "/sampling", "/tasks/requests/sampling/createMessage"),
        (Kind::AugmentedElicitation, "/elicitation", "/tasks/requests/elicitation/create"),
    ];
    let is_declared = |at: &str| capabilities.pointer(at).is_some();
    let found = augmented.into_iter().filter(move |(_, plain, task)| is_declared(task) && !is_declared(plain));
    found.map(|(kind, ..)| Unasked { kind }).collect::<Vec<_>>().into_iter()
}

/// Shows the declared capabilities, and those of them that a server may ignore.
pub(crate) fn tell_declared(progress: Progress, capabilities: &Value) {
    progress.line(format!("declared     {capabilities}"));
    for found in unasked(capabilities) {
        progress.line(format!("warning      {found}"));
    }
}

impl Unasked {
    /// Name of the plain kind.
    pub(crate) fn plain(&self) -> &'static str {
        self.kind.plain().unwrap_or(self.kind).info().export
    }
}

impl fmt::Display for Unasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.plain();
        write!(f, "tasks.requests.{plain} is declared without {plain}: servers on the TypeScript SDK will not ask")
    }
}
