//! Real components, made at test time from a list of interfaces, without a toolchain.
//!
//! Such a component exports and imports exactly the given interfaces, with the right types, and traps when called. That
//! is enough to test everything that depends only on a component's interfaces.

use std::path::PathBuf;
use std::sync::LazyLock;

use anyhow::{Context, Result, anyhow};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve, SourceMap, UnresolvedPackageGroup, WorldId};

use crate::provision::repository;

/// WIT package of the handler protocol, without its version.
pub const PACKAGE: &str = "taskcell:handlers";
/// Version of the handler protocol in this repository.
pub const VERSION: &str = "0.1.0";

/// A component that exports and imports these interfaces. A plain name is an interface of the handler protocol.
///
/// # Errors
/// When an interface does not exist.
pub fn component(exports: &[&str], imports: &[&str]) -> Result<Vec<u8>> {
    static PROTOCOL: LazyLock<Result<Resolve>> = LazyLock::new(|| protocol(VERSION));

    let resolve = PROTOCOL.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    build(resolve.clone(), VERSION, exports, imports)
}

/// A component like [`component`]'s, built for another version of the handler protocol with the same interfaces.
///
/// # Errors
/// When an interface does not exist.
pub fn component_for(version: &str, exports: &[&str], imports: &[&str]) -> Result<Vec<u8>> {
    build(protocol(version)?, version, exports, imports)
}

/// A component over these WIT packages. Each item is the text of one package, after those that it uses. `wasi:config`
/// and the other dependencies of the repository's WIT need not be given. Interfaces have full names.
///
/// # Errors
/// When a package is invalid, or an interface does not exist.
pub fn component_with(packages: &[&str], exports: &[&str], imports: &[&str]) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    for package in dependencies()? {
        // A given package replaces the repository's.
        let header = format!("package {};", package.main.name);
        if !packages.iter().any(|given| given.starts_with(&header)) {
            resolve.push_group(package)?;
        }
    }
    for package in packages {
        resolve.push_source("package.wit", package)?;
    }
    build(resolve, VERSION, exports, imports)
}

/// A component around a core module, binary or text, which implements these interfaces under wit-component's names:
/// `taskcell:handlers/sampling@0.1.0#handle`, `cabi_realloc`. The packages are as for [`component_with`], with the
/// handler protocol put before them.
///
/// # Errors
/// When the module is invalid or does not implement the interfaces.
pub fn component_of(
    module: impl AsRef<[u8]>,
    packages: &[&str],
    exports: &[&str],
    imports: &[&str],
) -> Result<Vec<u8>> {
    let mut resolve = protocol_with(packages)?;
    let world = world(&mut resolve, VERSION, exports, imports)?;
    let mut module = wat::parse_bytes(module.as_ref())?.into_owned();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    ComponentEncoder::default().validate(true).module(&module)?.encode()
}

/// Resolves the handler protocol and these packages, as for [`component_with`].
///
/// # Errors
/// When a package is invalid.
pub fn protocol_with(packages: &[&str]) -> Result<Resolve> {
    let mut resolve = protocol(VERSION)?;
    for package in packages {
        resolve.push_source("package.wit", package)?;
    }
    Ok(resolve)
}

/// A component written as text.
///
/// # Errors
/// When the text is not WebAssembly text.
pub fn component_text(text: &str) -> Result<Vec<u8>> {
    Ok(wat::parse_str(text)?)
}

/// A core module: valid WebAssembly, but not a component.
#[must_use]
pub fn core_module() -> Vec<u8> {
    b"\0asm\x01\0\0\0".to_vec()
}

fn build(mut resolve: Resolve, version: &str, exports: &[&str], imports: &[&str]) -> Result<Vec<u8>> {
    let world = world(&mut resolve, version, exports, imports)?;
    encode(&resolve, world)
}

/// Adds the world that exports and imports these interfaces.
fn world(resolve: &mut Resolve, version: &str, exports: &[&str], imports: &[&str]) -> Result<WorldId> {
    let full =
        |name: &&str| if name.contains(':') { (*name).to_owned() } else { format!("{PACKAGE}/{name}@{version}") };
    let items = imports.iter().map(|name| format!("import {};\n", full(name)));
    let items: String = items.chain(exports.iter().map(|name| format!("export {};\n", full(name)))).collect();
    let package = resolve.push_source("world.wit", &format!("package test:composed;\nworld composed {{\n{items}}}"))?;
    resolve.select_world(&[package], None)
}

fn encode(resolve: &Resolve, world: WorldId) -> Result<Vec<u8>> {
    let mut module = dummy_module(resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8, false)?;
    ComponentEncoder::default().validate(true).module(&module)?.encode()
}

/// Resolves the handler protocol under a version, with the packages that it uses.
fn protocol(version: &str) -> Result<Resolve> {
    let mut map = SourceMap::new();
    for entry in wit().read_dir()? {
        let path = entry?.path();
        if path.is_file() {
            let text = std::fs::read_to_string(&path)?;
            let header = format!("package {PACKAGE}@{VERSION};");
            map.push(&path, text.replacen(&header, &format!("package {PACKAGE}@{version};"), 1));
        }
    }
    let package = map.parse().map_err(|(map, error)| anyhow!("{}", error.render(&map)))?;
    let mut resolve = Resolve::default();
    resolve.push_groups(package, dependencies()?)?;
    Ok(resolve)
}

/// Packages that the handler protocol uses, each after those that it uses itself.
fn dependencies() -> Result<Vec<UnresolvedPackageGroup>> {
    let folder = |name: &str| wit().join("deps").join(name);
    let parse = |name: &str| {
        UnresolvedPackageGroup::parse_dir(folder(name))
            .with_context(|| format!("cannot read {}", folder(name).display()))
    };
    ["wasi-io", "wasi-clocks", "wasi-cli", "wasi-config", "wasi-keyvalue"].map(parse).into_iter().collect()
}

fn wit() -> PathBuf {
    repository().join("wit")
}
