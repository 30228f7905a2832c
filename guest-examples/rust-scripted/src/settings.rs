//! Where the script comes from: the one setting `script` that the operator gave.

use crate::bindings::taskcell::handlers::types::RpcError;
use crate::bindings::wasi::config::store::{self, Error};
use crate::script::{self, Script};

/// The operator's script, or the built-in one when there is none.
pub(crate) fn script() -> Result<Script, RpcError> {
    match store::get("script") {
        Ok(Some(text)) => Script::parse(&text),
        Ok(None) => Ok(Script::default()),
        Err(Error::Upstream(why) | Error::Io(why)) => Err(script::error(&format!("cannot be read: {why}"))),
    }
}
