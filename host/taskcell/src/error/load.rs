//! Errors of a component that is refused, or that cannot take its place in a set.

use std::fmt;
use std::time::Duration;

use super::{CellError, milliseconds};
use crate::kinds::Kind;
use crate::protocol::grant::GrantKind;
use crate::telemetry::{Usage, limit_hit};

/// Refusal of a component: when it is loaded, and when it takes its place beside others.
#[derive(Debug)]
pub struct LoadError {
    /// Name of the handler; the path of its file, where that could not be read.
    pub handler: String,
    /// Fault that the component is refused for.
    pub fault: LoadFault,
}

/// Fault of a component. Its text goes on from the handler's name, and ends with the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadFault {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    /// The bytes are no WebAssembly.
    #[error("is not a WebAssembly component; build one with the tool chain of your language")]
    NotAComponent,
    /// The bytes are a core module, which has no interfaces.
    #[error(
        "is a core module, not a component; make it one with `taskcell tool component-new` or `wasm-tools component new`"
    )]
    CoreModule,
    /// The component is larger than [`Limits::component_size`](crate::Limits::component_size).
    #[error("has {size} bytes, the limit is {limit}; strip it, or raise `component_size`")]
    TooLarge {
        /// Size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The component is not valid, or cannot be compiled or instantiated. The text is wasmtime's.
    #[error("{0}; build it again with the tool chain of your language")]
    Invalid(String),
    /// The component is valid, and needs a part of WebAssembly that this host leaves out.
    #[error("needs {needs}, which this host leaves out; {remedy}")]
    LeftOut {
        /// The part.
        needs: &'static str,
        /// Remedy for the component's author.
        remedy: &'static str,
    },
    /// The component is made of more than [`Limits`](crate::Limits) allows.
    #[error("has {current} {}, the limit is {limit}; build it smaller, or raise `{}`", part.names().2, part.names().1)]
    Shape {
        /// Part that the component has too much of.
        part: Part,
        /// Actual amount of the part.
        current: u64,
        /// The limit.
        limit: u64,
    },
    /// Compiling the component took longer than [`Limits::compile_time`](crate::Limits::compile_time).
    #[error("was not compiled within {limit:?}; build it smaller, or raise `compile_time`")]
    CompileTime {
        /// The limit.
        limit: Duration,
    },
    /// No cell is free to check the component in: as many run as [`Limits::cells`](crate::Limits::cells) allows.
    #[error("too many requests are being handled; try again")]
    Overloaded {
        /// The limit.
        limit: u32,
    },
    /// The component ran into a limit when it was instantiated.
    #[error("cannot be instantiated: {0}; build it again with the tool chain of your language")]
    Start(CellError),
    /// The component was built for another version of the handler protocol.
    #[error(
        "exports or imports `{interface}`, this host speaks `taskcell:handlers@{supported}`; build it against that version"
    )]
    Version {
        /// The interface with its version, as the component names it.
        interface: String,
        /// The version of this host.
        supported: &'static str,
    },
    /// The component has an interface of the handler protocol that this version does not know.
    #[error(
        "exports or imports `{interface}`, which `taskcell:handlers@{supported}` does not have; check its spelling"
    )]
    UnknownInterface {
        /// The interface.
        interface: String,
        /// The version of this host.
        supported: &'static str,
    },
    /// An export does not have the type that the protocol gives it.
    #[error("`{export}` has the wrong signature: {reason}; build it against the WIT of this version")]
    Signature {
        /// The export.
        export: String,
        /// Description of the difference.
        reason: String,
    },
    /// The component imports what it was not granted.
    #[error("imports `{import}`, which is not granted; the grant `{grant}` would allow it")]
    NotGranted {
        /// The import.
        import: String,
        /// The grant that allows it.
        grant: GrantKind,
        /// All grants that the component's imports need and that are missing, each once; `grant` is the first.
        missing: Vec<GrantKind>,
    },
    /// The component imports what no grant gives.
    #[error("imports {}", unknown(.0))]
    UnknownImport(String),
    /// Another handler of the set exports a kind that this one exports.
    #[error("exports `{}`, as {first} does; give only one handler for each kind", kind.info().export)]
    DuplicateKind {
        /// The kind.
        kind: Kind,
        /// Name of the other handler.
        first: String,
    },
    /// The component is another than the one that was [pinned](crate::Handler::pinned).
    #[error("is another component: its sha256 is {found}, pinned is {wanted}")]
    Pinned {
        /// The digest of the component.
        found: String,
        /// The digest that it must have.
        wanted: String,
    },
    /// No component of this name is among the handlers, or it has no file to be read from.
    #[error("no component of this name is among the handlers, or it was not loaded from a file")]
    NoHandler,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handler, fault } = self;
        match fault {
            // Neither of the two is at fault, so the text begins with both.
            LoadFault::DuplicateKind { kind, first } => {
                let export = kind.info().export;
                write!(f, "both {first} and {handler} export `{export}`; give only one handler for each kind")
            }
            fault => write!(f, "{handler}: {fault}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl LoadError {
    /// The stable word for this error: log field `error.type`, metric label.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.fault.kind()
    }

    /// Current value and limit, when a limit was hit.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.fault.usage()
    }

    /// Logs a limit that a component hit while loading. The line is not a warning, because the caller gets the error
    /// and reports it.
    pub(crate) fn log(&self) {
        if let Some(Usage { current, limit }) = self.usage() {
            let handler = &*self.handler;
            limit_hit::count(self.kind());
            tracing::info!(handler, error.r#type = self.kind(), current, limit, error = %self, "a component is not taken");
        }
    }
}

impl LoadFault {
    /// The error of this fault in a handler.
    pub(crate) fn of(self, handler: impl Into<String>) -> LoadError {
        LoadError { handler: handler.into(), fault: self }
    }

    /// The fault of a component whose cell ended at a limit before the component was checked.
    pub(crate) fn in_cell(error: CellError) -> Self {
        match error {
            CellError::Overloaded { limit } => Self::Overloaded { limit },
            error => Self::Start(error),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::NotAComponent => "not_a_component",
            Self::CoreModule => "core_module",
            Self::TooLarge { .. } => "component_size",
            Self::Invalid(_) | Self::LeftOut { .. } => "invalid_component",
            Self::Shape { part, .. } => part.names().0,
            Self::CompileTime { .. } => "compile_time",
            Self::Overloaded { .. } => "overloaded",
            Self::Start(error) => error.kind(),
            Self::Version { .. } => "interface_version",
            Self::UnknownInterface { .. } => "unknown_interface",
            Self::Signature { .. } => "signature",
            Self::NotGranted { .. } => "not_granted",
            Self::UnknownImport(_) => "unknown_import",
            Self::DuplicateKind { .. } => "duplicate_kind",
            Self::Pinned { .. } => "pinned",
            Self::NoHandler => "no_handler",
        }
    }

    fn usage(&self) -> Option<Usage> {
        let usage = |current: u64, limit: u64| Some(Usage { current: Some(current), limit });
        match *self {
            Self::TooLarge { size, limit } => usage(size as u64, limit as u64),
            Self::Shape { current, limit, .. } => usage(current, limit),
            Self::CompileTime { limit } => Some(Usage { current: None, limit: milliseconds(limit) }),
            // The one that was refused counts, too.
            Self::Overloaded { limit } => usage(u64::from(limit) + 1, u64::from(limit)),
            Self::Start(ref error) => error.usage(),
            _ => None,
        }
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
