//! Bindings and components for the languages whose compilers write core modules: C, C++ and Go.
//!
//! The same as `wit-bindgen` and `wasm-tools component new` do, from the same crates, so that an author needs neither:
//! building both takes minutes.
//!
//! C++ uses the bindings of C. The crate `wit-bindgen-cpp` 0.63 has nicer ones, which write a list's items for the host
//! over the list itself while they read it: an answer with a text in it comes out garbled.

use std::fs;
use std::path::Path;

use anyhow::Context;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::ComponentEncoder;

/// A language to make bindings for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in super::super) enum Generator {
    /// C, for C++ as well: a header, a source file and an object file with the world's type
    C,
    /// Go, in a package for each interface
    Go,
}

/// What bindings are to be made of, and where.
pub(in super::super) struct Bindings<'a> {
    /// A WIT file or a folder of one package with its `deps`.
    pub(in super::super) wit: &'a Path,
    /// The world; none for the package's only one.
    pub(in super::super) world: Option<&'a str>,
    /// Another name for the world in the bindings; only for C.
    pub(in super::super) rename_world: Option<String>,
    /// The folder to write to; made if it is not there.
    pub(in super::super) out: &'a Path,
}

impl Bindings<'_> {
    /// Writes the bindings for a language.
    ///
    /// # Errors
    /// When the WIT cannot be read or is wrong, has no such world, or a file cannot be written.
    pub(in super::super) fn write(self, generator: Generator) -> anyhow::Result<()> {
        let mut resolve = Resolve::default();
        let read = resolve.push_path(self.wit);
        let (package, _) = read.with_context(|| format!("the WIT in {} is wrong", self.wit.display()))?;
        let world = resolve.select_world(&[package], self.world);
        let world = world.with_context(|| format!("of the WIT in {}", self.wit.display()))?;
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

/// Makes a component of a core module that was linked with the world's type. What it uses of WASI preview 1 is
/// translated to WASI 0.2.
///
/// # Errors
/// When it is no such module, or imports what neither the world nor WASI has.
pub(in super::super) fn component(core: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default();
    encoder.module(core)?.validate(true);
    encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
    encoder.encode()
}
