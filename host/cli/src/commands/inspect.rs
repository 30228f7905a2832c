//! Command `taskcell inspect`: shows what a component exports, imports and needs, and which line of the configuration
//! grants it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::check::mocks;
use crate::client::unasked::unasked;
use crate::config::handler::Policy;
use crate::config::handler_args::CacheArgs;
use crate::config::task_args::{ConfigArg, DeclaredArgs};
use crate::outcome::Outcome;
use crate::terminal;
use crate::terminal::progress_line::while_loading;
use taskcell::grants::{GrantKind, Import, Settings};
use taskcell::handlers::Responder;
use taskcell::kinds::{BACKGROUND, KINDS};
use taskcell::{Handler, Handlers, text};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The component; without it, the handlers of the configuration
    file: Option<PathBuf>,
    /// Print one JSON document: an array, one for each, when no component is named
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    declared: DeclaredArgs,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    cache: CacheArgs,
}

/// A component with its part of the configuration.
struct Inspected<'a> {
    handler: Arc<Handler>,
    handlers: Handlers,
    says: Says<'a>,
}

/// Part of the configuration that applies to a component.
#[derive(Clone, Copy)]
enum Says<'a> {
    /// The configuration names no handlers.
    Nothing,
    /// The configuration names other handlers.
    Otherwise,
    /// The configuration names this component.
    Granted(&'a Policy),
}

pub(crate) async fn inspect(args: Args) -> anyhow::Result<Outcome> {
    let config = args.config.load()?;
    let declared = args.declared.settle(&config)?;
    let engine = args.cache.engine(&config)?;
    // No request is served with these grants.
    let all = || mocks::all(Settings::default());
    let mut inspected = Vec::new();
    let mut add = |handler: Handler, says| -> anyhow::Result<()> {
        let handler = Arc::new(handler);
        let handlers = declared.of(Handlers::shared([Arc::clone(&handler)])?);
        inspected.push(Inspected { handler, handlers, says });
        Ok(())
    };
    if let Some(file) = &args.file {
        let says = match config.handlers.iter().find(|policy| policy.is_of(file)) {
            Some(policy) => Says::Granted(policy),
            None if config.handlers.is_empty() => Says::Nothing,
            None => Says::Otherwise,
        };
        let loading = async {
            match says {
                Says::Granted(policy) => policy.component(&engine, file, all()).await,
                Says::Nothing | Says::Otherwise => Ok(Handler::from_file(&engine, file, all()).await?),
            }
        };
        add(while_loading(file, loading).await?, says)?;
    } else {
        anyhow::ensure!(
            !config.handlers.is_empty(),
            "name a component, or with --config a file that has a [[handler]]"
        );
        for policy in &config.handlers {
            let loading = policy.component(&engine, &policy.path, all());
            add(while_loading(&policy.path, loading).await?, Says::Granted(policy))?;
        }
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let mut documents: Vec<_> = inspected.iter().map(Inspected::document).collect();
        let document = if args.file.is_some() { documents.pop().unwrap_or_default() } else { documents.into() };
        writeln!(out, "{}", text::json(&document))?;
    } else {
        for (index, inspected) in inspected.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            inspected.table(&mut out)?;
        }
    }
    Ok(Outcome::Success)
}

impl Inspected<'_> {
    fn document(&self) -> Value {
        let Self { handler, handlers, says } = self;
        let imports = handler.imports().iter().map(|import| {
            let mut document = json!({ "interface": import.interface, "grant": import.grant });
            if let (Some(grant), Value::Object(document)) = (import.grant, &mut document) {
                document.extend(says.of(grant).map(|(key, why)| (key.to_owned(), why.into())));
            }
            document
        });
        let served = KINDS.iter().map(|row| {
            let by = match handlers.responder(row.kind) {
                Responder::Handler(_) => "exported",
                Responder::Native(_) => "native",
                Responder::Managed => "managed",
                Responder::Default => "default",
            };
            (row.export.to_owned(), by.into())
        });
        let mut document = json!({
            "file": handler.name(),
            "sha256": handler.digest(),
            "size": handler.size(),
            "witVersion": handler.protocol_version(),
            "kinds": handler.kinds().map(|kind| kind.info().export).collect::<Vec<_>>(),
            "served": served.collect::<Map<_, _>>(),
            "background": handler.has_background(),
            "capabilities": handlers.capabilities(),
            "warnings": unasked(&handlers.capabilities()).map(|found| found.to_string()).collect::<Vec<_>>(),
            "imports": imports.collect::<Vec<_>>(),
            "grants": grants_needed(handler),
        });
        if let (Says::Granted(policy), Value::Object(document)) = (says, &mut document) {
            document.insert("reuse".to_owned(), policy.reuse.into());
            let settings = policy.settings().map(|(key, origin)| (key.to_owned(), origin.into()));
            document.insert("settings".to_owned(), Value::Object(settings.collect()));
            document.extend(policy.facts().map(|(grant, facts)| {
                let facts = facts.into_iter().map(|(key, fact)| (key.to_owned(), fact.into()));
                (grant.to_string(), Value::Object(facts.collect()))
            }));
        }
        document
    }

    fn table(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Self { handler, handlers, says } = self;
        writeln!(out, "file          {}", handler.name())?;
        writeln!(out, "sha256        {}", handler.digest())?;
        writeln!(out, "size          {} bytes", handler.size())?;
        writeln!(out, "WIT version   {}", handler.protocol_version().unwrap_or("uses none of taskcell:handlers"))?;
        let capabilities = handlers.capabilities();
        writeln!(out, "capabilities  {capabilities}")?;
        for found in unasked(&capabilities) {
            writeln!(out, "warning       {found}")?;
        }
        let grants: Vec<_> = grants_needed(handler).into_iter().map(GrantKind::as_str).collect();
        if let Says::Granted(Policy { reuse: reuse @ 2.., .. }) = says {
            writeln!(out, "reuse         an instance answers up to {reuse} requests of a session")?;
        }
        writeln!(out, "grants needed {}", if grants.is_empty() { "none".to_owned() } else { grants.join(", ") })?;
        writeln!(out, "\nkinds")?;
        for row in &KINDS {
            let method = if row.augmented { format!("{} (task)", row.method) } else { row.method.to_owned() };
            let answer = match handlers.responder(row.kind) {
                Responder::Handler(_) => "exported".to_owned(),
                Responder::Native(_) => "native: by the program itself".to_owned(),
                Responder::Managed => "managed: by the host, around the plain handler".to_owned(),
                Responder::Default => format!("default: {} {}", row.default.0, row.default.1),
            };
            writeln!(out, "  {:<22} {method:<30} {answer}", row.export)?;
        }
        let background = if handler.has_background() { "exported" } else { "no" };
        writeln!(out, "  {:<22} {:<30} {background}", BACKGROUND, "work of tasks")?;
        writeln!(out, "\nimports")?;
        let empty = Empty::of(handler.imports());
        for Import { interface, grant, .. } in handler.imports().iter().filter(|import| !Empty::has(import)) {
            let needs = match grant {
                None => "in every cell".to_owned(),
                Some(grant) => match says.of(*grant) {
                    None => format!("needs grant {grant}"),
                    Some((how, why)) => format!("grant {grant} {how}: {why}"),
                },
            };
            writeln!(out, "  {interface:<53} {needs}")?;
        }
        if let Some(empty) = empty {
            writeln!(out, "  {:<53} in every cell, empty: {}", empty.packages, empty.lacks)?;
        }
        if handler.imports().is_empty() {
            writeln!(out, "  none")?;
        }
        if let Says::Granted(policy) = says {
            let mut settings = policy.settings().peekable();
            if settings.peek().is_some() {
                writeln!(out, "\nsettings")?;
            }
            for (key, origin) in settings {
                writeln!(out, "  {:<53} {origin}", terminal::one_line(key))?;
            }
            for (grant, facts) in policy.facts() {
                writeln!(out, "\n{grant}")?;
                for (key, fact) in facts {
                    writeln!(out, "  {key:<53} {}", terminal::one_line(&fact))?;
                }
            }
        }
        Ok(())
    }
}

/// WASI interfaces that are empty in a cell. They share one line, because the libraries of some languages import them
/// without need.
struct Empty {
    /// Names of the packages that the component imports.
    packages: String,
    /// Resources that the packages do not have in a cell.
    lacks: String,
}

/// Prefix of the interface names, name to show, and missing resource.
type EmptyRow = (&'static str, &'static str, &'static str);

const EMPTY: &[EmptyRow] = &[
    ("wasi:filesystem/", "wasi:filesystem", "no files"),
    ("wasi:sockets/", "wasi:sockets", "no sockets"),
    ("wasi:cli/environment", "wasi:cli/environment", "no environment"),
    ("wasi:cli/stdin", "wasi:cli/stdin", "no input"),
    ("wasi:cli/terminal-", "wasi:cli/terminal-*", "no terminal"),
];

impl Empty {
    /// Returns the row of an empty interface, or none for an import with a host side.
    fn row(import: &Import) -> Option<&'static EmptyRow> {
        EMPTY.iter().find(|(begin, ..)| import.grant.is_none() && import.interface.starts_with(begin))
    }

    fn has(import: &Import) -> bool {
        Self::row(import).is_some()
    }

    /// Returns the empty interfaces among the imports, or none.
    fn of(imports: &[Import]) -> Option<Self> {
        let found = EMPTY.iter().filter(|row| imports.iter().any(|import| Self::row(import) == Some(row)));
        let found: Vec<_> = found.collect();
        let words =
            |word: fn(&EmptyRow) -> &'static str| found.iter().map(|row| word(row)).collect::<Vec<_>>().join(", ");
        (!found.is_empty()).then(|| Self { packages: words(|row| row.1), lacks: words(|row| row.2) })
    }
}

impl Says<'_> {
    /// Returns the state of a grant: `granted` with its place, or `refused` with a remedy.
    fn of(self, grant: GrantKind) -> Option<(&'static str, String)> {
        match self {
            Self::Nothing => None,
            Self::Otherwise => Some(("refused", "no [[handler]] of the configuration has this path".to_owned())),
            Self::Granted(policy) => Some(match policy.granted_at(grant) {
                Some(at) => ("granted", at.to_owned()),
                None => ("refused", policy.remedy(grant)),
            }),
        }
    }
}

/// Returns the grants that the component needs, each once, in the order of their words.
pub(crate) fn grants_needed(handler: &Handler) -> Vec<GrantKind> {
    let mut grants: Vec<_> = handler.imports().iter().filter_map(|import| import.grant).collect();
    grants.sort_unstable_by_key(|grant| grant.as_str());
    grants.dedup();
    grants
}
