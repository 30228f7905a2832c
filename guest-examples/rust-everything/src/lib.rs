//! Answers all nine kinds of request, and works on tasks in the background. Its answers depend on the request alone and
//! are the same in each language that has an example `*-everything`.

wit_bindgen::generate!({ world: "everything", path: "../../wit", generate_all });

#[path = "../../rust-minimal/src/alloc.rs"]
mod alloc;
mod elicitation;
mod sampling;
mod tasks;

use exports::taskcell::handlers::roots;
use taskcell::handlers::types::*;

struct Handler;

impl roots::Guest for Handler {
    fn handle(_: RequestContext) -> Result<ListRootsResult, RpcError> {
        let root = |uri: &str, name: Option<&str>| Root { uri: uri.into(), name: name.map(Into::into), meta: None };
        let roots = vec![root("file:///everything", Some("everything")), root("file:///tmp/%C3%A9", None)];
        Ok(ListRootsResult { roots, meta: None })
    }
}

export!(Handler);
