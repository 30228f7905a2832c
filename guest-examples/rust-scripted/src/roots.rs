//! Roots: the script's list.

use crate::Handler;
use crate::bindings::exports::taskcell::handlers::roots::Guest;
use crate::bindings::taskcell::handlers::types::{ListRootsResult, RequestContext, Root, RpcError};
use crate::settings;

impl Guest for Handler {
    fn handle(_: RequestContext) -> Result<ListRootsResult, RpcError> {
        let roots = settings::script()?.roots.into_iter();
        let roots = roots.map(|root| Root { uri: root.uri, name: root.name, meta: None });
        Ok(ListRootsResult { roots: roots.collect(), meta: None })
    }
}
