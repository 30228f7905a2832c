//! The imports of a component, as grants see them.

use crate::protocol::grant::GrantKind;

/// An import of a component, and the grant that allows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Import {
    /// The interface with its version.
    pub interface: String,
    /// The grant it needs; none where every cell has it (types, WASI with an empty context) or the host does not
    /// know it at all.
    pub grant: Option<GrantKind>,
    /// Whether the host has it.
    pub known: bool,
}
