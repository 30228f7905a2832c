//! List of a server's tools, which comes in pages and may never end.
//!
//! A client requests pages as long as there is a cursor [server/utilities/pagination]. The whole list is bounded in
//! pages, tools, bytes and time. A repeated cursor leads in a circle, so the list ends there.

use std::collections::HashSet;
use std::fmt;
use std::time::Instant;

use anyhow::bail;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::foreign;
use crate::client::Client;
use crate::terminal;
use taskcell::protocol::types::RpcError;

/// Pages allowed in a list.
const MAX_PAGES: usize = 1_000;
/// Tools allowed in a list.
const MAX_TOOLS: usize = 10_000;
/// Bytes allowed in all pages together.
const MAX_BYTES: usize = 4 << 20;
/// Members and elements allowed in all pages together: one that takes three bytes of text takes hundreds of bytes of
/// memory.
const MAX_VALUES: usize = 100_000;

/// Tools and counts of the pages read so far.
#[derive(Default)]
struct PartialList {
    tools: Vec<Value>,
    bytes: usize,
    values: usize,
    /// Cursors received, as they were written.
    cursors: HashSet<String>,
}

/// One page of the list.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolsPage<'a> {
    #[serde(borrow)]
    tools: &'a RawValue,
    #[serde(borrow, default)]
    next_cursor: Option<&'a RawValue>,
}

impl Client {
    /// Lists all tools of the server, within the time limit of a single response. When pages repeat in a circle, each
    /// tool is listed once.
    ///
    /// # Errors
    /// When the list does not end within the bounds or cannot be read. The server's own error is the inner result.
    pub(crate) async fn tools(&mut self) -> anyhow::Result<Result<Vec<Value>, RpcError>> {
        let (time, start) = (self.timeout(), Instant::now());
        let mut listed = PartialList::default();
        let mut params = json!({});
        for _ in 0..MAX_PAGES {
            // Each page also has the time limit of a request, so a missing page is reported like any other missing
            // response.
            if start.elapsed() >= time {
                bail!("the server's list of tools did not end within {} s; --timeout allows more time", time.as_secs());
            }
            let page = match self.request_raw("tools/list", params, self.timeout()).await? {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            let Some(cursor) = listed.add(&page)? else { return Ok(Ok(listed.tools)) };
            if !listed.cursors.insert(cursor.get().to_owned()) {
                let cursor = terminal::one_line(cursor.get());
                self.progress.line(format!(
                    "warning      the server's list of tools is circular: the cursor {cursor} came before"
                ));
                return Ok(Ok(listed.once()));
            }
            params = json!({ "cursor": foreign::result("tools/list", &cursor)? });
        }
        bail!("the server's list of tools has more than {MAX_PAGES} pages")
    }
}

impl PartialList {
    /// Adds a page and returns the cursor of the next one.
    fn add(&mut self, page: &RawValue) -> anyhow::Result<Option<Box<RawValue>>> {
        self.bytes = self.bytes.saturating_add(page.get().len());
        if self.bytes > MAX_BYTES {
            bail!("the server's list of tools has more than {MAX_BYTES} bytes");
        }
        self.values = self.values.saturating_add(values(page.get()));
        if self.values > MAX_VALUES {
            bail!("the server's list of tools has more than {MAX_VALUES} members and elements");
        }
        let Ok(ToolsPage { tools, next_cursor }) = serde_json::from_str(page.get()) else {
            bail!("the server's answer to tools/list has no list `tools`: {}", terminal::one_line(page.get()));
        };
        let mut deserializer = serde_json::Deserializer::from_str(tools.get());
        if let Err(error) = Tools(&mut self.tools).deserialize(&mut deserializer) {
            bail!("the server's answer to tools/list cannot be read: {error}");
        }
        Ok(next_cursor.map(ToOwned::to_owned))
    }

    /// Returns the tools, each once.
    fn once(mut self) -> Vec<Value> {
        let mut names = HashSet::new();
        self.tools.retain(|tool| names.insert(tool.get("name").map(Value::to_string)));
        self.tools
    }
}

/// Estimates the number of members and elements in a JSON text.
fn values(text: &str) -> usize {
    let (mut count, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => count = count.saturating_add(1),
            _ => {}
        }
    }
    count
}

/// Visitor that appends the tools of a page to the list.
struct Tools<'a>(&'a mut Vec<Value>);

impl<'de> DeserializeSeed<'de> for Tools<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Tools<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tools, which are objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tools: A) -> Result<(), A::Error> {
        use serde::de::Error;
        while let Some(tool) = tools.next_element::<Value>()? {
            if !tool.is_object() {
                return Err(A::Error::custom(format!(
                    "a tool is not an object: {}",
                    terminal::one_line(&tool.to_string())
                )));
            }
            if self.0.len() == MAX_TOOLS {
                return Err(A::Error::custom(format!("the list has more than {MAX_TOOLS} tools")));
            }
            self.0.push(tool);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_page_is_read_or_refused() {
        let tools = |count: usize| format!(r#"{{"tools":[{}]}}"#, vec!["{}"; count].join(","));
        let large = format!(r#"{{"tools":[],"x":"{}"}}"#, "x".repeat(MAX_BYTES));
        let tiny = format!(r#"{{"tools":[{{"x":[0{}]}}]}}"#, ",0".repeat(MAX_VALUES));
        let words = format!(r#"{{"tools":[{{"x":"{}\"{}"}}]}}"#, "[,{".repeat(MAX_VALUES), ",".repeat(MAX_VALUES));
        let deep = format!(r#"{{"tools":[{{"x":{}{}}}]}}"#, "[".repeat(200), "]".repeat(200));
        #[rustfmt::skip]
        let table: [(&str, Result<Option<&str>, &str>); 15] = [
            (r#"{"tools":[{"name":"a"}]}"#,              Ok(None)),
            (r#"{"tools":[],"nextCursor":"2"}"#,         Ok(Some("\"2\""))),
            (r#"{"tools":[],"nextCursor":""}"#,          Ok(Some("\"\""))),
            (r#"{"tools":[],"nextCursor":2}"#,           Ok(Some("2"))),
            (r#"{"tools":[],"nextCursor":null}"#,        Ok(None)),
            (r#"{}"#,                                    Err("no list `tools`")),
            (r#"[]"#,                                    Err("no list `tools`")),
            (r#"{"tools":{}}"#,                          Err("a list of tools")),
            (r#"{"tools":null}"#,                        Err("a list of tools")),
            (r#"{"tools":[[]]}"#,                        Err("a tool is not an object")),
            (&tools(MAX_TOOLS + 1),                      Err("more than 10000 tools")),
            (&large,                                     Err("bytes")),
            (&tiny,                                      Err("members and elements")),
            (&words,                                     Ok(None)),
            (&deep,                                      Err("recursion limit")),
        ];
        for (text, expected) in table {
            let cursor = PartialList::default().add(&raw(text));
            match (cursor, expected) {
                (Ok(cursor), Ok(expected)) => assert_eq!(cursor.as_deref().map(RawValue::get), expected, "{text}"),
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (cursor, _) => panic!("{cursor:?} for {:.80}", text),
            }
        }
        assert!(PartialList::default().add(&raw(&tools(MAX_TOOLS))).is_ok());
    }
}
