//! `taskcell inspect`: what a component exports, imports and needs.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::Ended;
use super::handlers::CacheArgs;
use super::tasks_args::{ConfigArg, DeclaredArgs};
use crate::grants::{Confirmation, Model, Settings, User};
use crate::kinds::KINDS;
use crate::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ElicitRequest, ElicitResult, Implementation, RpcError,
};
use crate::sandbox::Import;
use crate::session::Served;
use crate::{Grants, Handler, Handlers, printable};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The component
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    declared: DeclaredArgs,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    cache: CacheArgs,
}

pub(super) async fn inspect(args: Args) -> anyhow::Result<Ended> {
    let declared = args.declared.settle(&args.config.load()?)?;
    let handler = Arc::new(Handler::from_file(&args.cache.engine()?, &args.file, everything()).await?);
    let handlers = declared.of(Handlers::shared([Arc::clone(&handler)])?);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", printable::json(&document(&handler, &handlers)))?;
    } else {
        table(&handler, &handlers, &mut out)?;
    }
    Ok(Ended::Well)
}

fn document(handler: &Handler, handlers: &Handlers) -> Value {
    let imports =
        handler.imports().iter().map(|import| json!({ "interface": import.interface, "grant": import.grant }));
    let served = KINDS.iter().map(|row| {
        let by = match handlers.served(row.kind) {
            Served::Handler(_) => "exported",
            Served::Managed => "managed",
            Served::Default => "default",
        };
        (row.export.to_owned(), by.into())
    });
    json!({
        "file": handler.name(),
        "sha256": handler.digest(),
        "size": handler.size(),
        "witVersion": handler.protocol_version(),
        "kinds": handler.kinds().map(|kind| kind.info().export).collect::<Vec<_>>(),
        "served": served.collect::<Map<_, _>>(),
        "background": handler.has_background(),
        "capabilities": handlers.capabilities(),
        "imports": imports.collect::<Vec<_>>(),
        "grants": grants_needed(handler),
    })
}

fn table(handler: &Handler, handlers: &Handlers, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "file          {}", handler.name())?;
    writeln!(out, "sha256        {}", handler.digest())?;
    writeln!(out, "size          {} bytes", handler.size())?;
    writeln!(out, "WIT version   {}", handler.protocol_version().unwrap_or("uses none of taskcell:handlers"))?;
    writeln!(out, "capabilities  {}", handlers.capabilities())?;
    let grants = grants_needed(handler);
    writeln!(out, "grants needed {}", if grants.is_empty() { "none".to_owned() } else { grants.join(", ") })?;
    writeln!(out, "\nkinds")?;
    for row in &KINDS {
        let method = if row.augmented { format!("{} (task)", row.method) } else { row.method.to_owned() };
        let answer = match handlers.served(row.kind) {
            Served::Handler(_) => "exported".to_owned(),
            Served::Managed => "managed: by the host, around the plain handler".to_owned(),
            Served::Default => format!("default: {} {}", row.default.0, row.default.1),
        };
        writeln!(out, "  {:<22} {method:<30} {answer}", row.export)?;
    }
    let background = if handler.has_background() { "exported" } else { "no" };
    writeln!(out, "  {:<22} {:<30} {background}", "background", "work of tasks")?;
    writeln!(out, "\nimports")?;
    for Import { interface, grant, .. } in handler.imports() {
        let needs = grant.map_or_else(|| "in every cell".to_owned(), |grant| format!("needs grant {grant}"));
        writeln!(out, "  {interface:<53} {needs}")?;
    }
    if handler.imports().is_empty() {
        writeln!(out, "  none")?;
    }
    Ok(())
}

/// The grants that the component needs, each once.
fn grants_needed(handler: &Handler) -> Vec<&'static str> {
    let mut grants: Vec<_> = handler.imports().iter().filter_map(|import| import.grant).collect();
    grants.sort_unstable();
    grants.dedup();
    grants
}

/// Every grant, to load a component that will serve no request.
fn everything() -> Grants {
    Grants {
        tasks: true,
        progress: true,
        config: Some(Settings::from_iter([] as [(String, String); 0])),
        model: Some(Arc::new(Nobody)),
        user: Some(Arc::new(Nobody)),
        ..Grants::default()
    }
}

/// A model and a user that are not there.
struct Nobody;

impl Nobody {
    fn refuse<T>() -> Result<T, RpcError> {
        Err(RpcError::internal("inspect", "The component is only being inspected"))
    }
}

#[async_trait]
impl Model for Nobody {
    async fn create_message(&self, _: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        Self::refuse()
    }
}

#[async_trait]
impl User for Nobody {
    async fn elicit(&self, _: &Implementation, _: ElicitRequest) -> Result<ElicitResult, RpcError> {
        Self::refuse()
    }

    async fn confirm(&self, _: &Implementation, _: String) -> Result<Confirmation, RpcError> {
        Self::refuse()
    }
}
