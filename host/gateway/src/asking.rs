//! Questions of the server: who is asked, and what becomes of the answers.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use taskcell::kinds::Kind;
use taskcell::protocol::code;
use taskcell::protocol::types::RpcError;
use taskcell::session::Outbox;
use taskcell::{Session, kinds};
use tokio::time::{Instant, Interval, interval_at, sleep};

use crate::audit::{self, Audited};
use crate::calls::Waiting;
use crate::kept;
use crate::lists::{self, Side};
use crate::peek::{self, Peek, QuestionParams};
use crate::policy::{Rule, Topic};
use crate::questions::{By, LIMIT, Question, Refusal};
use crate::relay::{Relay, lock};
use crate::route::Route;
use crate::text;
use crate::transport::Frame;
use crate::upstream::Upstream;

/// Result of an elicitation that nobody answered. [client/elicitation, Response Actions]
const CANCEL: &[u8] = br#"{"action":"cancel"}"#;

/// Parameters of `notifications/progress` to the client.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Progress<'a> {
    progress_token: &'a RawValue,
    progress: f64,
    message: &'a str,
}

/// Kind of a question; none for other requests.
fn topic(method: &str, params: &QuestionParams<'_>) -> Option<Topic> {
    let is_task = params.task.is_some();
    Some(match method {
        "roots/list" => Topic::Roots,
        "sampling/createMessage" if is_task => Topic::SamplingTask,
        "sampling/createMessage" if params.tools.is_some() || params.tool_choice.is_some() => Topic::SamplingTools,
        "sampling/createMessage" if params.include_context.as_deref().is_some_and(|context| context != "none") => {
            Topic::SamplingContext
        }
        "sampling/createMessage" => Topic::Sampling,
        "elicitation/create" => match (params.mode.as_deref() == Some("url"), is_task) {
            (false, false) => Topic::Form,
            (true, false) => Topic::Url,
            (false, true) => Topic::FormTask,
            (true, true) => Topic::UrlTask,
        },
        _ => return None,
    })
}

impl Relay {
    /// Rule and route of a topic. A variant that nobody declared is the plain question to whoever answers that: a
    /// receiver without the capability ignores the rest, or says so. [2025-11-25, basic/utilities/tasks, Task Support
    /// and Handling]
    fn route(&self, topic: Topic) -> (Rule, Route) {
        let (rule, route) = self.plan().of(topic);
        match topic.info().base {
            Some(base) if !route.is_declared() && rule != Rule::Off => self.route(base),
            _ if route == Route::ClientThenHandler && lock(&self.unsupported).contains(&topic) => {
                (rule, Route::Handler)
            }
            _ => (rule, route),
        }
    }

    /// Takes a request of the server, and says whether it passes to the client.
    pub(crate) async fn server_asks(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        frame: &Frame,
        id: &str,
        method: &str,
        params: Option<&RawValue>,
    ) -> bool {
        let Some(session) = upstream.session.get() else { return true };
        if method.starts_with("tasks/") {
            return self.server_asks_of_task(upstream, session, frame, id, method, params).await;
        }
        let read = peek::question(params);
        let Some(topic) = topic(method, &read) else { return true };
        let (rule, route) = self.route(topic);
        let by = match route {
            Route::Client | Route::ClientThenHandler | Route::Undeclared => By::Client,
            Route::Handler | Route::HandlerThenClient => By::Handler,
            Route::Refused => {
                let error = Kind::of(method, topic.is_task()).map(kinds::Kind::default_answer);
                let error = error.unwrap_or_else(|| RpcError::new(code::METHOD_NOT_FOUND, "Method not found"));
                self.audited(
                    &question(By::Client, method, Some(topic), rule, params),
                    "gateway",
                    Err(error.code.into()),
                );
                let _ = upstream.sender.send(text::error(id, &error)).await;
                return false;
            }
        };
        let mut question = question(by, method, Some(topic), rule, params);
        question.bytes = frame.len();
        question.waiting = lock(&self.calls).waiting();
        if matches!(route, Route::ClientThenHandler | Route::HandlerThenClient) {
            question.spare = Some(frame.clone());
        }
        if by == By::Handler && topic.is_elicitation() && !topic.is_task() {
            question.key = kept::key(method, params);
            let kept = question.key.and_then(|key| lock(&self.kept).find(&key, Instant::now()));
            if let Some(kept) = kept {
                self.answer_again(upstream, id, question, kept).await;
                return false;
            }
        }
        self.ask(upstream, session, frame, id, question).await
    }

    /// Takes a request about tasks, which goes to the side that made the task.
    async fn server_asks_of_task(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        session: &Arc<Session>,
        frame: &Frame,
        id: &str,
        method: &str,
        params: Option<&RawValue>,
    ) -> bool {
        let plan = self.plan();
        let read = peek::question(params);
        let is_page = plan.merges_lists && method == "tasks/list";
        let (by, frame) = if is_page {
            let (side, cursor) = lists::side(read.cursor.as_deref());
            let by = if side == Side::Client { By::Client } else { By::Handler };
            (by, lists::with_cursor(frame, params, cursor))
        } else {
            let is_clients = read.task_id.is_some_and(|task| lock(&self.client_tasks).has(&task));
            let by = if plan.handler_tasks && !is_clients { By::Handler } else { By::Client };
            (by, frame.clone())
        };
        let mut question = question(by, method, None, Rule::Auto, params);
        (question.bytes, question.is_page) = (frame.len(), is_page);
        if self.ask(upstream, session, &frame, id, question).await {
            self.to_client(frame).await;
        }
        false
    }

    /// Opens a question, and says whether it passes to the client.
    async fn ask(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        session: &Arc<Session>,
        frame: &Frame,
        id: &str,
        question: Question,
    ) -> bool {
        let (by, topic, waiting) = (question.by, question.topic, question.waiting.clone());
        if let Err(refusal) = self.questions.add(id, question) {
            let error = match refusal {
                Refusal::Overloaded => taskcell::CellError::SessionOverloaded { limit: LIMIT }.to_rpc(),
                Refusal::IdInUse => {
                    RpcError::new(code::INVALID_REQUEST, "The request's `id` is that of an open request")
                }
            };
            let _ = upstream.sender.send(text::error(id, &error)).await;
            return false;
        }
        if by == By::Handler {
            self.ask_handler(upstream, session, frame.clone(), id, topic, waiting);
        }
        by == By::Client
    }

    /// Lets a handler answer an open question. The answer comes out of the session's outbox.
    fn ask_handler(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        session: &Arc<Session>,
        frame: Frame,
        id: &str,
        topic: Option<Topic>,
        waiting: Waiting,
    ) {
        let (relay, upstream, session) = (Arc::clone(self), Arc::clone(upstream), Arc::clone(session));
        let own_id: Box<str> = id.into();
        let work = tokio::spawn(async move {
            let mut work = pin!(session.handle(&frame));
            let gives_up = topic.is_some_and(|topic| topic.is_elicitation() && !topic.is_task());
            let mut patience = pin!(sleep(relay.options.patience));
            let mut patient = gives_up;
            let mut ticks = relay.ticks();
            loop {
                tokio::select! {
                    () = &mut work => return,
                    _ = ticks.tick(), if topic.is_some_and(|topic| !topic.is_task()) => relay.progress(&waiting).await,
                    () = &mut patience, if patient => {
                        patient = false;
                        relay.give_up(&upstream, &own_id, &waiting).await;
                    }
                }
            }
        });
        self.questions.works(id, work.abort_handle());
    }

    /// Times at which the client hears that its call waits.
    fn ticks(&self) -> Interval {
        // An interval of zero does not exist.
        let every = self.options.progress.max(Duration::from_millis(1));
        interval_at(Instant::now() + every, every)
    }

    /// Tells the client that its call waits.
    async fn progress(&self, waiting: &Waiting) {
        let steps = lock(&self.calls).step(waiting);
        for (token, progress) in steps {
            let params = Progress { progress_token: &token, progress, message: "waiting for an answer" };
            self.to_client(text::notification("notifications/progress", &params)).await;
        }
    }

    /// Answers an elicitation that its client will not wait for much longer, and keeps the handler's answer.
    async fn give_up(&self, upstream: &Arc<Upstream>, id: &str, waiting: &Waiting) {
        if !lock(&self.calls).has_silent(waiting) {
            return;
        }
        let Some(question) = self.questions.take(id, By::Handler) else { return };
        if let Some(key) = question.key {
            lock(&self.kept).begin(id, key, Instant::now());
        }
        self.notice(&format!(
            "{}: the call would end before the answer; the server hears `cancel`, and the answer is kept for when it asks again",
            question.method
        ));
        self.audited(&question, "gateway", Ok("gave_up"));
        let _ = upstream.sender.send(respond(id, CANCEL)).await;
    }

    /// Answers a question that came before, as soon as the handler has answered that.
    async fn answer_again(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        id: &str,
        question: Question,
        mut kept: kept::Result,
    ) {
        let (waiting, key) = (question.waiting.clone(), question.key);
        if self.questions.add(id, question).is_err() {
            let error = RpcError::new(code::INVALID_REQUEST, "The request cannot be opened a second time");
            let _ = upstream.sender.send(text::error(id, &error)).await;
            return;
        }
        let (relay, upstream, own_id) = (Arc::clone(self), Arc::clone(upstream), Box::<str>::from(id));
        let work = tokio::spawn(async move {
            let mut ticks = relay.ticks();
            let mut patience = pin!(sleep(relay.options.patience));
            let result = loop {
                tokio::select! {
                    result = kept::wait(&mut kept) => break result,
                    _ = ticks.tick() => relay.progress(&waiting).await,
                    () = &mut patience => break Some(Bytes::from_static(CANCEL)),
                }
            };
            let Some(question) = relay.questions.take(&own_id, By::Handler) else { return };
            if let (Some(key), true) = (key, result.as_ref().is_some_and(|result| result != CANCEL)) {
                lock(&relay.kept).forget(&key);
            }
            relay.audited(&question, "handler", Ok("ok"));
            let _ = upstream.sender.send(respond(&own_id, &result.unwrap_or(Bytes::from_static(CANCEL)))).await;
        });
        self.questions.works(id, work.abort_handle());
    }

    /// Sends what the handlers have for the server.
    pub(crate) async fn forward(self: Arc<Self>, upstream: Arc<Upstream>, mut outbox: Outbox) {
        while let Some(message) = outbox.recv().await {
            let frame = Frame::from(message);
            let frame = match Peek::at(&frame) {
                Peek::Response { id: Some(id), outcome } => self.handler_answered(&frame, id.get(), outcome).await,
                _ => Some(frame),
            };
            if let Some(frame) = frame
                && upstream.sender.send(frame).await.is_err()
            {
                return;
            }
        }
    }

    /// Takes an answer of a handler, and returns what goes to the server.
    async fn handler_answered(
        &self,
        frame: &Frame,
        id: &str,
        outcome: Result<Option<&RawValue>, &RawValue>,
    ) -> Option<Frame> {
        let Some(mut question) = self.questions.take(id, By::Handler) else {
            // The question was cancelled, or the server has its answer already.
            if let Ok(Some(result)) = outcome {
                lock(&self.kept).finish(id, text::kept(result), Instant::now());
            }
            return None;
        };
        if let Err(error) = outcome
            && error_code(error) == Some(code::METHOD_NOT_FOUND.into())
            && let Some(spare) = question.spare.take()
        {
            self.audited(&question, "handler", Ok("fell_through"));
            question.by = By::Client;
            if self.questions.add(id, question).is_ok() {
                self.to_client(spare).await;
                return None;
            }
            return Some(frame.clone());
        }
        self.audited(
            &question,
            "handler",
            outcome.map(|_| "ok").map_err(|error| error_code(error).unwrap_or_default()),
        );
        Some(match (question.is_page, outcome) {
            (true, Ok(Some(page))) => lists::page(frame, page, Side::Handlers),
            _ => frame.clone(),
        })
    }

    /// Takes an answer of the client, and returns what goes to the server.
    pub(crate) async fn client_answered(
        self: &Arc<Self>,
        frame: &Frame,
        id: &str,
        outcome: Result<Option<&RawValue>, &RawValue>,
    ) -> Option<Frame> {
        let Some(mut question) = self.questions.take(id, By::Client) else {
            // A handler is at it, as the client did not support it: the first answer counted.
            return (self.questions.by(id) != Some(By::Handler)).then(|| frame.clone());
        };
        if let (Err(error), Some(topic)) = (outcome, question.topic)
            && is_unsupported(error)
            && let Some(spare) = question.spare.take()
            && let Some(upstream) = self.upstream()
            && let Some(session) = upstream.session.get()
        {
            self.notice(&format!("the client does not support {}: handlers answer from here on", topic.info().name));
            lock(&self.unsupported).push(topic);
            self.audited(&question, "client", Ok("fell_through"));
            question.by = By::Handler;
            if self.questions.add(id, question).is_ok() {
                let waiting = lock(&self.calls).waiting();
                self.ask_handler(&upstream, session, spare, id, Some(topic), waiting);
            }
            return None;
        }
        if let (Ok(Some(result)), true) = (outcome, question.topic.is_some_and(Topic::is_task)) {
            lists::created(result).into_iter().for_each(|task| lock(&self.client_tasks).add(&task));
        }
        self.audited(&question, "client", outcome.map(|_| "ok").map_err(|error| error_code(error).unwrap_or_default()));
        Some(match (question.is_page, outcome) {
            (true, Ok(Some(page))) => lists::page(frame, page, Side::Client),
            _ => frame.clone(),
        })
    }

    /// Drops a question that the server cancels; whether a handler had it.
    pub(crate) fn question_cancelled(&self, id: &str) -> bool {
        let Some(question) = self.questions.take_if(id, |_| true) else { return false };
        self.audited(&question, question.by.word(), Ok("cancelled"));
        if let Some(work) = &question.work {
            work.abort();
        }
        question.by == By::Handler
    }

    /// Drops the questions of a call that the client cancels, as far as they surely belong to it.
    pub(crate) async fn call_cancelled(&self, call: &str) {
        let belongs = |question: &Question| {
            question.by == By::Handler && matches!(&*question.waiting.ids, [only] if **only == *call)
        };
        for (id, question) in self.questions.take_all(belongs) {
            self.audited(&question, "gateway", Ok("cancelled"));
            if let Some(work) = &question.work {
                work.abort();
            }
            let answer = match question.topic {
                Some(topic) if topic.is_elicitation() && !topic.is_task() => respond(&id, CANCEL),
                _ => text::error(&id, &RpcError::new(code::INTERNAL_ERROR, "The call that asked was cancelled")),
            };
            if let Some(upstream) = self.upstream() {
                let _ = upstream.sender.send(answer).await;
            }
        }
    }

    /// Writes a line of the audit log. The outcome is a word, or the code of an error.
    fn audited(&self, question: &Question, by: &str, outcome: Result<&str, i64>) {
        let (Some(audit), Some(topic)) = (&self.options.audit, question.topic) else { return };
        audit.question(&Audited {
            server: self.connector.name(),
            method: &question.method,
            topic: topic.info().name,
            rule: question.rule.word(),
            by,
            outcome: outcome.unwrap_or("error"),
            error: outcome.err(),
            params: question.digest.as_deref().unwrap_or_default(),
            elapsed: question.since.elapsed(),
        });
    }
}

fn question(by: By, method: &str, topic: Option<Topic>, rule: Rule, params: Option<&RawValue>) -> Question {
    Question {
        by,
        topic,
        method: method.into(),
        rule,
        spare: None,
        waiting: Waiting::default(),
        key: None,
        digest: topic.map(|_| audit::digest(params.map(RawValue::get).unwrap_or_default())),
        is_page: false,
        since: Instant::now(),
        bytes: 0,
        work: None,
    }
}

/// Result that is JSON already, for the request with this id.
fn respond(id: &str, result: &[u8]) -> Frame {
    [br#"{"jsonrpc":"2.0","id":"#, id.as_bytes(), br#","result":"#, result, b"}"].concat().into()
}

fn error_code(error: &RawValue) -> Option<i64> {
    #[derive(serde::Deserialize)]
    struct Error {
        code: i64,
    }
    serde_json::from_str::<Error>(error.get()).ok().map(|error| error.code)
}

/// Whether an error of the client says that it does not have the method at all.
fn is_unsupported(error: &RawValue) -> bool {
    let text = error.get().to_ascii_lowercase();
    match error_code(error) {
        Some(found) if found == i64::from(code::METHOD_NOT_FOUND) => true,
        Some(found) if found == i64::from(code::INVALID_REQUEST) => text.contains("not supported"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_have_a_topic_by_what_they_need() {
        #[rustfmt::skip]
        let rows = [
            ("roots/list",             "{}",                                    Some(Topic::Roots)),
            ("sampling/createMessage", "{}",                                    Some(Topic::Sampling)),
            ("sampling/createMessage", r#"{"tools":[]}"#,                       Some(Topic::SamplingTools)),
            ("sampling/createMessage", r#"{"toolChoice":{}}"#,                  Some(Topic::SamplingTools)),
            ("sampling/createMessage", r#"{"includeContext":"none"}"#,          Some(Topic::Sampling)),
            ("sampling/createMessage", r#"{"includeContext":"thisServer"}"#,    Some(Topic::SamplingContext)),
            ("sampling/createMessage", r#"{"tools":[],"task":{}}"#,             Some(Topic::SamplingTask)),
            ("elicitation/create",     r#"{"mode":"form"}"#,                    Some(Topic::Form)),
            ("elicitation/create",     r#"{"mode":"url"}"#,                     Some(Topic::Url)),
            ("elicitation/create",     r#"{"mode":"url","task":{"ttl":1}}"#,    Some(Topic::UrlTask)),
            ("elicitation/create",     r#"{"task":{}}"#,                        Some(Topic::FormTask)),
            // Parameters that cannot be read name nothing; whoever answers says what is wrong.
            ("elicitation/create",     r#"{"mode":7}"#,                         Some(Topic::Form)),
            ("ping",                   "{}",                                    None),
        ];
        for (method, params, expected) in rows {
            let params: Box<RawValue> = serde_json::from_str(params).unwrap();
            assert_eq!(topic(method, &peek::question(Some(&params))), expected, "{method} {params}");
        }
    }

    #[test]
    fn only_a_missing_method_falls_through() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"code":-32601,"message":"Method not found"}"#,          true),
            (r#"{"code":-32600,"message":"Sampling not supported"}"#,    true),
            (r#"{"code":-32600,"message":"Invalid request"}"#,           false),
            (r#"{"code":-1,"message":"User rejected: not supported"}"#,  false),
            (r#"{"code":"x"}"#,                                          false),
        ];
        for (error, expected) in rows {
            assert_eq!(is_unsupported(&serde_json::from_str::<Box<RawValue>>(error).unwrap()), expected, "{error}");
        }
    }
}
