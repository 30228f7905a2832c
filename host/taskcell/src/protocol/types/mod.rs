//! MCP's data: the WIT interface `taskcell:handlers/types` in Rust.
//!
//! The documentation of each field is that of the WIT item of the same name in `wit/types.wit`; what
//! stands behind "MCP:" are the entries of the MCP schema, revision 2025-11-25. On the wire absent fields are left out
//! and unknown ones ignored.

mod common;
mod content;
mod elicitation;
mod elicitation_schema;
mod roots;
mod sampling;
mod tasks;

pub use common::*;
pub use content::*;
pub use elicitation::*;
pub use elicitation_schema::*;
pub use roots::*;
pub use sampling::*;
pub use tasks::*;

// What wasmtime's generated bindings expect of a module that stands for an interface. The interface has types
// only, so there is nothing to implement or to link.

/// The functions that the interface asks of the host: none.
pub trait Host {}
impl<T: ?Sized> Host for T {}

/// Empty counterpart of [`Host`] for functions that take the store.
pub trait HostWithStore<T> {}
impl<S: ?Sized, T> HostWithStore<T> for S {}

/// Links the interface's functions: there are none.
///
/// # Errors
/// None; the generated bindings expect the signature.
#[doc(hidden)]
pub fn add_to_linker<T, D>(
    _linker: &mut wasmtime::component::Linker<T>,
    _host: fn(&mut T) -> D::Data<'_>,
) -> wasmtime::Result<()>
where
    T: 'static,
    D: wasmtime::component::HasData,
{
    Ok(())
}
