//! `taskcell demo`: a built-in MCP server, over real pipes, answered from cells.

use std::ffi::OsString;
use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::Ended;
use super::client::{Client, Options};
use super::demo_server::TOOLS;
use super::handlers::{HandlerArgs, Loaded};
use super::negotiate::Protocol;
use super::store::Place;
use super::tasks_args::{Defaults, TaskArgs};
use super::terminal::{self, Progress};
use crate::session::Undeclared;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    handlers: HandlerArgs,
    #[command(flatten)]
    tasks: TaskArgs,
    /// Show only the steps
    #[arg(short, long)]
    quiet: bool,
}

pub(super) async fn demo(args: Args) -> anyhow::Result<Ended> {
    let program = std::env::current_exe().context("this program's own file is not known")?;
    let server = [program.into_os_string(), OsString::from("demo-server")];
    let progress = Progress::new(args.quiet);
    let config = args.tasks.config()?;
    let tasks = args.tasks.settle(&config, Defaults { store: || Ok(Place::Memory), principal: "demo".to_owned() })?;
    let Loaded { handlers, secrets } = args.handlers.load(&config).await?;
    let (handlers, tasks) = tasks.open(handlers).await?;
    let options = Options {
        // The demo's server makes tasks of the client's, which the next revision has not.
        protocol: Protocol::Initialize,
        handlers: handlers.into(),
        secrets: &secrets,
        tasks: &tasks,
        timeout: Duration::from_secs(60),
        progress,
        observer: progress.observer(|_| {}),
        undeclared: Undeclared::Refuse,
    };
    let mut client = Client::connect(&server, options).await?;
    let mut failed = 0;
    for (tool, does) in TOOLS {
        let answer = client.request("tools/call", json!({ "name": tool })).await?;
        let (mark, text) = match answer {
            Ok(result) if result.get("isError") == Some(&Value::Bool(false)) => {
                ("ok  ", terminal::tool_result(&result))
            }
            Ok(result) => ("FAIL", terminal::tool_result(&result)),
            Err(error) => ("FAIL", format!("{} {}", error.code, error.message)),
        };
        failed += usize::from(mark == "FAIL");
        writeln!(std::io::stdout().lock(), "{mark} {does}: {}", terminal::one_line(&text))?;
    }
    client.close().await;
    tasks.store.close().await;
    let steps = TOOLS.len();
    writeln!(std::io::stdout().lock(), "{} of {steps} steps came out right", steps - failed)?;
    Ok(if failed == 0 { Ended::Well } else { Ended::WithError })
}
