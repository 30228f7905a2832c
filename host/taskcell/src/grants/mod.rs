//! Grants of a cell, one file each; everything is denied by default.
//!
//! A grant is an imported interface. A component whose imports were not granted is refused when it is loaded, with the
//! grant's name, rather than failing at the first call. The data about the request being served that a grant needs
//! stands in the cell's `CallContext`.

mod clocks;
mod config;
mod context;
mod created;
#[cfg(feature = "http")]
mod http;
mod import;
mod keyvalue;
mod model;
mod progress;
mod random;
mod state;
mod tasks;
#[cfg(any(feature = "http", feature = "model"))]
mod tls;
mod user;

use std::sync::Arc;

use wasmtime::component::Linker;

pub use clocks::Clocks;
pub use config::{Secret, Setting, Settings};
pub(crate) use context::{CallContext, HandlerInfo, SessionContext};
pub(crate) use created::Created;
#[cfg(feature = "http")]
pub use http::{Http, HttpLimits, HttpRule, Resolver};
pub use import::Import;
#[cfg(feature = "sqlite")]
pub use keyvalue::SqliteKeyValue;
pub use keyvalue::{Excess, KeyValue, KeyValueError, Listed, MemoryKeyValue, Quota};
pub use model::{Model, ModelContext, ModelUse, SessionIdentity};
#[cfg(feature = "model")]
pub use model::{ModelGuards, Provider, ProviderModel, WrongProvider};
pub use progress::Progress;
pub use random::Random;
pub(crate) use state::CellState;
pub use user::{Confirmation, User};

use crate::error::{LoadFault, other_wasi};
use crate::protocol::PACKAGE;
pub use crate::protocol::grant::GrantKind;

/// The bindings of the imported interfaces, generated from `wit/`.
mod generated {
    #[expect(dead_code, unreachable_pub, reason = "the bindings of the whole world name these, and nothing uses those")]
    pub mod interface;

    wasmtime::component::bindgen!({
        inline: "
            package taskcell:host;
            world grants {
                import taskcell:handlers/tasks@0.1.0;
                import taskcell:handlers/model@0.1.0;
                import taskcell:handlers/user@0.1.0;
                import taskcell:handlers/progress@0.1.0;
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:keyvalue/atomics@0.2.0-draft;
                import wasi:keyvalue/batch@0.2.0-draft;
            }
        ",
        path: "../../wit",
        imports: { default: async | trappable },
        with: {
            "taskcell:handlers/types@0.1.0": crate::grants::generated::interface,
            "wasi:keyvalue/store.bucket": crate::grants::keyvalue::Bucket,
        },
    });
}

/// The packages of WASI 0.2 that every cell has, over an empty context.
const EVERYWHERE: &[&str] =
    &["wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:cli/", "wasi:filesystem/", "wasi:sockets/"];

/// Grants of a handler. The default is none, with the clocks and the random numbers of the system.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Grants {
    /// `taskcell:handlers/tasks`: the tasks of the conversation.
    pub tasks: bool,
    /// `taskcell:handlers/progress`: progress notifications for the request being served.
    pub progress: bool,
    /// `wasi:config/store`: these settings.
    pub config: Option<Settings>,
    /// `taskcell:handlers/model`: this model.
    pub model: Option<Arc<dyn Model>>,
    /// `taskcell:handlers/user`: this way to the user.
    pub user: Option<Arc<dyn User>>,
    /// `wasi:keyvalue`: these keys and values.
    pub keyvalue: Option<Arc<dyn KeyValue>>,
    /// `wasi:http`: these servers.
    #[cfg(feature = "http")]
    pub http: Option<Http>,
    /// `wasi:clocks`, which every cell has.
    pub clocks: Clocks,
    /// `wasi:random`, which every cell has.
    pub random: Random,
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut f = f.debug_struct("Grants");
        #[cfg(feature = "http")]
        f.field("http", &self.http);
        f.field("tasks", &self.tasks)
            .field("progress", &self.progress)
            .field("config", &self.config)
            .field("model", &self.model.is_some())
            .field("user", &self.user.is_some())
            .field("keyvalue", &self.keyvalue.as_ref().map(|store| store.quota()))
            .field("clocks", &self.clocks)
            .field("random", &self.random)
            .finish()
    }
}

impl Grants {
    /// Refuses imports that these grants do not allow; names all grants that are missing.
    pub(crate) fn allow(&self, imports: &[Import]) -> Result<(), LoadFault> {
        if let Some(import) = imports.iter().find(|import| !import.known) {
            return Err(LoadFault::UnknownImport(import.interface.clone()));
        }
        let mut missing = Vec::new();
        let mut first = None;
        for import in imports {
            let Some(grant) = import.grant.filter(|grant| !self.has(*grant)) else { continue };
            first.get_or_insert((import, grant));
            if !missing.contains(&grant) {
                missing.push(grant);
            }
        }
        let Some((import, grant)) = first else { return Ok(()) };
        Err(LoadFault::NotGranted { import: import.interface.clone(), grant, missing })
    }

    /// Whether a grant is given.
    fn has(&self, grant: GrantKind) -> bool {
        match grant {
            GrantKind::Tasks => self.tasks,
            GrantKind::Progress => self.progress,
            GrantKind::Config => self.config.is_some(),
            GrantKind::Model => self.model.is_some(),
            GrantKind::User => self.user.is_some(),
            GrantKind::KeyValue => self.keyvalue.is_some(),
            #[cfg(feature = "http")]
            GrantKind::Http => self.http.is_some(),
            #[cfg(not(feature = "http"))]
            GrantKind::Http => false,
        }
    }

    /// Links what is granted, and nothing else: an import that slipped through [`Grants::allow`] would not link.
    pub(crate) fn link(&self, linker: &mut Linker<CellState>) -> wasmtime::Result<()> {
        use generated::taskcell::handlers as interfaces;

        if self.tasks {
            interfaces::tasks::add_to_linker::<_, Cells>(linker, |state| state)?;
        }
        if self.progress {
            interfaces::progress::add_to_linker::<_, Cells>(linker, |state| state)?;
        }
        if self.model.is_some() {
            interfaces::model::add_to_linker::<_, Cells>(linker, |state| state)?;
        }
        if self.user.is_some() {
            interfaces::user::add_to_linker::<_, Cells>(linker, |state| state)?;
        }
        if self.config.is_some() {
            config::add_to_linker(linker)?;
        }
        if self.keyvalue.is_some() {
            use generated::wasi::keyvalue::{atomics, batch, store};

            store::add_to_linker::<_, Cells>(linker, |state| state)?;
            atomics::add_to_linker::<_, Cells>(linker, |state| state)?;
            batch::add_to_linker::<_, Cells>(linker, |state| state)?;
        }
        #[cfg(feature = "http")]
        if self.http.is_some() {
            http::add_to_linker(linker)?;
        }
        Ok(())
    }
}

/// Tells wasmtime that the interfaces are implemented on the whole state of a cell.
struct Cells;

impl wasmtime::component::HasData for Cells {
    type Data<'a> = &'a mut CellState;
}

/// Says of each import which grant it needs.
pub(crate) fn explain(imports: &[String]) -> Vec<Import> {
    let explain = |interface: &String| {
        let name = interface.split('@').next().unwrap_or_default();
        let grant = GrantKind::of_interface(name);
        let known = grant.is_some()
            || name.strip_prefix(PACKAGE) == Some("/types")
            || EVERYWHERE.iter().any(|package| name.starts_with(package));
        // Another version has other functions under the same names.
        let known = known && other_wasi(interface).is_none();
        let grant = grant.filter(|_| known);
        Import { interface: interface.clone(), grant, known }
    };
    imports.iter().map(explain).collect()
}

/// Whether the handler protocol has an interface of this name that a guest may import.
pub(crate) fn is_known(interface: &str) -> bool {
    interface == "types" || GrantKind::of_interface(&format!("{PACKAGE}/{interface}")).is_some()
}
