//! A server of revision 2026-07-28 that gives scripted answers and keeps its requests.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::RawValue;
use taskcell::mrtr::{Response, SendError, Server};
use tokio::sync::Notify;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method of the request.
    pub method: String,
    /// Parameters as they were written.
    pub params: String,
    /// Time of arrival.
    pub at: Instant,
}

impl Asked {
    /// The parameters without `_meta`.
    #[must_use]
    pub fn own(&self) -> Value {
        let mut params: Value = serde_json::from_str(&self.params).unwrap_or_default();
        if let Some(params) = params.as_object_mut() {
            params.remove("_meta");
        }
        params
    }
}

/// A server that answers requests one after the other by its script.
#[derive(Debug, Default)]
pub struct ScriptedServer {
    answers: Mutex<VecDeque<String>>,
    asked: Mutex<Vec<Asked>>,
    came: Notify,
}

impl ScriptedServer {
    /// Creates a server with these answers, each a JSON text: the result of a request, or `{"error": ..}`. `never`
    /// gives no answer at all. After the last answer the connection is closed.
    #[must_use]
    pub fn new<'a>(answers: impl IntoIterator<Item = &'a str>) -> Self {
        let answers = answers.into_iter().map(str::to_owned).collect();
        Self { answers: Mutex::new(answers), ..Self::default() }
    }

    /// Requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }

    /// Waits until there were `count` requests.
    pub async fn until_asked(&self, count: usize) {
        loop {
            let came = self.came.notified();
            if lock(&self.asked).len() >= count {
                return;
            }
            came.await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Server for ScriptedServer {
    async fn request(&self, method: &str, params: Box<RawValue>) -> Result<Response, SendError> {
        let asked = Asked { method: method.to_owned(), params: params.get().to_owned(), at: Instant::now() };
        lock(&self.asked).push(asked);
        let answer = lock(&self.answers).pop_front();
        self.came.notify_waiters();
        let answer = answer.ok_or("the server has gone")?;
        if answer == "never" {
            return std::future::pending().await;
        }
        let read: Value = serde_json::from_str(&answer)?;
        Ok(match read.get("error").filter(|_| read.get("status").is_none()) {
            Some(error) => Err(serde_json::from_value(error.clone())?),
            None => Ok(RawValue::from_string(answer)?),
        })
    }
}
