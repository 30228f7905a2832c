//! Command `taskcell call`: sends one request into a handler.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::client::child::this_program;
use crate::config::arguments;
use crate::config::handler_args::HandlerArgs;
use crate::config::setup::Setup;
use crate::config::store::Place;
use crate::config::task_args::{Defaults, TaskArgs};
use crate::outcome::Outcome;
use crate::terminal::nearest;
use crate::terminal::screen;
use crate::terminal::{Progress, one_line};
use taskcell::kinds::KINDS;
use taskcell::{Session, SessionOptions, text};

/// Usage line of `taskcell call`, with the optional component before the method.
pub(crate) const USAGE: &str = "taskcell call [OPTIONS] [FILE] <METHOD> [PARAMS]";

/// Examples shown below the flags.
pub(crate) const EXAMPLES: &str = "\
Examples:
  Ask the stock handler for its roots:
    taskcell call roots/list
  Ask a component for a message:
    taskcell call handler.wasm sampling/createMessage @params.json
    echo '{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"hi\"}}],\"maxTokens\":10}' |
      taskcell call handler.wasm sampling/createMessage -
  Give it what it needs:
    taskcell call --grant tasks,progress --set greeting=hello handler.wasm sampling/createMessage @params.json";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    handlers: HandlerArgs,
    #[command(flatten)]
    tasks: TaskArgs,
    /// The method, such as sampling/createMessage; a component's file may stand before it, in place of --handler
    method: String,
    /// The parameters: JSON, or a file of JSON with @, or - for stdin
    #[arg(value_name = "JSON|@FILE|-")]
    params: Option<String>,
    /// The parameters, when the first of three arguments is a component's file.
    #[arg(hide = true)]
    last: Option<String>,
}

/// Method that the host answers itself.
const OF_THE_HOST: &str = "ping";

impl Args {
    /// Moves a component's file that stands before the method to the list of --handler.
    fn sort(&mut self) -> anyhow::Result<()> {
        let is_method = |text: &str| methods().contains(&text);
        let before_method = self.params.as_deref().is_some_and(is_method);
        let is_file = !is_method(&self.method) && (before_method || Path::new(&self.method).is_file());
        if self.last.is_none() && !is_file {
            return Ok(());
        }
        let file = std::mem::take(&mut self.method);
        let Some(method) = std::mem::replace(&mut self.params, self.last.take()) else {
            let methods = methods().join(", ");
            bail!("name the method to call after {}: {methods}", one_line(&file));
        };
        self.method = method;
        self.handlers.add(file.into());
        Ok(())
    }
}

/// Returns all methods that a client may be asked, each once.
fn methods() -> Vec<&'static str> {
    let mut methods = vec![OF_THE_HOST];
    for row in &KINDS {
        if !methods.contains(&row.method) {
            methods.push(row.method);
        }
    }
    methods
}

pub(crate) async fn call(mut args: Args) -> anyhow::Result<Outcome> {
    args.sort()?;
    let params = match &args.params {
        Some(given) => arguments::json("PARAMS", given)?,
        None => json!({}),
    };
    let defaults = Defaults { store: || Ok(Place::Memory), principal: "call".into() };
    let Setup { handlers, tasks, .. } = Setup::open(&args.handlers, args.tasks, defaults).await?;
    let mut options = SessionOptions::new(this_program());
    tasks.set(&mut options);
    // A response does not include the lines that a handler printed.
    options.observer = Some(Arc::new(|event| Progress::new(false).printed(event)));
    let (session, _outbox) = Session::new(handlers, options);
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": args.method, "params": params });
    let answer = session.answer(request.to_string().as_bytes()).await.context("the request had no answer")?;
    session.close().await;
    tasks.store.close().await?;
    if !methods().contains(&&*args.method) {
        let hint = nearest::hint(&args.method, &methods());
        screen::line(&format!("there is no method {:?} that a client is asked{hint}", one_line(&args.method)));
    }
    screen::leave();
    let answer: Value = serde_json::from_slice(&answer).context("the answer is not JSON")?;
    writeln!(std::io::stdout().lock(), "{}", text::json(&answer))?;
    Ok(if answer.get("error").is_some() { Outcome::ErrorResult } else { Outcome::Success })
}
