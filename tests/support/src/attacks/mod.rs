//! All tested attacks on the host, in one table: [`ATTACKS`].
//!
//! An attack is a small program of `tests/guests/hostile`: a behavior in Rust, or a file of WebAssembly text in `raw`.
//! `tests/tests/attacks/main.rs` runs all attacks one after the other and checks what each leaves behind.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use taskcell::{Engine, Handler, Handlers, Limits, Session, SessionOptions};

use crate::compose::component_text;
use crate::conversation::{prompt, request, soon, task_prompt};
use crate::guests::build_guest;
use crate::handlers::cells;
use crate::provision::repository;
use crate::server::options;

pub mod absurd;
pub mod imports;
pub mod made;
pub mod raw;
mod table;

pub use table::ATTACKS;

/// One attack.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// Name of the program, equal to its file name.
    pub name: &'static str,
    /// Part of the host that the program attacks.
    pub by: By,
    /// Expected end of the attack.
    pub ends: Ends,
}

/// Way in which an attack reaches the host.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// Answers a request, and then does the work of a task: `tests/guests/hostile/src/behaviors/answers`.
    Answer,
    /// Answers a request, but does no task work: in the same folder as [`By::Answer`].
    Request,
    /// Answers a request that becomes a task: `.../behaviors/beginnings`.
    Beginning,
    /// Does the work of a task: `.../behaviors/work`.
    Work,
    /// Answers a request from WebAssembly text: `tests/guests/hostile/raw/requests`.
    Raw,
    /// Is loaded as a component: `tests/guests/hostile/raw/load`.
    Load,
    /// Is loaded as a component that this function generates.
    Made(fn() -> String),
    /// Calls all imports with garbage: [`imports`].
    Imports,
    /// Answers requests of this kind with absurd fields: [`absurd`].
    Absurd(&'static str),
}

/// End of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// The host's error with this `data.kind`, or a load error of this kind.
    Kind(&'static str),
    /// An error with this code, from the guest itself or passed on by it.
    Code(i32),
    /// A result: the attack has no effect on others.
    Good,
    /// Different ends, each checked where the attack is made.
    Various,
}

impl Attack {
    /// Limits that the attack reaches soon, before any other limit. A busy machine makes guests wait, so a time limit
    /// is short only if it is the one that ends the attack.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let mut limits = cells(4);
        limits.memory = 4 << 20;
        limits.handles = 100;
        limits.message_size = 64 << 10;
        (limits.cpu_time, limits.wall_time, limits.compile_time) =
            (Duration::from_secs(5), Duration::from_secs(60), Duration::from_secs(60));
        let short = Duration::from_millis(20);
        match self.ends {
            Ends::Kind("cpu_time") => limits.cpu_time = short,
            Ends::Kind("wall_time") => limits.wall_time = 5 * short,
            // The neighbor is compiled under the limit, too, and takes a fraction of it.
            Ends::Kind("compile_time") => limits.compile_time = 10 * short,
            // The components are large, and endless waiting must end soon.
            Ends::Various => (limits.memory, limits.wall_time) = (16 << 20, 25 * short),
            _ => {}
        }
        limits
    }

    /// Builds the attacking component.
    ///
    /// # Errors
    /// When the component cannot be built.
    pub fn component(&self) -> Result<Vec<u8>> {
        let read = |folder: &str| {
            let file = repository().join("tests/guests/hostile/raw").join(folder).join(format!("{}.wat", self.name));
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
        };
        match self.by {
            By::Answer | By::Request | By::Beginning | By::Work => {
                Ok(fs::read(build_guest(&repository().join("tests/guests/hostile"))?)?)
            }
            By::Raw => raw::component(&read("requests")?, &[], &[]),
            By::Load => component_text(&read("load")?),
            By::Made(text) => component_text(&text()),
            By::Imports => Ok(imports::component()?.0),
            By::Absurd(export) => Ok(absurd::component(export)?.0),
        }
    }

    /// Loads the attacking handler with the grants that it uses.
    ///
    /// # Errors
    /// When the component cannot be built or is refused.
    pub async fn handlers(&self, engine: &Engine) -> Result<Handlers> {
        let handler = Handler::from_bytes(engine, self.name, self.component()?, imports::grants()).await?;
        Ok(Handlers::new([handler])?)
    }

    /// Session options of the server that sends the requests.
    #[must_use]
    pub fn server(&self) -> SessionOptions {
        if matches!(self.by, By::Raw) { raw::server() } else { options() }
    }

    /// Makes the attack in all its variants and returns the response to each.
    ///
    /// # Errors
    /// When a response is missing or is not JSON.
    pub async fn attack(&self, session: &Session) -> Result<Vec<Value>> {
        let begin = request(1, "sampling/createMessage", &task_prompt(self.name));
        let plain = request(1, "sampling/createMessage", &prompt(self.name));
        match self.by {
            By::Answer => Ok(vec![ask(session, &plain).await?, work(session, &begin).await?]),
            By::Request => Ok(vec![ask(session, &plain).await?]),
            By::Beginning => Ok(vec![ask(session, &begin).await?]),
            By::Work => Ok(vec![work(session, &begin).await?]),
            By::Raw => Ok(vec![ask(session, &raw::roots_list(true)).await?]),
            By::Load | By::Made(_) => Ok(Vec::new()),
            By::Imports => imports::attack(session, &imports::component()?.1).await.map(|()| Vec::new()),
            By::Absurd(export) => {
                absurd::attack(session, export, &absurd::component(export)?.1).await.map(|()| Vec::new())
            }
        }
    }

    /// Sends the same handler a request that it answers well, and returns the response. Handlers with absurd answers
    /// get no request.
    ///
    /// # Errors
    /// Those of [`Attack::attack`].
    pub async fn ask_well(&self, session: &Session) -> Result<Value> {
        let request = match self.by {
            By::Raw | By::Imports => raw::roots_list(false),
            By::Absurd(_) => request(1, "ping", &json!({})),
            _ => request(1, "sampling/createMessage", &prompt("good")),
        };
        ask(session, &request).await
    }
}

/// Returns a session's response to a request: one line of JSON.
///
/// # Errors
/// When there is no response.
pub async fn ask(session: &Session, request: &Value) -> Result<Value> {
    let answer = soon(session.answer(request.to_string().as_bytes())).await?.context("no answer")?;
    anyhow::ensure!(!answer.contains(&b'\n') && !answer.contains(&b'\r'), "an answer of several lines");
    Ok(serde_json::from_slice(&answer)?)
}

/// Creates a task, waits for the end of its work, and returns its result or the first error on the way.
async fn work(session: &Session, begin: &Value) -> Result<Value> {
    let begun = ask(session, begin).await?;
    let Some(id) = begun.pointer("/result/task/taskId") else { return Ok(begun) };
    let params = json!({ "taskId": id });
    soon(async {
        loop {
            let task = ask(session, &request(2, "tasks/get", &params)).await?;
            match task.pointer("/result/status").and_then(Value::as_str) {
                Some("working" | "input_required") => tokio::time::sleep(Duration::from_millis(5)).await,
                Some(_) => return ask(session, &request(3, "tasks/result", &params)).await,
                None => return Ok(task),
            }
        }
    })
    .await?
}
