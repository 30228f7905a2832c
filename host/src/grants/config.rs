//! Grant `config`: settings, through `wasi:config/store`.

use std::sync::{Arc, LazyLock};

use wasmtime::component::Linker;
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};

use crate::sandbox::CellState;

/// The settings of a handler: keys and values. Shared by all its cells, which only read them.
#[derive(Clone)]
pub struct Settings {
    variables: Arc<WasiConfigVariables>,
    keys: Arc<[String]>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secret: the keys tell enough.
        f.debug_list().entries(self.keys.iter()).finish()
    }
}

impl FromIterator<(String, String)> for Settings {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(settings: T) -> Self {
        let mut keys = Vec::new();
        let mut variables = WasiConfigVariables::new();
        for (key, value) in settings {
            keys.push(key.clone());
            variables.insert(key, value);
        }
        Self { variables: Arc::new(variables), keys: keys.into() }
    }
}

static NONE: LazyLock<WasiConfigVariables> = LazyLock::new(WasiConfigVariables::new);

pub(super) fn add_to_linker(linker: &mut Linker<CellState>) -> wasmtime::Result<()> {
    wasmtime_wasi_config::add_to_linker(linker, |state| {
        WasiConfig::new(state.scope.grants.config.as_ref().map_or(&NONE, |settings| &settings.variables))
    })
}
