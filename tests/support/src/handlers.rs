//! Handlers for tests: compiled once for all tests, under the limits that a test sets.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Limits};

use crate::guests::build_guest;
use crate::provision::{repository, target};

/// The stock handler, as the program embeds it.
pub const STOCK: &[u8] = include_bytes!("../../../host/cli/assets/stock.wasm");

/// Limits for a test: as many cells as it needs, and otherwise the defaults. Reserving room for a thousand cells takes
/// time.
#[must_use]
pub fn cells(cells: u32) -> Limits {
    let mut limits = Limits::default();
    limits.cells = cells;
    limits
}

/// An engine under these limits, with the cache of compiled components that the tests share.
///
/// # Errors
/// When this machine cannot support the limits.
pub fn engine(limits: Limits) -> Result<Engine, taskcell::EngineError> {
    let mut options = EngineOptions::default();
    options.limits = limits;
    options.cache = Some(target().join("test-cache"));
    Engine::new(options)
}

/// Loads the stock handler with a script.
///
/// # Errors
/// When the handler cannot be loaded.
pub async fn stock(limits: Limits, script: &Value) -> Result<Handlers> {
    let mut grants = Grants::default();
    grants.tasks = true;
    grants.progress = true;
    grants.config = Some([("script".to_owned(), script.to_string())].into_iter().collect());
    let handler = Handler::from_bytes(&engine(limits)?, "stock", STOCK.to_vec(), grants).await?;
    Ok(Handlers::new([handler])?)
}

/// Loads a guest crate of the repository, by its folder, with the grants `tasks` and `progress`.
///
/// # Errors
/// When the guest cannot be built or loaded.
pub async fn guest(limits: Limits, folder: &str) -> Result<Handlers> {
    let mut grants = Grants::default();
    grants.tasks = true;
    grants.progress = true;
    guest_with(limits, folder, grants).await
}

/// Loads a guest crate of the repository, by its folder, with these grants.
///
/// # Errors
/// When the guest cannot be built or loaded.
pub async fn guest_with(limits: Limits, folder: &str, grants: Grants) -> Result<Handlers> {
    let file = build_guest(&repository().join(Path::new(folder)))?;
    let handler = Handler::from_file(&engine(limits)?, &file, grants).await?;
    Ok(Handlers::new([handler])?)
}
