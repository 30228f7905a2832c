//! The host functions that a component is linked to: WASI, which every cell has, and what its handler was granted.

use wasmtime::component::Linker;

use crate::grants::{CellState, Grants};
use crate::sandbox::Engine;

/// Links WASI and the grants. WASI, some 200 functions, is linked once an engine and copied for each component.
pub(super) fn linker(engine: &Engine, grants: &Grants) -> wasmtime::Result<Linker<CellState>> {
    let mut linker = match engine.kept::<Linker<CellState>>() {
        Some(wasi) => wasi.clone(),
        None => {
            let mut wasi = Linker::new(engine.wasmtime());
            wasmtime_wasi::p2::add_to_linker_async(&mut wasi)?;
            engine.keep(wasi.clone());
            wasi
        }
    };
    grants.link(&mut linker)?;
    Ok(linker)
}
