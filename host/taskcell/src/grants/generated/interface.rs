//! The interface `taskcell:handlers/types` as generated bindings expect it: the types, and the means to implement and
//! to link functions. The interface has none.

pub use crate::protocol::types::*;

/// Functions that the interface asks of the host: none.
pub trait Host {}
impl<T: ?Sized> Host for T {}

/// Functions that take the store: none.
pub trait HostWithStore<T> {}
impl<S: ?Sized, T> HostWithStore<T> for S {}

/// Links the functions: there are none, so nothing fails.
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
