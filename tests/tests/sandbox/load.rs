//! Components that are refused when they are loaded, each with the file, what is wrong with it and what to do.

use std::fs;
use std::sync::{Arc, LazyLock};

use serde_json::json;
use taskcell::grants::{Confirmation, GrantKind, Grants, Model, ModelContext, User};
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ElicitRequest, ElicitResult, Implementation, RpcError,
};
use taskcell::{Engine, EngineOptions, Handler, Handlers, LoadError};
use taskcell_test_support::compose::{component, component_for, component_with, core_module};
use taskcell_test_support::server::Server;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(EngineOptions::default()).unwrap());

const FILE: &str = "some/handler.wasm";
const CONFIG: &str = "wasi:config/store@0.2.0-rc.1";

async fn load(bytes: Vec<u8>, grants: Grants) -> Result<Handler, LoadError> {
    Handler::from_bytes(&ENGINE, FILE, bytes, grants).await
}

/// The component is refused with this kind of error, whose message starts with the file and holds these parts.
async fn refused(what: &str, bytes: Vec<u8>, grants: Grants, kind: &str, parts: &[&str]) {
    let error = load(bytes, grants).await.expect_err(what);
    let message = error.to_string();
    assert_eq!(error.kind(), kind, "{what}: {message}");
    assert!(message.starts_with("some/handler.wasm: "), "{what}: {message}");
    for part in parts {
        assert!(message.contains(part), "{what}: no {part:?} in {message:?}");
    }
}

/// Neither a model nor a user: for components that only import them.
struct Nobody;

#[async_trait::async_trait]
impl Model for Nobody {
    async fn create_message(&self, _: &ModelContext, _: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        Err(RpcError::new(-1, "nobody"))
    }
}

#[async_trait::async_trait]
impl User for Nobody {
    async fn elicit(&self, _: &Implementation, _: ElicitRequest) -> Result<ElicitResult, RpcError> {
        Err(RpcError::new(-1, "nobody"))
    }

    async fn confirm(&self, _: &Implementation, _: String) -> Result<Confirmation, RpcError> {
        Err(RpcError::new(-1, "nobody"))
    }
}

/// Everything is granted.
fn all_grants() -> Grants {
    let mut grants = Grants::default();
    grants.tasks = true;
    grants.progress = true;
    grants.config = Some([("key".to_owned(), "value".to_owned())].into_iter().collect());
    grants.model = Some(Arc::new(Nobody));
    grants.user = Some(Arc::new(Nobody));
    grants
}

/// Bytes that are no component.
#[tokio::test]
async fn what_is_no_component_is_refused() {
    let whole = component(&["sampling"], &[]).unwrap();
    let component_header = b"\0asm\x0d\0\x01\0".to_vec();
    let no_wasm = ["not a WebAssembly component", "build one with the tool chain of your language"];
    let core = ["a core module", "wasm-tools component new"];
    let invalid = ["is not a valid component"];
    #[rustfmt::skip]
    let rows: [(&str, Vec<u8>, &str, &[&str]); 11] = [
        ("an empty file",         vec![],                                            "not_a_component",   &no_wasm),
        ("a script",              b"#!/bin/sh\n".to_vec(),                           "not_a_component",   &no_wasm),
        ("an ELF file",           b"\x7fELF\x02\x01\x01".to_vec(),                   "not_a_component",   &no_wasm),
        ("part of the magic",     b"\0as".to_vec(),                                  "not_a_component",   &no_wasm),
        ("WebAssembly text",      b"(component)".to_vec(),                           "not_a_component",   &no_wasm),
        ("a core module",         core_module(),                                     "core_module",       &core),
        ("only the magic",        b"\0asm".to_vec(),                                 "invalid_component", &invalid),
        ("another layer",         b"\0asm\x0d\0\x02\0".to_vec(),                     "invalid_component", &invalid),
        ("garbage inside",        [component_header, b"garbage".to_vec()].concat(),  "invalid_component", &invalid),
        ("half a component",      whole[..whole.len() / 2].to_vec(),                 "invalid_component", &invalid),
        ("all but the last byte", whole[..whole.len() - 1].to_vec(),                 "invalid_component", &invalid),
    ];
    for (what, bytes, kind, parts) in rows {
        refused(what, bytes, all_grants(), kind, parts).await;
    }
}

/// Files that cannot be read.
#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (path, says) in [(folder.path().join("none.wasm"), "No such file"), (folder.path().to_owned(), "directory")] {
        let error = Handler::from_file(&ENGINE, &path, Grants::default()).await.unwrap_err();
        let message = error.to_string();
        assert_eq!(error.kind(), "read", "{message}");
        assert!(message.starts_with(&format!("{}: cannot be read", path.display())), "{message}");
        assert!(message.contains(says), "{message}");
    }
}

/// A file is known by its path.
#[tokio::test]
async fn a_file_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handler.wasm");
    fs::write(&path, component(&["roots"], &[]).unwrap()).unwrap();
    let handler = Handler::from_file(&ENGINE, &path, Grants::default()).await.unwrap();
    assert_eq!(handler.name(), path.display().to_string());
}

/// Components that are larger than allowed are not even looked at.
#[tokio::test]
async fn what_is_too_large_is_refused() {
    let whole = component(&["sampling"], &[]).unwrap();
    let load = async |limit| {
        let mut options = EngineOptions::default();
        options.limits.component_size = limit;
        options.limits.cells = 1;
        Handler::from_bytes(&Engine::new(options).unwrap(), FILE, whole.clone(), Grants::default()).await
    };
    assert!(load(whole.len()).await.is_ok());
    let error = load(whole.len() - 1).await.unwrap_err();
    assert_eq!(error.kind(), "component_size");
    let expected = format!("{FILE}: has {} bytes, the limit is {}", whole.len(), whole.len() - 1);
    assert!(error.to_string().starts_with(&expected), "{error}");
}

/// Components that were built for another version of the handler protocol.
#[tokio::test]
async fn other_versions_are_refused() {
    for version in ["0.2.0", "0.0.9", "0.10.0", "1.0.0", "0.1.0-rc.1", "0.1.7-draft", "0.2.0-alpha"] {
        let found = format!("taskcell:handlers/types@{version}");
        let parts = [&*found, "taskcell:handlers@0.1.0", "build it against that version"];
        for imports in [&[] as &[&str], &["tasks"]] {
            let bytes = component_for(version, &["sampling", "roots"], imports).unwrap();
            refused(version, bytes, all_grants(), "interface_version", &parts).await;
        }
    }
    // Nothing but the version is wrong with these, on either side.
    let package = |version| format!("package taskcell:handlers{version};\ninterface progress {{ report: func(); }}");
    for (version, name) in [("@0.2.0", "taskcell:handlers/progress@0.2.0"), ("", "taskcell:handlers/progress")] {
        let parts = [&*format!("`{name}`"), "taskcell:handlers@0.1.0"];
        let exported = component_with(&[&package(version)], &[name], &[]).unwrap();
        refused(name, exported, all_grants(), "interface_version", &parts).await;
        let imported = component_with(&[&package(version)], &[], &[name]).unwrap();
        refused(name, imported, all_grants(), "interface_version", &parts).await;
    }
}

/// Components that were built for a later patch of this version are served.
#[tokio::test]
async fn later_patches_are_taken() {
    for version in ["0.1.0", "0.1.7", "0.1.99"] {
        let imports = ["tasks", "model", "user", "progress", CONFIG];
        let bytes = component_for(version, &["get-task", "roots", "background"], &imports).unwrap();
        let handler = load(bytes, all_grants()).await.unwrap();
        assert_eq!(handler.protocol_version(), Some(version));
        let kinds: Vec<_> = handler.kinds().map(|kind| kind.info().export).collect();
        assert_eq!(kinds, ["get-task", "roots"]);
        let answer = Server::new(Handlers::new([handler]).unwrap()).request("roots/list", &json!({})).await.unwrap();
        assert_eq!(answer["error"]["data"]["kind"], "trap", "{answer}");
    }
}

/// Interfaces of the handler protocol that it does not have.
#[tokio::test]
async fn unknown_interfaces_are_refused() {
    let package = "package taskcell:handlers@0.1.0;\ninterface prompts { handle: func(); }";
    let name = "taskcell:handlers/prompts@0.1.0";
    let parts = ["`taskcell:handlers/prompts@0.1.0`", "taskcell:handlers@0.1.0", "check its spelling"];
    for (exports, imports) in [(&[name] as &[_], &[] as &[_]), (&[], &[name])] {
        let bytes = component_with(&[package], exports, imports).unwrap();
        refused("unknown", bytes, all_grants(), "unknown_interface", &parts).await;
    }
}

/// Handlers whose function does not have the type that the protocol gives it: the body of the interface, its name,
/// and what the message must hold.
#[tokio::test]
async fn wrong_signatures_are_refused() {
    let context = "
        record implementation { name: string, title: option<string>, version: string, description: option<string>,
            website-url: option<string>, icons: option<list<icon>> }
        record icon { src: string, mime-type: option<string>, sizes: option<list<string>>, theme: option<icon-theme> }
        enum icon-theme { light, dark }
        variant progress-token { text(string), number(s64) }
        record request-context { request-id: string, progress-token: option<progress-token>, meta: option<string>,
            server: implementation, protocol-version: string, attempt: u32 }
        record rpc-error { code: s32, message: string, data: option<string> }
        record root { uri: string, name: option<string>, meta: option<string> }
        record list-roots-result { roots: list<root>, meta: option<string> }
        record nameless-root { uri: string, meta: option<string> }
        record nameless-result { roots: list<nameless-root>, meta: option<string> }";
    let with_types = |function: &str| format!("{context}\n{function}");
    let (parameters, results) = ("type mismatch with parameters", "type mismatch with results");
    #[rustfmt::skip]
    let rows = [
        ("sampling",   "handle: func(request: string) -> string;".to_owned(),                              parameters),
        ("sampling",   "handle: func();".to_owned(),                                                       parameters),
        ("sampling",   "answer: func();".to_owned(),                                                       "no function `handle`"),
        ("background", "handle: func();".to_owned(),                                                       "no function `run`"),
        ("background", "run: func();".to_owned(),                                                          parameters),
        ("roots",      with_types("handle: func(context: request-context) -> list-roots-result;"),         results),
        ("roots",      with_types("handle: func(context: request-context) -> result<list-roots-result>;"), results),
        ("roots",      with_types("handle: func() -> result<list-roots-result, rpc-error>;"),              parameters),
        ("roots",      with_types("handle: func(context: request-context) -> result<nameless-result, rpc-error>;"), results),
    ];
    for (interface, body, reason) in rows {
        let package = format!("package taskcell:handlers@0.1.0;\ninterface {interface} {{ {body} }}");
        let name = format!("taskcell:handlers/{interface}@0.1.0");
        let bytes = component_with(&[&package], &[&name], &[]).unwrap();
        let parts = [&*format!("`{name}` has the wrong signature"), reason, "build it against the WIT of this version"];
        refused(&body, bytes, all_grants(), "signature", &parts).await;
    }
    // The types written out above are the protocol's: with them alone the component is taken.
    let function = with_types("handle: func(context: request-context) -> result<list-roots-result, rpc-error>;");
    let package = format!("package taskcell:handlers@0.1.0;\ninterface roots {{ {function} }}");
    let bytes = component_with(&[&package], &["taskcell:handlers/roots@0.1.0"], &[]).unwrap();
    load(bytes, Grants::default()).await.unwrap();
}

/// Each import with the grant it needs: refused without it, whatever else is granted, and taken with it.
#[tokio::test]
async fn imports_need_their_grant() {
    type Give = fn(&mut Grants, Grants);
    #[rustfmt::skip]
    let rows: [(&str, &str, Give); 5] = [
        ("taskcell:handlers/tasks@0.1.0",    "tasks",    |to, from| to.tasks = from.tasks),
        ("taskcell:handlers/progress@0.1.0", "progress", |to, from| to.progress = from.progress),
        (CONFIG,                             "config",   |to, from| to.config = from.config),
        ("taskcell:handlers/model@0.1.0",    "model",    |to, from| to.model = from.model),
        ("taskcell:handlers/user@0.1.0",     "user",     |to, from| to.user = from.user),
    ];
    for (import, grant, give) in rows {
        let bytes = component(&["sampling"], &[import]).unwrap();
        let parts = [&*format!("imports `{import}`"), "not granted", &*format!("the grant `{grant}` would allow it")];
        let mut all_others = all_grants();
        give(&mut all_others, Grants::default());
        for grants in [Grants::default(), all_others] {
            refused(import, bytes.clone(), grants, "not_granted", &parts).await;
        }
        let mut only = Grants::default();
        give(&mut only, all_grants());
        let handler = load(bytes, only).await.unwrap();
        let imports: Vec<_> = handler.imports().iter().filter(|found| found.interface == import).collect();
        assert!(matches!(imports[..], [found] if found.known), "{imports:?}");
        assert_eq!(imports[0].grant.map(GrantKind::as_str), Some(grant));
    }
}

/// Imports that no grant gives, even when everything is granted.
#[tokio::test]
async fn unknown_imports_are_refused() {
    let thing = "package example:thing;\ninterface api { call: func(); }";
    let blobs = "package wasi:blobstore@0.2.6;\ninterface blobstore { handle: func(); }";
    let rows = [
        ("example:thing/api", Some(thing)),
        ("wasi:blobstore/blobstore@0.2.6", Some(blobs)),
        ("taskcell:handlers/sampling@0.1.0", None),
        ("taskcell:handlers/background@0.1.0", None),
    ];
    for (import, package) in rows {
        let bytes = match package {
            Some(package) => component_with(&[package], &[], &[import]),
            None => component(&[], &[import]),
        };
        let parts = [&*format!("imports `{import}`"), "this host does not have"];
        refused(import, bytes.unwrap(), all_grants(), "unknown_import", &parts).await;
    }
    let bytes = component_with(&[], &[], &["run: func()"]).unwrap();
    refused("a function", bytes, all_grants(), "unknown_import", &["imports `run`"]).await;
}

/// Interfaces that the host knows by name, but not in this version or not with this function.
#[tokio::test]
async fn imports_that_do_not_fit_are_refused() {
    let tasks = "package taskcell:handlers@0.1.0;\ninterface tasks { get: func(id: u32); }";
    let rows = [
        ("wasi:cli/telepathy@0.2.6", "package wasi:cli@0.2.6;\ninterface telepathy { read: func(); }"),
        ("wasi:random/random@0.2.6", "package wasi:random@0.2.6;\ninterface random { get: func(); }"),
        ("taskcell:handlers/tasks@0.1.0", tasks),
    ];
    for (import, package) in rows {
        let bytes = component_with(&[package], &[], &[import]).unwrap();
        let name = import.split('@').next().unwrap();
        refused(import, bytes, all_grants(), "invalid_component", &[name]).await;
    }
}

/// What every cell has needs no grant.
#[tokio::test]
async fn wasi_needs_no_grant() {
    let handler = load(component(&["roots"], &["wasi:clocks/monotonic-clock@0.2.6"]).unwrap(), Grants::default()).await;
    let handler = handler.unwrap();
    assert!(handler.imports().iter().all(|import| import.known && import.grant.is_none()), "{:?}", handler.imports());
}

/// A component that exports nothing of the protocol is a handler of nothing.
#[tokio::test]
async fn a_component_may_handle_nothing() {
    let package = "package example:thing;\ninterface api { call: func(); }";
    let handler = load(component_with(&[package], &["example:thing/api"], &[]).unwrap(), Grants::default()).await;
    let handler = handler.unwrap();
    assert_eq!((handler.kinds().count(), handler.protocol_version()), (0, None));
}

/// Two handlers of one kind.
#[tokio::test]
async fn a_kind_has_one_handler() {
    let load = async |name: &str, exports: &[&str]| {
        let bytes = component(exports, &[]).unwrap();
        Handler::from_bytes(&ENGINE, name, bytes, Grants::default()).await.unwrap()
    };
    let handlers = [load("a.wasm", &["roots", "get-task"]).await, load("b.wasm", &["sampling", "get-task"]).await];
    let error = Handlers::new(handlers).unwrap_err();
    assert_eq!(error.kind(), "duplicate_kind");
    let expected = "both a.wasm and b.wasm export `get-task`; give only one handler for each kind";
    assert_eq!(error.to_string(), expected);
    // `background` is no kind: each handler has its own.
    let handlers = [load("a.wasm", &["roots", "background"]).await, load("b.wasm", &["background"]).await];
    assert_eq!(Handlers::new(handlers).unwrap().kinds().count(), 1);
}
