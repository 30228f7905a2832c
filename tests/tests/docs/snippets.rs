//! Rust that the pages show in part. Each page's blocks are held equal to lines of this file by `code_blocks.rs`.

#![expect(dead_code, reason = "to compile it is the test")]

use std::sync::Arc;

use anyhow::Result;
use rmcp::{ClientHandler, ServiceExt};
use serde_json::value::RawValue;
use taskcell::grants::{Provider, ProviderModel};
use taskcell::mrtr::{self, Caller};
use taskcell::protocol::types::{Implementation, ListRootsResult, Root};
use taskcell::tasks::{AuditLog, SqliteStore};
use taskcell::{
    Engine, EngineOptions, Grants, Handler, HandlerRegistry, Handlers, NativeHandler, Session, SessionOptions,
};
use taskcell_rmcp::Adapter;
use tokio::process::Command;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// README.md: a session.
async fn session(server: Implementation, message: &[u8]) -> Result<()> {
    let engine = Engine::new(EngineOptions::default())?;
    let handler = Handler::from_file(&engine, "handler.wasm".as_ref(), Grants::default()).await?;
    let handlers = Handlers::new([handler])?;
    let capabilities = handlers.capabilities(); // for `initialize`
    let (session, mut outbox) = Session::new(handlers, SessionOptions::new(server));
    session.handle(message).await; // a message of the server; run one of these for each
    let answer = outbox.recv().await; // what to send
    drop((capabilities, answer));
    Ok(())
}

/// README.md: the adapter for rmcp.
async fn adapter(handler: Handler, my_client_handler: impl ClientHandler) -> Result<()> {
    let adapter = Adapter::new(Handlers::new([handler])?);
    let client = my_client_handler.serve(adapter.child_process(Command::new("server"))?).await?;
    client.cancel().await?;
    Ok(())
}

/// docs/embedding.md: the adapter for rmcp, from the start.
async fn adapter_from_the_start(command: Command, my_client_handler: impl ClientHandler) -> Result<()> {
    let engine = Engine::new(EngineOptions::default())?;
    let handler = Handler::from_file(&engine, "handler.wasm".as_ref(), Grants::default()).await?;
    let adapter = Adapter::new(Handlers::new([handler])?);
    let transport = adapter.child_process(command)?; // instead of TokioChildProcess::new(command)?
    let client = my_client_handler.serve(transport).await?;
    client.cancel().await?;
    Ok(())
}

/// docs/embedding.md: closures.
fn closures(component: Handler) -> Result<Handlers> {
    let roots = NativeHandler::roots(|_| async {
        let project = Root { uri: "file:///home/user/project".to_owned(), name: None, meta: None };
        Ok(ListRootsResult { roots: vec![project], meta: None })
    });
    let handlers = Handlers::new([component])?.native(roots)?;
    Ok(handlers)
}

/// docs/embedding.md: calls to servers of revision 2026-07-28.
async fn calls(
    server: Implementation,
    handlers: Handlers,
    transport: impl mrtr::Server,
    params: &RawValue,
) -> Result<Box<RawValue>> {
    let mut options = SessionOptions::new(server);
    options.protocol_version = mrtr::PROTOCOL_VERSION.to_owned();
    let (session, _) = Session::new(handlers, options);
    let caller = Caller::new(&session, Arc::new(transport), mrtr::Options::default());
    let result = caller.call("tools/call", params).await?;
    Ok(result)
}

/// docs/embedding.md: tasks that outlive the process.
async fn tasks(server: Implementation) -> Result<SessionOptions> {
    let mut options = SessionOptions::new(server);
    options.store = Arc::new(SqliteStore::open("tasks.db".as_ref()).await?);
    options.principal = "the user and the server".to_owned();
    options.audit = Some(Arc::new(AuditLog::open("audit.jsonl".as_ref(), false)?));
    Ok(options)
}

/// docs/embedding.md: a handler that is replaced.
async fn reload(server: Implementation, handler: Handler, bytes: Vec<u8>) -> Result<()> {
    let handlers = HandlerRegistry::new(Handlers::new([handler])?);
    let (session, outbox) = Session::new(handlers.clone(), SessionOptions::new(server));
    let change = handlers.reload("handler.wasm", bytes).await?; // by the name that it was loaded under
    println!("{change}"); // digests, kinds and capabilities, before and after
    drop((session, outbox));
    Ok(())
}

/// docs/model.md: the models of a provider.
fn model(grants: &mut Grants) -> Result<()> {
    let mut provider = Provider::new("openai", "qwen3-8b");
    provider.base_url = Some("http://127.0.0.1:8080/v1/".to_owned());
    provider.guards.session_tokens = 50_000;
    grants.model = Some(Arc::new(ProviderModel::new(provider)?));
    Ok(())
}

/// docs/observability.md: telemetry of any kind.
fn telemetry(recorder: impl metrics::Recorder + Send + Sync + 'static) -> Result<()> {
    tracing_subscriber::fmt().init(); // or any other subscriber
    metrics::set_global_recorder(recorder)?; // of an exporter, such as metrics-exporter-prometheus
    taskcell::telemetry::describe_metrics();
    Ok(())
}

/// docs/observability.md: export by OpenTelemetry.
fn export() -> Result<()> {
    let export = taskcell_otel::Export::from_env()?; // none without OTEL_EXPORTER_OTLP_ENDPOINT
    tracing_subscriber::registry().with(export.as_ref().and_then(|export| export.layer())).init();
    export.as_ref().map(|export| export.install_metrics()).transpose()?;
    Ok(())
}
