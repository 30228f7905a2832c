//! `taskcell call`: one request into a handler.

use std::io::Write;

use anyhow::Context;
use serde_json::{Value, json};

use super::Ended;
use super::handlers::HandlerArgs;
use super::screen;
use super::started::this_program;
use super::store::Place;
use super::tasks_args::{Defaults, TaskArgs};
use crate::{Session, SessionOptions, printable};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    handlers: HandlerArgs,
    #[command(flatten)]
    tasks: TaskArgs,
    /// The method, such as sampling/createMessage
    method: String,
    /// The parameters, as a JSON object
    params: Option<String>,
}

pub(super) async fn call(args: Args) -> anyhow::Result<Ended> {
    let params = match &args.params {
        Some(text) => serde_json::from_str(text).context("PARAMS-JSON is not JSON")?,
        None => json!({}),
    };
    let config = args.tasks.config()?;
    let tasks = args.tasks.settle(&config, Defaults { store: || Ok(Place::Memory), principal: "call".to_owned() })?;
    let (handlers, tasks) = tasks.open(args.handlers.load(&config).await?.handlers).await?;
    let mut options = SessionOptions::new(this_program());
    tasks.set(&mut options);
    let (session, _outbox) = Session::new(handlers, options);
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": args.method, "params": params });
    let answer = session.answer(request.to_string().as_bytes()).await.context("the request had no answer")?;
    session.close().await;
    tasks.store.close().await;
    screen::leave();
    let answer: Value = serde_json::from_slice(&answer).context("the answer is not JSON")?;
    writeln!(std::io::stdout().lock(), "{}", printable::json(&answer))?;
    Ok(if answer.get("error").is_some() { Ended::WithError } else { Ended::Well })
}
