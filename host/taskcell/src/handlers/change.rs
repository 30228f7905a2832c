//! Effect of a replacement of handlers, for the application that must inform its server or its user.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::set::{Handlers, Responder};
use crate::kinds::{KINDS, Kind};

/// Difference between the previous and the current handlers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The components that were replaced, came or went.
    pub components: Vec<ComponentChange>,
    /// Kinds that were not served and are now. A server of revision 2025-11-25 was told at `initialize` what is served
    /// and will not ask for them; one of 2026-07-28 is told with the next request.
    pub added: Vec<Kind>,
    /// Kinds that were served and get their default error now.
    pub removed: Vec<Kind>,
    /// Kinds that another component, or another closure, takes than before.
    pub moved: Vec<Kind>,
    /// The capabilities that followed from the handlers before.
    pub capabilities_before: Value,
    /// Capabilities that follow from the current handlers.
    pub capabilities: Value,
}

/// A component that was replaced, came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComponentChange {
    /// Name of the handler.
    pub handler: String,
    /// The digest that it had; none where it is new.
    pub before: Option<String>,
    /// The digest that it has; none where it is gone.
    pub after: Option<String>,
}

impl Change {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { components, added, removed, moved, capabilities_before, capabilities } = self;
        components.is_empty()
            && [added, removed, moved].iter().all(|kinds| kinds.is_empty())
            && capabilities_before == capabilities
    }

    /// Whether requests of a kind are answered by another than before.
    pub(crate) fn concerns(&self, kind: Kind) -> bool {
        [&self.added, &self.removed, &self.moved].iter().any(|kinds| kinds.contains(&kind))
    }

    pub(crate) fn between(before: &Handlers, after: &Handlers) -> Self {
        let serves = |handlers: &Handlers, kind: Kind| !matches!(handlers.responder(kind), Responder::Default);
        let kinds = || KINDS.iter().map(|row| row.kind);
        let moved = |kind: &Kind| match (before.handler_for(*kind), after.handler_for(*kind)) {
            (Some(before), Some(after)) => !before.is(after),
            _ => false,
        };
        Self {
            components: components(before, after),
            added: kinds().filter(|kind| !serves(before, *kind) && serves(after, *kind)).collect(),
            removed: kinds().filter(|kind| serves(before, *kind) && !serves(after, *kind)).collect(),
            moved: kinds().filter(moved).collect(),
            capabilities_before: before.capabilities(),
            capabilities: after.capabilities(),
        }
    }
}

fn components(before: &Handlers, after: &Handlers) -> Vec<ComponentChange> {
    let only_in = |one: &Handlers, other: &Handlers| {
        let is_in_other = |component: &Arc<_>| other.components().any(|found| Arc::ptr_eq(found, component));
        let only = one.components().filter(|component| !is_in_other(component)).cloned();
        only.collect::<Vec<_>>()
    };
    let (gone, mut came) = (only_in(before, after), only_in(after, before));
    let mut changes = Vec::new();
    for component in gone {
        let successor = came.iter().position(|found| found.name() == component.name());
        let successor = successor.map(|place| came.remove(place));
        changes.push(ComponentChange {
            handler: component.name().to_owned(),
            before: Some(component.digest().to_owned()),
            after: successor.map(|component| component.digest().to_owned()),
        });
    }
    changes.extend(came.iter().map(|component| ComponentChange {
        handler: component.name().to_owned(),
        before: None,
        after: Some(component.digest().to_owned()),
    }));
    changes
}

/// One line for people: digests, kinds that came and went, and the capabilities where they are others.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Digits of a digest that tell two components apart for people.
        const DIGITS: usize = 12;
        if self.is_empty() {
            return f.write_str("nothing changed");
        }
        let mut parts = Vec::new();
        for ComponentChange { handler, before, after } in &self.components {
            let short = |digest: &Option<String>| match digest {
                Some(digest) => digest.get(..DIGITS).unwrap_or(digest).to_owned(),
                None => "none".to_owned(),
            };
            parts.push(format!("{handler} {} -> {}", short(before), short(after)));
        }
        let names = |kinds: &[Kind]| kinds.iter().map(|kind| kind.info().export).collect::<Vec<_>>().join(", ");
        for (what, kinds) in [("added", &self.added), ("removed", &self.removed)] {
            if !kinds.is_empty() {
                parts.push(format!("{what}: {}", names(kinds)));
            }
        }
        if self.capabilities_before != self.capabilities {
            parts.push(format!("capabilities {} -> {}", self.capabilities_before, self.capabilities));
        }
        if parts.is_empty() {
            parts.push(format!("taken by another: {}", names(&self.moved)));
        }
        f.write_str(&parts.join("; "))
    }
}
