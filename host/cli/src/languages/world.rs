//! Reads the world of a project from its WIT, and reports faults of the WIT.
//!
//! Each language's tool reads the WIT itself, but the tools describe a mistake differently or without its place. A
//! build therefore reads the WIT first.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use wit_bindgen_core::wit_parser::{ParseError, ParseErrorKind, Resolve, ResolveError, ResolveErrorKind, WorldId};

use super::wit::FILES;
use taskcell::protocol::{PACKAGE, PACKAGE_VERSION};

/// Folder of a project's world.
const FOLDER: &str = "wit";

/// Minimum similarity of two names that may be the same; 1 means equal.
const ALIKE: f64 = 0.85;

/// Checks that a project's WIT can be read, if the project has a WIT folder.
///
/// # Errors
/// Fails for wrong WIT, in one line. An excerpt on stderr marks the place.
pub(super) fn see(dir: &Path) -> anyhow::Result<()> {
    let wit = dir.join(FOLDER);
    if !wit.is_dir() {
        return Ok(());
    }
    // A feature that a tool leaves out of a world is no mistake.
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let Err(error) = resolve.push_path(&wit) else { return Ok(()) };
    let inside = |text: &str| text.replace(&format!("{}/", dir.display()), "");
    let wrong = Wrong::of(&resolve, &error, &wit);
    if let Some(excerpt) = &wrong.excerpt {
        eprintln!("{}", taskcell::text::lines(&inside(excerpt)));
    }
    bail!("{}", inside(&wrong.line))
}

/// Reads a world from a WIT file or folder. Without a name, reads the only world.
///
/// # Errors
/// Fails for WIT that cannot be read or is wrong, and for a missing world.
pub(super) fn read(wit: &Path, world: Option<&str>) -> anyhow::Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = match resolve.push_path(wit) {
        Ok(pushed) => pushed,
        Err(error) => bail!("the WIT in {} is wrong: {}", wit.display(), Wrong::of(&resolve, &error, wit).line),
    };
    let world = resolve.select_world(&[package], world);
    let world = world.with_context(|| format!("of the WIT in {}", wit.display()))?;
    Ok((resolve, world))
}

/// Names of a world's imports and exports, such as `taskcell:handlers/roots@0.1.0`.
pub(super) struct Names {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

impl Names {
    /// Reads the names of a world from the WIT in a folder.
    ///
    /// # Errors
    /// Fails like [`read`].
    pub(super) fn read(wit: &Path, world: Option<&str>) -> anyhow::Result<Self> {
        let (resolve, world) = read(wit, world)?;
        let world = resolve.worlds.get(world).context("the world is not in its own package")?;
        let names = |keys: Vec<_>| keys.into_iter().map(|key| resolve.name_world_key(key)).collect();
        Ok(Self { imports: names(world.imports.keys().collect()), exports: names(world.exports.keys().collect()) })
    }
}

/// Fault in WIT.
struct Wrong {
    /// Place and description of the fault.
    line: String,
    /// Source line of the fault with a mark below, or none without a known place.
    excerpt: Option<String>,
}

impl Wrong {
    fn of(resolve: &Resolve, error: &anyhow::Error, wit: &Path) -> Self {
        let resolving = error.chain().find_map(|layer| layer.downcast_ref::<ResolveError>());
        let parsing = error.chain().find_map(|layer| layer.downcast_ref::<ParseError>());
        let (span, message, excerpt) = match (resolving, parsing) {
            (Some(error), _) => (error.kind().span(), error.to_string(), error.render(&resolve.source_map)),
            (None, Some(error)) => (error.kind().span(), error.to_string(), error.render(&resolve.source_map)),
            (None, None) => return Self { line: format!("{error:#}"), excerpt: None },
        };
        let meant = resolving.and_then(|error| meant_elsewhere(resolve, error.kind(), wit));
        let meant = meant.or_else(|| parsing.and_then(|error| meant_here(error.kind())));
        let meant = meant.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        // Further lines list the packages known so far, which are not all packages.
        let message = message.lines().next().unwrap_or_default().trim_end_matches(". known packages:");
        let place = if span.is_known() { format!("{}: ", resolve.render_location(span)) } else { String::new() };
        Self { line: format!("{place}{message}{meant}"), excerpt: span.is_known().then_some(excerpt) }
    }
}

/// Returns the name of another package that a reference may mean.
fn meant_elsewhere(resolve: &Resolve, error: &ResolveErrorKind, wit: &Path) -> Option<String> {
    match error {
        ResolveErrorKind::InterfaceNotFound { requested, package, .. } => {
            let (_, package) = resolve.packages.iter().find(|(_, known)| known.name == *package)?;
            nearest(&requested.to_string(), package.interfaces.keys().cloned())
        }
        ResolveErrorKind::PackageNotFound { requested, .. } => {
            let known = packages(&wit.join("deps"));
            // The same package in another version comes first.
            let unversioned = format!("{}:{}@", requested.namespace, requested.name);
            let same = known.iter().find(|known| known.starts_with(&unversioned)).cloned();
            same.or_else(|| nearest(&requested.to_string(), known.into_iter()))
        }
        _ => None,
    }
}

/// Returns the names of the packages in a folder of dependencies. The parser reads a package only when it is needed.
fn packages(deps: &Path) -> Vec<String> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries(deps).flat_map(|path| if path.is_dir() { entries(&path).collect() } else { vec![path] });
    let name = |file: PathBuf| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("package "))?;
        Some(line.split([';', ' ', '{']).next()?.to_owned())
    };
    files.filter_map(name).collect()
}

/// Returns the probable meaning of an unknown name: an interface of the handler protocol without its package, or a
/// type.
fn meant_here(error: &ParseErrorKind) -> Option<String> {
    const TYPES: [&str; 14] =
        ["bool", "char", "string", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64", "list"];
    let ParseErrorKind::ItemNotFound { name, kind, .. } = error else { return None };
    if !kind.contains("interface") {
        return nearest(name, TYPES.into_iter().map(str::to_owned));
    }
    let interfaces = FILES.iter().filter_map(|(path, _)| path.strip_prefix("taskcell-handlers/")?.strip_suffix(".wit"));
    let interface = nearest(name, interfaces.map(str::to_owned))?;
    Some(format!("{PACKAGE}/{interface}@{PACKAGE_VERSION}"))
}

/// Returns the most similar name, or none when no name is similar enough.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let scored = known.map(|known| (strsim::jaro_winkler(name, &known), known)).filter(|(alike, _)| *alike >= ALIKE);
    scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, known)| known)
}
