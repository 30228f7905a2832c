//! What the types of the library promise to the compiler of an application: they go to other threads, and so do the
//! futures that they give.

use taskcell::mrtr::{CallError, Caller};
use taskcell::protocol::jsonrpc::Message;
use taskcell::tasks::{AuditLog, MemoryStore, SqliteStore, Tasks};
use taskcell::{
    CellError, Engine, EngineError, EngineOptions, Grants, Handler, Handlers, Limits, LoadError, NativeContext,
    NativeHandler, Outbox, Session, SessionOptions,
};

fn shared<T: Send + Sync + 'static>() {}

fn sent<T: Send>(_: T) {}

#[test]
fn types_are_shared_between_threads() {
    shared::<(Engine, EngineOptions, Limits, Grants)>();
    shared::<(Handler, Handlers, NativeHandler, NativeContext)>();
    shared::<(Session, SessionOptions, Caller, CallError)>();
    shared::<(Tasks, MemoryStore, SqliteStore, AuditLog)>();
    shared::<(EngineError, LoadError, CellError)>();
    shared::<Outbox>();
}

/// Only the compiler looks at these.
#[expect(dead_code, reason = "to compile it is the test")]
fn futures_are_sent(
    session: &'static Session,
    caller: &'static Caller,
    engine: &'static Engine,
    message: &'static [u8],
) {
    sent(Handler::from_file(engine, "x".as_ref(), Grants::default()));
    sent(Handler::from_bytes(engine, "x", Vec::new(), Grants::default()));
    sent(session.handle(message));
    sent(session.answer(message));
    let _ = Message::read(message).map(|message| session.handles(&message));
    let params = serde_json::value::RawValue::NULL;
    sent(caller.call("tools/call", params));
    sent(caller.resume("x"));
    sent(caller.settle());
}
