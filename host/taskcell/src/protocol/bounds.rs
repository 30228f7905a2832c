//! Bounds of a message.

/// Bytes of a message, and levels that its JSON may nest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) size: usize,
    pub(crate) depth: usize,
}

impl Bounds {
    /// No limits: for the host's own messages, which other limits cover.
    pub(crate) const NONE: Self = Self { size: usize::MAX, depth: usize::MAX };

    /// Returns the smaller limit of both, member by member.
    pub(crate) fn least(self, other: Self) -> Self {
        Self { size: self.size.min(other.size), depth: self.depth.min(other.depth) }
    }
}
