//! Bindings and components for the languages whose compilers write core modules: C, C++ and Go.
//!
//! The functions do the work of `wit-bindgen` and `wasm-tools component new`, with the same crates. Authors then need
//! neither tool, whose builds take minutes.
//!
//! C++ uses the bindings of C. The crate `wit-bindgen-cpp` 0.63 has nicer ones, but they overwrite a list with its
//! items for the host while they read it, so an answer with a string arrives garbled.

use std::fs;
use std::path::Path;

use anyhow::Context;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasm_encoder::{Module, RawSection};
use wasmparser::{Parser, Payload};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding};

use super::world::read;

/// Adapter of WASI preview 1 for Go, assembled from `go-adapter.wat`. A test compares the two.
const GO_ADAPTER: &[u8] = include_bytes!("../../assets/go-adapter.wasm");

/// Import that only Go's runtime package has. Go uses it to mark the times when no import may be called.
const GO_PAUSES: &[u8] = b"adapter_monotonic_clock_set_paused";

/// Language to generate bindings for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Generator {
    /// C, for C++ as well: a header, a source file and an object file with the world's type
    C,
    /// Go, in a package for each interface
    Go,
}

/// Input and output of a bindings generator.
pub(crate) struct Bindings<'a> {
    /// WIT file, or folder of one package with its `deps`.
    pub(crate) wit: &'a Path,
    /// World, or none for the only world of the package.
    pub(crate) world: Option<&'a str>,
    /// Another name for the world in the bindings. Only C takes one.
    pub(crate) rename_world: Option<String>,
    /// Folder to write to. A missing folder is created.
    pub(crate) out: &'a Path,
}

impl Bindings<'_> {
    /// Writes the bindings for a language.
    ///
    /// # Errors
    /// Fails for WIT that cannot be read or is wrong, for a missing world, and for a file that cannot be written.
    pub(crate) fn write(self, generator: Generator) -> anyhow::Result<()> {
        let (mut resolve, world) = read(self.wit, self.world)?;
        let mut generator: Box<dyn WorldGenerator> = match generator {
            Generator::C => wit_bindgen_c::Opts { rename_world: self.rename_world, ..Default::default() }.build(),
            Generator::Go => wit_bindgen_go::Opts::default().build(),
        };
        let mut files = Files::default();
        generator.generate(&mut resolve, world, &mut files)?;
        for (name, contents) in files.iter() {
            let path = self.out.join(name);
            let folder = path.parent().unwrap_or(self.out);
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// Adds the type of a world to a core module, for compilers that do not link it in, as `wasm-tools component embed`
/// does.
///
/// # Errors
/// Fails for WIT that cannot be read or is wrong, and for a missing world.
pub(crate) fn embed(core: &mut Vec<u8>, wit: &Path, world: Option<&str>) -> anyhow::Result<()> {
    let (resolve, world) = read(wit, world)?;
    wit_component::embed_component_metadata(core, &resolve, world, StringEncoding::UTF8, false)
}

/// Converts a core module with a linked-in world type to a component. Uses of WASI preview 1 are translated to WASI
/// 0.2; Go has an adapter of its own. Debug information is removed.
///
/// # Errors
/// Fails for a module without a world type, and for imports that neither the world nor WASI has.
pub(crate) fn component(core: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default();
    encoder.module(&without_debug_information(core)?)?.validate(true);
    let is_go = core.windows(GO_PAUSES.len()).any(|part| part == GO_PAUSES);
    let adapter = if is_go { GO_ADAPTER } else { WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER };
    encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)?;
    encoder.encode()
}

/// Removes the DWARF sections of a core module. The host does not read them: its backtraces take the names of functions
/// from another section.
fn without_debug_information(core: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(core) {
        let payload = payload?;
        let is_debug = matches!(&payload, Payload::CustomSection(custom) if custom.name().starts_with(".debug_"));
        if let (false, Some((id, range))) = (is_debug, payload.as_section()) {
            let data = core.get(usize::try_from(range.start)?..usize::try_from(range.end)?);
            module.section(&RawSection { id, data: data.context("a section is longer than the module")? });
        }
    }
    Ok(module.finish())
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{CustomSection, TypeSection};

    use super::*;

    /// All other sections stay unchanged and in place, including the names of functions.
    #[test]
    fn only_debug_information_is_left_out_of_a_module() -> anyhow::Result<()> {
        let made = |with_debug: bool| {
            let custom = |name: &'static str| CustomSection { name: name.into(), data: (&[1, 2, 3]).into() };
            let mut module = Module::new();
            let mut types = TypeSection::new();
            types.ty().function([], []);
            module.section(&types);
            for name in [".debug_info", "name", ".debug_str", "producers", ".debug_line", "component-type:x"] {
                if with_debug || !name.starts_with(".debug_") {
                    module.section(&custom(name));
                }
            }
            module.finish()
        };
        assert_eq!(without_debug_information(&made(true))?, made(false));
        assert_eq!(without_debug_information(&made(false))?, made(false));
        assert!(without_debug_information(b"no module").is_err());
        Ok(())
    }
}
