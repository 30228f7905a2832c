//! basic/utilities/tasks: what is asked of a receiver.

mod access;
mod audit;
mod cancelling;
mod errors;
mod receiver;
mod related;
mod results;
mod status;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use taskcell::Handlers;
use taskcell::kinds::Kind;
use taskcell::session::Undeclared;
use taskcell::tasks::{AuditLog, MemoryStore, PrincipalFilter, RateLimit, TaskStore};
use taskcell_test_support::conversation::{self, Conversation, request, soon, start};
use taskcell_test_support::handlers::guest;
use taskcell_test_support::server::options;

use super::{
    ELICITATION, RELATED, SAMPLING, and, as_task, cells, create, each, error, form, hostile, id, notifications, of,
    page, prompt, refused, with,
};

/// A time to live in milliseconds that is soon over, yet longer than it takes to make a task in any language.
const BRIEF: u32 = 300;

/// How a task may come to its end.
struct Story {
    method: &'static str,
    word: &'static str,
    end: &'static str,
}

const STORIES: [Story; 6] = [
    Story { method: SAMPLING, word: "hello", end: "completed" },
    Story { method: SAMPLING, word: "refuse", end: "failed" },
    Story { method: SAMPLING, word: "slow", end: "cancelled" },
    Story { method: ELICITATION, word: "hello", end: "completed" },
    Story { method: ELICITATION, word: "refuse", end: "failed" },
    Story { method: ELICITATION, word: "slow", end: "cancelled" },
];

impl Story {
    fn params(&self) -> Value {
        if self.method == SAMPLING { prompt(self.word) } else { form(self.word) }
    }

    /// Makes the task and waits for its end; gives its id.
    async fn tell(&self, server: &mut Conversation) -> String {
        let task = create(server, self.method, self.params()).await;
        let task = id(&task).to_owned();
        let method = if self.end == "cancelled" { "tasks/cancel" } else { "tasks/result" };
        server.ask_task(method, &task).await.unwrap();
        task
    }
}

/// A task as `tasks/get` shows it.
async fn get(server: &mut Conversation, task: &str) -> Value {
    let answer = server.ask_task("tasks/get", task).await.unwrap();
    assert!(answer["result"].is_object(), "{answer}");
    answer["result"].clone()
}

/// The ids on all pages of a list.
async fn listed(server: &mut Conversation) -> Vec<String> {
    let (mut all, mut params) = (Vec::new(), json!({}));
    loop {
        let page = server.ask("tasks/list", &params).await.unwrap()["result"].clone();
        all.extend(page["tasks"].as_array().unwrap().iter().map(|task| id(task).to_owned()));
        match page.get("nextCursor") {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => return all,
        }
    }
}

/// What a task's notifications said it was, in order, beginning with its creation.
fn course(messages: &[Value], task: &str) -> Vec<String> {
    let told = notifications(messages, "notifications/tasks/status");
    let told = told.into_iter().filter(|(_, told)| told["taskId"] == task);
    let told = told.map(|(_, told)| told["status"].as_str().unwrap().to_owned());
    ["working".to_owned()].into_iter().chain(told).collect()
}
