//! Command `taskcell demo`: runs a built-in MCP server over real pipes and answers it from cells.

use std::ffi::OsString;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::demo_server::TOOLS;
use crate::client::negotiate::Protocol;
use crate::client::notices::Notices;
use crate::client::server::Target;
use crate::client::{Client, Options};
use crate::config::handler_args::HandlerArgs;
use crate::config::setup::Setup;
use crate::config::store::Place;
use crate::config::task_args::{Defaults, TaskArgs};
use crate::outcome::Outcome;
use crate::terminal::color::{self, Tone};
use crate::terminal::{self, Progress};
use taskcell::Handlers;
use taskcell::session::Undeclared;

/// Arguments that stand before the server's command line to put the proxy in front: the stock handler answers.
const PROXY: [&str; 6] = ["proxy", "--set", "script={}", "--store", ":memory:", "--"];

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    handlers: HandlerArgs,
    #[command(flatten)]
    tasks: TaskArgs,
    /// Be a client without any capability, and let `taskcell proxy` answer in front of the server
    #[arg(long, conflicts_with_all = ["files", "ask", "grants", "settings", "model_answer"])]
    proxy: bool,
    /// Show only the steps
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn demo(args: Args) -> anyhow::Result<Outcome> {
    let program = std::env::current_exe().context("this program's own file is not known")?;
    let program = program.into_os_string();
    let mut server = vec![program.clone(), OsString::from("demo-server")];
    if args.proxy {
        let before = PROXY.iter().map(OsString::from);
        server = [program].into_iter().chain(before).chain(server).collect();
    }
    let server = Target::Command(server);
    let progress = Progress::new(args.quiet);
    let defaults = Defaults { store: || Ok(Place::Memory), principal: "demo".into() };
    let Setup { handlers, secrets, tasks, .. } = Setup::open(&args.handlers, args.tasks, defaults).await?;
    let options = Options {
        // The demo server asks for tasks on the client, which revision 2026-07-28 does not have.
        protocol: Protocol::Initialize,
        handlers: if args.proxy { Handlers::default().into() } else { handlers.into() },
        secrets: &secrets,
        tasks: &tasks,
        timeout: Duration::from_secs(60),
        progress,
        observer: progress.observer(|_| {}),
        undeclared: Undeclared::Refuse,
        notices: Arc::new(Notices::new(progress)),
        strict: true,
    };
    let mut client = Client::connect(&server, options).await?;
    let mut failed = 0;
    for (tool, does) in TOOLS {
        let answer = client.request("tools/call", json!({ "name": tool })).await?;
        let (good, text) = match answer {
            Ok(result) => (result.get("isError") == Some(&Value::Bool(false)), terminal::tool_result(&result)),
            Err(error) => (false, format!("{} {}", error.code, error.message)),
        };
        failed += usize::from(!good);
        let (mark, tone) = if good { ("ok  ", Tone::Good) } else { ("FAIL", Tone::Bad) };
        let mut out = std::io::stdout().lock();
        let mark = color::painted(mark, tone, color::is_on(&out));
        writeln!(out, "{mark} {does}: {}", terminal::one_line(&text))?;
    }
    client.close().await;
    tasks.store.close().await?;
    let steps = TOOLS.len();
    writeln!(std::io::stdout().lock(), "{} of {steps} steps came out right", steps - failed)?;
    Ok(if failed == 0 { Outcome::Success } else { Outcome::ErrorResult })
}
