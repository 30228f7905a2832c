//! Every attack on the host that is tested, in one table: [`ATTACKS`].
//!
//! An attack is a small program of `tests/guests/hostile`: a behavior in Rust, or a file of `raw`, which is WebAssembly
//! text. `tests/tests/attacks/main.rs` runs them all, one after the other, and looks at what each left.

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
    /// The program's name, which is that of its file.
    pub name: &'static str,
    /// What is attacked with it.
    pub by: By,
    /// How it ends.
    pub ends: Ends,
}

/// What an attack is done with.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// The answer to a request, and once more as the work of a task: `tests/guests/hostile/src/behaviors/answers`.
    Answer,
    /// The answer to a request, but not the work of a task: also there.
    Request,
    /// A request that becomes a task: `.../behaviors/beginnings`.
    Beginning,
    /// The work of a task: `.../behaviors/work`.
    Work,
    /// The answer to a request: `tests/guests/hostile/raw/requests`.
    Raw,
    /// The component itself: `tests/guests/hostile/raw/load`.
    Load,
    /// The same, of a component that is made, not written.
    Made(fn() -> String),
    /// Calls of all imports, with garbage: [`imports`].
    Imports,
    /// Answers of this kind with absurd fields: [`absurd`].
    Absurd(&'static str),
}

/// How an attack ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// In an error of the host's with this `data.kind`, or, at load, of this kind.
    Kind(&'static str),
    /// In an error of this code: the guest's own, or one that it got.
    Code(i32),
    /// In a result: what was done has no effect on others.
    Good,
    /// In many ways, each of which is looked at as it is done.
    Various,
}

impl Attack {
    /// Limits that the attack reaches soon, and no other before: a busy machine makes a guest wait, so there is little
    /// of one kind of time only where it is that which ends the attack.
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
            Ends::Kind("compile_time") => limits.compile_time = short,
            // The components are large; what waits for ever is to be given up soon.
            Ends::Various => (limits.memory, limits.wall_time) = (16 << 20, 25 * short),
            _ => {}
        }
        limits
    }

    /// The component that attacks.
    ///
    /// # Errors
    /// When it cannot be built.
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

    /// The handler that attacks, with the grants that it uses.
    ///
    /// # Errors
    /// When it cannot be built, or is not taken.
    pub async fn handlers(&self, engine: &Engine) -> Result<Handlers> {
        let handler = Handler::from_bytes(engine, self.name, self.component()?, imports::grants()).await?;
        Ok(Handlers::new([handler])?)
    }

    /// The server whose requests it answers.
    #[must_use]
    pub fn server(&self) -> SessionOptions {
        if matches!(self.by, By::Raw) { raw::server() } else { options() }
    }

    /// Has the attack done, in all ways that there are, and gives the answer to each.
    ///
    /// # Errors
    /// When an answer does not come, or is no JSON.
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

    /// Asks the same handler for what it answers well, and gives the answer. One whose answers are absurd has none.
    ///
    /// # Errors
    /// As for [`Attack::attack`].
    pub async fn ask_well(&self, session: &Session) -> Result<Value> {
        let request = match self.by {
            By::Raw | By::Imports => raw::roots_list(false),
            By::Absurd(_) => request(1, "ping", &json!({})),
            _ => request(1, "sampling/createMessage", &prompt("good")),
        };
        ask(session, &request).await
    }
}

/// What a session answers to a request: one line of JSON.
///
/// # Errors
/// When there is none.
pub async fn ask(session: &Session, request: &Value) -> Result<Value> {
    let answer = soon(session.answer(request.to_string().as_bytes())).await?.context("no answer")?;
    anyhow::ensure!(!answer.contains(&b'\n') && !answer.contains(&b'\r'), "an answer of several lines");
    Ok(serde_json::from_slice(&answer)?)
}

/// Makes a task, waits until its work has ended, and gives its result; or the first error on the way.
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
