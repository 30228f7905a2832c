//! Bounds of a message.

/// Bytes of a message, and levels that its JSON may nest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) size: usize,
    pub(crate) depth: usize,
}

impl Bounds {
    /// For the host's own messages, which something else bounds.
    pub(crate) const NONE: Self = Self { size: usize::MAX, depth: usize::MAX };

    /// The least of both.
    pub(crate) fn least(self, other: Self) -> Self {
        Self { size: self.size.min(other.size), depth: self.depth.min(other.depth) }
    }
}
