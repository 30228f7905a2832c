//! Calls that the server refuses until pages are visited (-32042). Each page goes to the elicitation handler, and the
//! call is repeated. [2025-11-25, client/elicitation, URL Elicitation Required Error]
//!
//! Accepting a page means that the person agreed to go there, not that they have finished. A server may report when
//! they have (`notifications/elicitation/complete`). If it does not, the call is repeated after a pause, a bounded
//! number of times.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::notices::Notices;
use crate::client::Client;
use crate::terminal::url_prompt;
use crate::terminal::{Progress, one_line};
use taskcell::protocol::types::RpcError;

/// Code of the error "URL elicitation required".
const CODE: i64 = -32042;
/// Pages of one error that go to the handler.
const MAX_PAGES: usize = 16;
/// Calls allowed, including the first: a server must not hold a client by asking for ever new pages.
const MAX_CALLS: usize = 10;
/// Pause before the call is repeated when the server does not report a page as visited. The pause doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A page that a server wants visited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    id: String,
    url: String,
    message: String,
}

impl Page {
    fn read(value: &Value) -> Option<Self> {
        let text = |key| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let is_page = value.get("mode").is_none_or(|mode| mode == "url");
        let page = Self { id: text("elicitationId")?, url: text("url")?, message: text("message").unwrap_or_default() };
        is_page.then_some(page)
    }

    /// Lines with the page's message and its address as a browser reads it.
    pub(crate) fn lines(&self) -> Vec<String> {
        let page = url_prompt::Page::new(&self.url);
        let address = page.as_ref().map_or_else(|_| one_line(&self.url), |page| page.address().to_owned());
        let warnings =
            page.iter().flat_map(url_prompt::Page::warnings).map(|warning| format!("      careful: {warning}"));
        let mut lines = vec![format!("page: {}", one_line(&self.message)), format!("      {address}")];
        lines.extend(warnings);
        lines
    }

    /// The elicitation request that a server would send for the page.
    fn request(&self, number: usize) -> Value {
        json!({ "jsonrpc": "2.0", "id": format!("required-{number}"), "method": "elicitation/create", "params": {
            "mode": "url", "elicitationId": self.id, "url": self.url, "message": self.message,
        } })
    }
}

/// Reads the pages that an error asks for; none for any other error.
pub(crate) fn of(error: &Value) -> Vec<Page> {
    if error.get("code").and_then(Value::as_i64) != Some(CODE) {
        return Vec::new();
    }
    let pages = error.pointer("/data/elicitations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    pages.iter().take(MAX_PAGES).filter_map(Page::read).collect()
}

/// Answers of the person, or of the handler, about the pages of one call.
pub(crate) struct Pages<'a> {
    notices: &'a Notices,
    progress: Progress,
    accepted: HashSet<String>,
    calls: usize,
    wait: Duration,
    until: Instant,
}

impl<'a> Pages<'a> {
    /// Creates an empty record. The call is given up after `time`.
    pub(crate) fn new(notices: &'a Notices, progress: Progress, time: Duration) -> Self {
        let now = Instant::now();
        let until = now.checked_add(time).unwrap_or(now);
        Self { notices, progress, accepted: HashSet::new(), calls: 1, wait: FIRST_WAIT, until }
    }

    /// Puts the pages of an error to the handler and waits until the call can be repeated. Returns whether to repeat
    /// it.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(crate) async fn visit(&mut self, client: &mut Client, error: &RpcError) -> anyhow::Result<bool> {
        let pages = of(&serde_json::to_value(error)?);
        if pages.is_empty() {
            return Ok(false);
        }
        if client.capabilities.pointer("/elicitation/url").is_none() {
            self.progress.line("the server wants a page to be visited, but no handler accepts pages");
            return Ok(false);
        }
        if self.calls >= MAX_CALLS {
            self.progress.line(format!("the server still wants pages after {MAX_CALLS} calls"));
            return Ok(false);
        }
        for page in &pages {
            if self.accepted.contains(&page.id) {
                continue;
            }
            let answer = client.answer(&page.request(self.accepted.len())).await?;
            let action = answer.pointer("/result/action").and_then(Value::as_str).unwrap_or("refused");
            if action != "accept" {
                self.progress.line(format!("the page was {}; the call is not repeated", one_line(&past(action))));
                return Ok(false);
            }
            self.accepted.insert(page.id.clone());
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.progress.line("the server still wants the pages, but the time for the call is up");
            return Ok(false);
        }
        let ids: Vec<_> = pages.iter().map(|page| page.id.as_str()).collect();
        // A server that reports nothing is simply called again.
        let _ = tokio::time::timeout(self.wait.min(left), self.notices.completed(&ids)).await;
        self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
        self.calls = self.calls.saturating_add(1);
        Ok(true)
    }
}

/// Names the state of the page after an action, such as "declined".
fn past(action: &str) -> String {
    match action {
        "decline" => "declined".to_owned(),
        "cancel" => "cancelled".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_from_their_error_alone() {
        let page = json!({ "mode": "url", "elicitationId": "e", "url": "https://example.com", "message": "m" });
        let error = |code: i64, elicitations: Value| json!({ "code": code, "message": "", "data": { "elicitations": elicitations } });
        for (error, count) in [
            (error(CODE, json!([page, page])), 2),
            (error(CODE, json!([{ "elicitationId": "e", "url": "u" }])), 1),
            (error(CODE, json!([{ "mode": "form" }, { "url": "u" }, 7])), 0),
            (error(CODE, json!({})), 0),
            (error(-32000, json!([page])), 0),
            (json!({ "code": CODE, "message": "" }), 0),
            (error(CODE, Value::Array(vec![page.clone(); 100])), MAX_PAGES),
        ] {
            assert_eq!(of(&error).len(), count, "{error}");
        }
    }
}
