//! A loaded component: checked, compiled, pre-linked.
//!
//! Everything that can be wrong with a component is found here, with an error that names the file and the remedy,
//! so that at a request only the guest itself can fail.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use super::exports::{Background, EXPORTS, Export};
use super::linker::linker;
use super::store::{new_store, why, within_limits};
use crate::error::{LoadError, LoadFault};
use crate::grants::{self, CallContext, CellState, Grants, HandlerInfo, Import};
use crate::kinds::{KINDS, Kind};
use crate::protocol::{PACKAGE, PACKAGE_VERSION};
use crate::sandbox::compile::{Known, compile, known, remember};
use crate::sandbox::{CpuAverage, Engine, Limits, file};

/// The four bytes that every WebAssembly binary starts with.
const MAGIC: &[u8] = b"\0asm";
/// The next four of a core module; a component has others.
const CORE_VERSION: &[u8] = &[1, 0, 0, 0];

/// A component that was loaded.
pub struct Handler {
    info: Arc<HandlerInfo>,
    size: usize,
    imports: Vec<Import>,
    version: Option<String>,
    engine: Engine,
    pre: InstancePre<CellState>,
    exports: Exports,
    /// Where it was read from.
    file: Option<PathBuf>,
    reuse: u32,
    pinned: bool,
    cpu_average: CpuAverage,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let HandlerInfo { name, digest, .. } = &*self.info;
        f.debug_struct("Handler").field("name", name).field("digest", digest).finish_non_exhaustive()
    }
}

impl Handler {
    /// Loads a component from a file; the path is its name in errors and logs.
    ///
    /// # Errors
    /// [`LoadFault::Read`] and those of [`Handler::from_bytes`].
    pub async fn from_file(engine: &Engine, path: &Path, grants: Grants) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        if let Some(known) = known(engine, path).await {
            let handler = refused(&name, Self::link(engine, &name, known, grants).await)?;
            return Ok(handler.read_from(path));
        }
        let (bytes, stamp) = file::read_stamped(engine, path).await?;
        let handler = Self::from_bytes(engine, &name, bytes, grants).await?;
        if let Some(stamp) = stamp {
            remember(engine, stamp, handler.digest()).await;
        }
        Ok(handler.read_from(path))
    }

    /// Loads a component: compiles it, or finds it compiled in the cache; checks its imports against the grants;
    /// instantiates it once, within the limits, to check the type of each handler.
    ///
    /// # Errors
    /// Any [`LoadFault`] of a component; [`LoadFault::Overloaded`] when there is no cell to check it in.
    pub async fn from_bytes(engine: &Engine, name: &str, bytes: Vec<u8>, grants: Grants) -> Result<Self, LoadError> {
        refused(name, Self::load(engine, name, bytes, grants).await)
    }

    async fn load(engine: &Engine, name: &str, bytes: Vec<u8>, grants: Grants) -> Result<Self, LoadFault> {
        let limit = engine.limits().component_size;
        if bytes.len() > limit {
            return Err(LoadFault::TooLarge { size: bytes.len(), limit });
        }
        check_magic(&bytes)?;
        Self::link(engine, name, compile(engine, name, bytes).await?, grants).await
    }

    async fn link(engine: &Engine, name: &str, component: Known, grants: Grants) -> Result<Self, LoadFault> {
        let Known { component, digest, size } = component;
        let interfaces = Interfaces::of(&component, engine);
        let version = interfaces.check()?;
        let imports = grants::explain(&interfaces.imports);
        grants.allow(&imports)?;
        let invalid = |error: wasmtime::Error| LoadFault::Invalid(format!("{error:#}"));
        let pre = linker(engine, &grants).and_then(|linker| linker.instantiate_pre(&component)).map_err(invalid)?;
        component.initialize_copy_on_write_image().map_err(invalid)?;

        let exports = Exports::find(&component, &interfaces.exports);
        let info = Arc::new(HandlerInfo { name: Arc::from(name), digest: Arc::from(digest), grants });
        exports.check(engine, &info, &pre, &interfaces.exports).await?;
        let engine = engine.clone();
        let (file, reuse, pinned, cpu_average) = (None, 1, false, CpuAverage::default());
        Ok(Self { info, size, imports, version, engine, pre, exports, file, reuse, pinned, cpu_average })
    }

    /// Sets the file that the component's bytes were read from.
    #[must_use]
    pub fn read_from(mut self, path: &Path) -> Self {
        self.file = Some(path.to_owned());
        self
    }

    /// Loads another component as this one: under its name and limits, with its grants, and used as it is.
    ///
    /// # Errors
    /// Those of [`Handler::from_bytes`], and [`LoadFault::Pinned`].
    pub(crate) async fn reloaded(&self, digest: &str, bytes: Vec<u8>) -> Result<Self, LoadError> {
        let (name, wanted) = (self.name(), self.digest());
        if self.pinned && digest != wanted {
            let (found, wanted) = (digest.to_owned(), wanted.to_owned());
            return Err(LoadFault::Pinned { found, wanted }.of(name));
        }
        let mut loaded = Self::from_bytes(&self.engine, name, bytes, self.info.grants.clone()).await?;
        loaded.file.clone_from(&self.file);
        (loaded.reuse, loaded.pinned) = (self.reuse, self.pinned);
        Ok(loaded)
    }

    /// Lets an instance of the component answer up to so many requests of a session, one after the other; 1 is the
    /// default: each request has a fresh one.
    ///
    /// For runtimes that are slow to start. What a request leaves in memory is there for the session's next one, so
    /// this is for handlers that are trusted to keep the requests of one server apart. A trap, a limit that was hit or
    /// a request that was cancelled ends the instance at once. The limits of memory, tables and resources are the
    /// instance's, all others each request's.
    #[must_use]
    pub fn with_reuse(mut self, requests: u32) -> Self {
        self.reuse = requests.max(1);
        self
    }

    /// The requests of a session that one instance may answer.
    #[must_use]
    pub fn reuse(&self) -> u32 {
        self.reuse
    }

    /// Lets no other component take its place by a reload
    /// ([`HandlerRegistry::reload`](super::HandlerRegistry::reload)): for one that was looked at before it was granted
    /// what it is.
    #[must_use]
    pub fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    /// Creates a handler of the same component with other grants. The component is neither compiled nor linked again;
    /// the new grants only change what its imports do.
    ///
    /// # Errors
    /// [`LoadFault::NotGranted`]
    pub fn with_grants(&self, grants: Grants) -> Result<Self, LoadError> {
        grants.allow(&self.imports).map_err(|fault| fault.of(self.name()))?;
        let info = HandlerInfo { name: Arc::clone(&self.info.name), digest: Arc::clone(&self.info.digest), grants };
        Ok(Self {
            info: Arc::new(info),
            size: self.size,
            imports: self.imports.clone(),
            version: self.version.clone(),
            engine: self.engine.clone(),
            pre: self.pre.clone(),
            exports: self.exports.clone(),
            file: self.file.clone(),
            reuse: self.reuse,
            pinned: self.pinned,
            cpu_average: CpuAverage::default(),
        })
    }

    /// The name it was loaded under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// The SHA-256 digest of the component, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.info.digest
    }

    /// The file it was read from; none where it was loaded from bytes.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The component's size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The version of the handler protocol it was built for; none when it uses no interface of it.
    #[must_use]
    pub fn protocol_version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Imports of the component.
    #[must_use]
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// The kinds it exports, in the order of the table.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        let kinds = KINDS.iter().map(|row| row.kind);
        kinds.filter(|kind| self.exports.get(*kind as usize).is_some())
    }

    /// Whether it exports `background`.
    #[must_use]
    pub fn has_background(&self) -> bool {
        self.export::<Background>().is_some()
    }

    /// Information about the handler for its cells.
    pub(crate) fn info(&self) -> &Arc<HandlerInfo> {
        &self.info
    }

    /// The limits of its cells and messages.
    pub(crate) fn limits(&self) -> &Limits {
        self.engine.limits()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Moving average of the CPU time of the handler's calls.
    pub(crate) fn cpu_average(&self) -> &CpuAverage {
        &self.cpu_average
    }

    pub(crate) fn pre(&self) -> &InstancePre<CellState> {
        &self.pre
    }

    pub(crate) fn export<E: Export>(&self) -> Option<ComponentExportIndex> {
        self.exports.get(E::ROW)
    }
}

/// Names the handler in its fault, and logs a limit that it hit.
fn refused(name: &str, loaded: Result<Handler, LoadFault>) -> Result<Handler, LoadError> {
    loaded.map_err(|fault| fault.of(name)).inspect_err(LoadError::log)
}

fn check_magic(bytes: &[u8]) -> Result<(), LoadFault> {
    match bytes.strip_prefix(MAGIC) {
        None => Err(LoadFault::NotAComponent),
        Some(rest) if rest.starts_with(CORE_VERSION) => Err(LoadFault::CoreModule),
        Some(_) => Ok(()),
    }
}

/// The names of what a component imports and exports.
struct Interfaces {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Interfaces {
    fn of(component: &Component, engine: &Engine) -> Self {
        let ty = component.component_type();
        Self {
            imports: ty.imports(engine.wasmtime()).map(|(name, _)| name.to_owned()).collect(),
            exports: ty.exports(engine.wasmtime()).map(|(name, _)| name.to_owned()).collect(),
        }
    }

    /// Refuses interfaces of the handler protocol that this host does not have, and gives the protocol's version.
    fn check(&self) -> Result<Option<String>, LoadFault> {
        let mut version = None;
        for interface in self.imports.iter().chain(&self.exports) {
            let Some((name, found)) = split(interface) else { continue };
            if !compatible(found) {
                return Err(LoadFault::Version { interface: interface.clone(), supported: PACKAGE_VERSION });
            }
            version = Some(found.to_owned());
            let known = grants::is_known(name) || exported(name).is_some();
            if !known {
                return Err(LoadFault::UnknownInterface { interface: interface.clone(), supported: PACKAGE_VERSION });
            }
        }
        Ok(version)
    }
}

/// Splits the name of an interface of the handler protocol into the interface and the version.
fn split(interface: &str) -> Option<(&str, &str)> {
    let rest = interface.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

/// Whether a version only adds to, or lacks some of, what this host has: before 1.0 the same minor version.
/// A prerelease never is.
fn compatible(version: &str) -> bool {
    let minor = |version: &'static str| version.rsplit_once('.').map(|(minor, _)| minor);
    let Some((found, patch)) = version.rsplit_once('.') else { return false };
    minor(PACKAGE_VERSION) == Some(found) && patch.bytes().all(|byte| byte.is_ascii_digit())
}

/// The row of [`EXPORTS`] that an interface is, by its name without package and version.
fn exported(name: &str) -> Option<usize> {
    EXPORTS.iter().position(|(interface, ..)| *interface == name)
}

/// Where the handlers' functions stand in the component: a place for each row of [`EXPORTS`].
#[derive(Clone)]
struct Exports([Option<ComponentExportIndex>; EXPORTS.len()]);

impl Exports {
    fn find(component: &Component, exports: &[String]) -> Self {
        let mut found = [const { None }; EXPORTS.len()];
        for interface in exports {
            let Some(row) = split(interface).and_then(|(name, _)| exported(name)) else { continue };
            let Some((_, function, _)) = EXPORTS.get(row) else { continue };
            let instance = component.get_export_index(None, interface.as_str());
            let index = instance.and_then(|instance| component.get_export_index(Some(&instance), *function));
            if let Some(place) = found.get_mut(row) {
                *place = index;
            }
        }
        Self(found)
    }

    fn get(&self, row: usize) -> Option<ComponentExportIndex> {
        self.0.get(row).copied().flatten()
    }

    /// Instantiates the component once and checks the type of each handler. Interfaces are found by name; only an
    /// instance can tell whether the function behind the name is the right one.
    async fn check(
        &self,
        engine: &Engine,
        info: &Arc<HandlerInfo>,
        pre: &InstancePre<CellState>,
        exports: &[String],
    ) -> Result<(), LoadFault> {
        let wrong = |export: &str, reason: String| LoadFault::Signature { export: export.to_owned(), reason };
        let _permit = engine.admit().map_err(LoadFault::in_cell)?;
        let mut store = new_store(engine, CallContext::new(info));
        let limits = engine.limits();
        let (instance, _) = within_limits(engine, false, None, pin!(pre.instantiate_async(&mut store))).await;
        let instance = match instance {
            Ok(instance) => instance.map_err(|error| why(&error, store.data(), limits)),
            Err(error) => Err(error),
        };
        let instance = instance.map_err(|error| match error.usage() {
            Some(_) => LoadFault::in_cell(error),
            None => {
                // A runtime that fails at its start says why on stderr.
                let printed = store.data().log_output().map(|logged| logged.last).unwrap_or_default();
                let printed: String = printed.iter().map(|line| format!("; printed: {line}")).collect();
                LoadFault::Invalid(format!("cannot be instantiated: {error}{printed}"))
            }
        })?;
        for export in exports {
            let Some(row) = split(export).and_then(|(name, _)| exported(name)) else { continue };
            let Some((_, function, check)) = EXPORTS.get(row) else { continue };
            let index = self.get(row);
            let func = index.and_then(|index| instance.get_func(&mut store, index));
            let func = func.ok_or_else(|| wrong(export, format!("it has no function `{function}`")))?;
            check(&func, &store).map_err(|error| wrong(export, format!("{error:#}")))?;
        }
        Ok(())
    }
}
