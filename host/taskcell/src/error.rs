//! Errors of this crate, in one enum.
//!
//! There are two families. A component that is refused fails at load: the operator gets the file and the remedy. A cell
//! that ends without an answer fails at a request: the peer gets -32603 and the kind. [`Error::kind`] is the stable
//! word for each: log field, metric label, and `data.kind` on the wire.

use std::path::PathBuf;
use std::time::Duration;

use crate::kinds::Kind;
use crate::protocol::types::RpcError;
use crate::telemetry::{ErrorType, Usage, limit_hit};

/// Errors of this crate.
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
        /// Error of the operating system.
        reason: std::io::Error,
    },
    /// The bytes are no WebAssembly.
    #[error("{handler}: is not a WebAssembly component; build one with the tool chain of your language")]
    NotAComponent {
        /// The handler's name.
        handler: String,
    },
    /// The bytes are a core module, which has no interfaces.
    #[error(
        "{handler}: is a core module, not a component; make it one with `taskcell tool component-new` or `wasm-tools component new`"
    )]
    CoreModule {
        /// The handler's name.
        handler: String,
    },
    /// The component is larger than [`Limits::component_size`](crate::Limits::component_size).
    #[error("{handler}: has {size} bytes, the limit is {limit}; strip it, or raise `component_size`")]
    TooLarge {
        /// The handler's name.
        handler: String,
        /// Size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The component is not valid, or cannot be compiled or instantiated.
    #[error("{handler}: {reason}; build it again with the tool chain of your language")]
    Invalid {
        /// The handler's name.
        handler: String,
        /// Error text of wasmtime.
        reason: String,
    },
    /// The component is valid, and needs a part of WebAssembly that this host leaves out.
    #[error("{handler}: needs {needs}, which this host leaves out; {remedy}")]
    LeftOut {
        /// The handler's name.
        handler: String,
        /// The part.
        needs: &'static str,
        /// Remedy for the component's author.
        remedy: &'static str,
    },
    /// The component is made of more than [`Limits`](crate::Limits) allows.
    #[error("{handler}: has {current} {}, the limit is {limit}; build it smaller, or raise `{}`", part.names().2, part.names().1)]
    Shape {
        /// The handler's name.
        handler: String,
        /// Part that the component has too much of.
        part: Part,
        /// Actual amount of the part.
        current: u64,
        /// The limit.
        limit: u64,
    },
    /// Compiling the component took longer than [`Limits::compile_time`](crate::Limits::compile_time).
    #[error("{handler}: was not compiled within {limit:?}; build it smaller, or raise `compile_time`")]
    CompileTime {
        /// The handler's name.
        handler: String,
        /// The limit.
        limit: Duration,
    },
    /// The component ran into a limit when it was instantiated.
    #[error("{handler}: cannot be instantiated: {reason}; build it again with the tool chain of your language")]
    Start {
        /// The handler's name.
        handler: String,
        /// The limit, as the error of a cell.
        reason: Box<Error>,
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
        /// Description of the difference.
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
        /// The names of all grants that the component's imports need and that are missing, each once; `grant` is the
        /// first.
        missing: Vec<&'static str>,
    },
    /// The component imports what no grant gives.
    #[error("{handler}: imports {}", unknown(import))]
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

    /// The component is another than the one that was [pinned](crate::Handler::pinned).
    #[error("{handler}: is another component: its sha256 is {found}, pinned is {wanted}")]
    Pinned {
        /// The handler's name.
        handler: String,
        /// The digest of the component.
        found: String,
        /// The digest that it must have.
        wanted: String,
    },
    /// No component of this name is among the handlers, or it has no file to be read from.
    #[error("{handler}: no component of this name is among the handlers, or it was not loaded from a file")]
    NoHandler {
        /// The name.
        handler: String,
    },

    // ---- In a cell ----
    /// The guest trapped.
    #[error("the handler trapped: {0}")]
    Trap(String),
    /// The guest asked for more memory than [`Limits::memory`](crate::Limits::memory).
    #[error("the handler needs more than {limit} bytes of memory")]
    Memory {
        /// Size that was needed, in bytes.
        current: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The guest asked for a larger table than [`Limits::table_elements`](crate::Limits::table_elements).
    #[error("the handler needs a table of more than {limit} elements")]
    Table {
        /// Size that was needed, in elements.
        current: usize,
        /// The limit in elements.
        limit: usize,
    },
    /// The guest called too deeply.
    #[error("the handler used up its stack")]
    Stack {
        /// The limit in bytes.
        limit: usize,
    },
    /// The guest held more resources than [`Limits::handles`](crate::Limits::handles).
    #[error("the handler holds more than {limit} resources")]
    Handles {
        /// The limit.
        limit: usize,
    },
    /// The guest handed the host more at once than [`Limits::host_call`](crate::Limits::host_call).
    #[error("the handler handed the host more than {limit} bytes at once")]
    HostCall {
        /// The limit in bytes.
        limit: usize,
    },
    /// The guest computed for longer than [`Limits::cpu_time`](crate::Limits::cpu_time).
    #[error("the handler computed for more than {limit:?}")]
    Cpu {
        /// CPU time used when the cell was ended.
        current: Duration,
        /// The limit.
        limit: Duration,
    },
    /// The guest did not answer within [`Limits::wall_time`](crate::Limits::wall_time).
    #[error("the handler did not answer within {limit:?}")]
    Time {
        /// Time elapsed when the cell was ended.
        current: Duration,
        /// The limit.
        limit: Duration,
    },
    /// As many cells run as [`Limits::cells`](crate::Limits::cells) allows.
    #[error("too many requests are being handled; try again")]
    Overloaded {
        /// The limit.
        limit: u32,
    },
    /// As many cells run for this session as [`Limits::session_cells`](crate::Limits::session_cells) allows.
    #[error("too many requests of this session are being handled; try again")]
    SessionOverloaded {
        /// The limit.
        limit: u32,
    },
    /// The guest answered with what is no answer of the protocol.
    #[error("the handler broke the protocol: {0}")]
    InvalidAnswer(String),
    /// The answer has JSON that nests deeper than [`Limits::json_depth`](crate::Limits::json_depth).
    #[error("the handler's answer has JSON that nests deeper than {limit} levels")]
    JsonDepth {
        /// The limit in levels.
        limit: usize,
    },
    /// So many bytes of answers wait to be sent that one more cannot: the server does not read them.
    #[error("the answer is dropped: {current} bytes of answers would wait to be read, the limit is {limit}")]
    Unread {
        /// Bytes that would wait.
        current: usize,
        /// The limit in bytes.
        limit: usize,
    },
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
            Self::Invalid { .. } | Self::LeftOut { .. } => "invalid_component",
            Self::Shape { part, .. } => part.names().0,
            Self::CompileTime { .. } => "compile_time",
            Self::Start { reason, .. } => reason.kind(),
            Self::Version { .. } => "interface_version",
            Self::UnknownInterface { .. } => "unknown_interface",
            Self::Signature { .. } => "signature",
            Self::NotGranted { .. } => "not_granted",
            Self::UnknownImport { .. } => "unknown_import",
            Self::DuplicateKind { .. } => "duplicate_kind",
            Self::Pinned { .. } => "pinned",
            Self::NoHandler { .. } => "no_handler",
            Self::Trap(_) => "trap",
            Self::Memory { .. } => "memory",
            Self::Table { .. } => "table",
            Self::Stack { .. } => "stack",
            Self::Handles { .. } => "handles",
            Self::HostCall { .. } => "host_call",
            Self::Cpu { .. } => "cpu_time",
            Self::Time { .. } => "wall_time",
            Self::Overloaded { .. } => "overloaded",
            Self::SessionOverloaded { .. } => "session_overloaded",
            Self::InvalidAnswer(_) => "invalid_answer",
            Self::JsonDepth { .. } => "json_depth",
            Self::Unread { .. } => "unread",
            Self::AnswerTooLarge { .. } => "answer_size",
        }
    }

    /// Current value and limit, when a limit was hit.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let usage = |current: u64, limit: u64| Some(Usage { current: Some(current), limit });
        let sizes = |current: usize, limit: usize| usage(current as u64, limit as u64);
        match self {
            Self::TooLarge { size, limit, .. } | Self::AnswerTooLarge { size, limit } => sizes(*size, *limit),
            Self::Memory { current, limit } | Self::Table { current, limit } | Self::Unread { current, limit } => {
                sizes(*current, *limit)
            }
            Self::Shape { current, limit, .. } => usage(*current, *limit),
            Self::Cpu { current, limit } | Self::Time { current, limit } => {
                usage(milliseconds(*current), milliseconds(*limit))
            }
            // The one that was refused counts, too.
            Self::Handles { limit } | Self::JsonDepth { limit } => sizes(limit.saturating_add(1), *limit),
            Self::Overloaded { limit } | Self::SessionOverloaded { limit } => {
                usage(u64::from(*limit) + 1, u64::from(*limit))
            }
            Self::CompileTime { limit, .. } => Some(Usage { current: None, limit: milliseconds(*limit) }),
            Self::Stack { limit } | Self::HostCall { limit } => Some(Usage { current: None, limit: *limit as u64 }),
            Self::Start { reason, .. } => reason.usage(),
            _ => None,
        }
    }

    /// Writes the line of a request that failed; a limit that was hit is counted.
    pub(crate) fn log(&self, handler: Option<&str>, what: &str) {
        match self.usage() {
            Some(usage) => limit_hit::log(self.kind(), usage, handler, self, what),
            None => tracing::warn!(handler, error.r#type = self.kind(), error = %self, "{what}"),
        }
    }

    /// Logs a limit that a component hit while loading. The line is not a warning, because the caller gets the error
    /// and reports it.
    pub(crate) fn log_at_load(&self, handler: &str) {
        if let Some(Usage { current, limit }) = self.usage() {
            limit_hit::count(self.kind());
            tracing::info!(handler, error.r#type = self.kind(), current, limit, error = %self, "a component is not taken");
        }
    }

    /// The error as the peer gets it.
    #[must_use]
    pub fn to_rpc(&self) -> RpcError {
        RpcError::internal(self.kind(), self.to_string())
    }
}

impl ErrorType for Error {
    fn error_type(&self) -> &'static str {
        self.kind()
    }
}

/// Part of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Instances of core modules, each of which holds memories and tables.
    CoreInstances,
    /// Linear memories.
    Memories,
    /// Tables.
    Tables,
    /// Bytes that a memory begins with.
    Memory,
    /// Elements that a table begins with.
    TableElements,
}

impl Part {
    /// The stable word for too much of it, the field of [`Limits`](crate::Limits) that bounds it, and what it is in
    /// words.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::CoreInstances => ("core_instances", "core_instances", "core instances"),
            Self::Memories => ("memories", "memories", "memories"),
            Self::Tables => ("tables", "tables", "tables"),
            Self::Memory => ("memory", "memory", "bytes of memory at its start"),
            Self::TableElements => ("table", "table_elements", "elements in a table at its start"),
        }
    }
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The version of WASI that the host has, but for what stands behind the second point.
const WASI: &str = "0.2";

/// The version of WASI that an import is of, where that is another than the host's.
pub(crate) fn other_wasi(import: &str) -> Option<String> {
    let (_, version) = import.strip_prefix("wasi:")?.rsplit_once('@')?;
    let minor = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    (minor != WASI).then_some(minor)
}

/// Remark about an import that the host does not have.
fn unknown(import: &str) -> String {
    match other_wasi(import) {
        Some(other) => format!("WASI {other} (`{import}`), this host speaks WASI {WASI}; build it for WASI {WASI}"),
        None => format!("`{import}`, which this host does not have; build it without"),
    }
}
