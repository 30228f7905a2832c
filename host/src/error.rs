//! What can go wrong, in one enum.
//!
//! Two families: a component that is not taken (at load, for whoever runs the host, who gets the file and the
//! remedy) and a cell that ends without an answer (at a request, for the peer, who gets -32603 and the kind).
//! [`Error::kind`] is the stable word for each: log field, metric label, and `data.kind` on the wire.

use std::path::PathBuf;
use std::time::Duration;

use crate::kinds::Kind;
use crate::protocol::jsonrpc::code;
use crate::protocol::types::RpcError;

/// What can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host cannot run with these settings on this machine.
    #[error("the engine cannot be set up: {0}")]
    Engine(String),

    // ---- At load ----
    /// The file cannot be read.
    #[error("{}: cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The bytes are no WebAssembly.
    #[error("{handler}: is not a WebAssembly component; build one with the tool chain of your language")]
    NotAComponent {
        /// The handler's name.
        handler: String,
    },
    /// The bytes are a core module, which has no interfaces.
    #[error("{handler}: is a core module, not a component; make it one with `wasm-tools component new`")]
    CoreModule {
        /// The handler's name.
        handler: String,
    },
    /// The component is larger than [`Limits::component_size`](crate::Limits::component_size).
    #[error("{handler}: has {size} bytes, the limit is {limit}; strip it, or raise `component_size`")]
    TooLarge {
        /// The handler's name.
        handler: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The component is not valid, or cannot be compiled or instantiated.
    #[error("{handler}: {reason}; build it again with the tool chain of your language")]
    Invalid {
        /// The handler's name.
        handler: String,
        /// What wasmtime said.
        reason: String,
    },
    /// The component was built for another version of the handler protocol.
    #[error(
        "{handler}: exports or imports `{interface}`, this host speaks `taskcell:handlers@{supported}`; build it against that version"
    )]
    Version {
        /// The handler's name.
        handler: String,
        /// The interface with its version, as the component names it.
        interface: String,
        /// The version of this host.
        supported: &'static str,
    },
    /// The component has an interface of the handler protocol that this version does not know.
    #[error(
        "{handler}: exports or imports `{interface}`, which `taskcell:handlers@{supported}` does not have; check its spelling"
    )]
    UnknownInterface {
        /// The handler's name.
        handler: String,
        /// The interface.
        interface: String,
        /// The version of this host.
        supported: &'static str,
    },
    /// An export does not have the type that the protocol gives it.
    #[error("{handler}: `{export}` has the wrong signature: {reason}; build it against the WIT of this version")]
    Signature {
        /// The handler's name.
        handler: String,
        /// The export.
        export: String,
        /// What differs.
        reason: String,
    },
    /// The component imports what it was not granted.
    #[error("{handler}: imports `{import}`, which is not granted; the grant `{grant}` would allow it")]
    NotGranted {
        /// The handler's name.
        handler: String,
        /// The import.
        import: String,
        /// The grant's name.
        grant: &'static str,
    },
    /// The component imports what no grant gives.
    #[error("{handler}: imports `{import}`, which this host does not have; build it without")]
    UnknownImport {
        /// The handler's name.
        handler: String,
        /// The import.
        import: String,
    },
    /// Two handlers export the same kind.
    #[error("both {first} and {second} export `{}`; give only one handler for each kind", kind.info().export)]
    DuplicateKind {
        /// The kind.
        kind: Kind,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },

    // ---- In a cell ----
    /// The guest trapped.
    #[error("the handler trapped: {0}")]
    Trap(String),
    /// The guest asked for more memory than [`Limits::memory`](crate::Limits::memory).
    #[error("the handler needs more than {limit} bytes of memory")]
    Memory {
        /// The limit in bytes.
        limit: usize,
    },
    /// The guest asked for a larger table than [`Limits::table_elements`](crate::Limits::table_elements).
    #[error("the handler needs a table of more than {limit} elements")]
    Table {
        /// The limit in elements.
        limit: usize,
    },
    /// The guest called too deeply.
    #[error("the handler used up its stack")]
    Stack,
    /// The guest computed for longer than [`Limits::cpu_time`](crate::Limits::cpu_time).
    #[error("the handler computed for more than {limit:?}")]
    Cpu {
        /// The limit.
        limit: Duration,
    },
    /// The guest did not answer within [`Limits::wall_time`](crate::Limits::wall_time).
    #[error("the handler did not answer within {limit:?}")]
    Time {
        /// The limit.
        limit: Duration,
    },
    /// As many cells run as [`Limits::cells`](crate::Limits::cells) allows.
    #[error("too many requests are being handled; try again")]
    Overloaded,
    /// The guest answered with what is no answer of the protocol.
    #[error("the handler broke the protocol: {0}")]
    InvalidAnswer(String),
    /// The answer is larger than [`Limits::message_size`](crate::Limits::message_size).
    #[error("the handler's answer has {size} bytes, the limit is {limit}")]
    AnswerTooLarge {
        /// The answer's size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl Error {
    /// The stable word for this error: log field `error.type`, metric label, `data.kind` of a -32603.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Engine(_) => "engine",
            Self::Read { .. } => "read",
            Self::NotAComponent { .. } => "not_a_component",
            Self::CoreModule { .. } => "core_module",
            Self::TooLarge { .. } => "component_size",
            Self::Invalid { .. } => "invalid_component",
            Self::Version { .. } => "interface_version",
            Self::UnknownInterface { .. } => "unknown_interface",
            Self::Signature { .. } => "signature",
            Self::NotGranted { .. } => "not_granted",
            Self::UnknownImport { .. } => "unknown_import",
            Self::DuplicateKind { .. } => "duplicate_kind",
            Self::Trap(_) => "trap",
            Self::Memory { .. } => "memory",
            Self::Table { .. } => "table",
            Self::Stack => "stack",
            Self::Cpu { .. } => "cpu_time",
            Self::Time { .. } => "wall_time",
            Self::Overloaded => "overloaded",
            Self::InvalidAnswer(_) => "invalid_answer",
            Self::AnswerTooLarge { .. } => "answer_size",
        }
    }

    /// The error as the peer gets it.
    #[must_use]
    pub fn to_rpc(&self) -> RpcError {
        let data = serde_json::json!({ "kind": self.kind() }).to_string();
        RpcError { code: code::INTERNAL_ERROR, message: self.to_string(), data: Some(data) }
    }
}
