//! End of a command.

/// The result of a command that was run, which its exit code tells.
pub(crate) enum Outcome {
    /// A good result: exit code 0.
    Success,
    /// A result that is an error: exit code 1.
    ErrorResult,
}
