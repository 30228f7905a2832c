//! Requests of the client that the server has not answered yet.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// Bytes of ids and tokens of open requests, with what each costs besides. Further requests are refused.
const BYTES: usize = 8 << 20;
/// Bytes that a request counts besides its id and its token.
const OVERHEAD: usize = 128;
/// Least step of a progress notification, as a share of the value before. The server's own next step shall be larger.
const STEP: f64 = 1e-6;

/// Open request of the client.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Box<str>,
    token: Option<Box<RawValue>>,
    /// Last progress that the client was told of.
    progress: f64,
    bytes: usize,
}

/// Open requests by their ids, as they were written.
#[derive(Debug, Default)]
pub(crate) struct OpenCalls {
    calls: HashMap<Box<str>, Call>,
    bytes: usize,
}

/// Tool calls that a question of the server may belong to: servers do not say. Only a call that is open alone is sure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Waiting {
    pub(crate) ids: Vec<Box<str>>,
}

impl OpenCalls {
    /// Adds a request; false when there is no room. A request with the id of an open one takes its place.
    pub(crate) fn open(&mut self, id: &str, method: &str, token: Option<&RawValue>) -> bool {
        let bytes = id.len().saturating_add(method.len()).saturating_add(token.map_or(0, |token| token.get().len()));
        let bytes = bytes.saturating_add(OVERHEAD);
        self.close(id);
        if self.bytes.saturating_add(bytes) > BYTES {
            return false;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        let call = Call { method: method.into(), token: token.map(ToOwned::to_owned), progress: 0.0, bytes };
        self.calls.insert(id.into(), call);
        true
    }

    /// Removes a request, which is answered or abandoned.
    pub(crate) fn close(&mut self, id: &str) -> Option<Call> {
        let call = self.calls.remove(id)?;
        self.bytes = self.bytes.saturating_sub(call.bytes);
        Some(call)
    }

    /// Removes all requests and returns their ids.
    pub(crate) fn drain(&mut self) -> Vec<Box<str>> {
        self.bytes = 0;
        self.calls.drain().map(|(id, _)| id).collect()
    }

    /// Open tool calls, one of which a question that comes now may belong to.
    pub(crate) fn waiting(&self) -> Waiting {
        let ids = self.calls.iter().filter(|(_, call)| &*call.method == "tools/call").map(|(id, _)| id.clone());
        Waiting { ids: ids.collect() }
    }

    /// Whether one of these calls is still open and cannot be told of progress.
    pub(crate) fn has_silent(&self, waiting: &Waiting) -> bool {
        waiting.ids.iter().filter_map(|id| self.calls.get(id)).any(|call| call.token.is_none())
    }

    /// Progress to tell for these calls: the token, and a value above all before.
    pub(crate) fn step(&mut self, waiting: &Waiting) -> Vec<(Box<RawValue>, f64)> {
        let mut steps = Vec::new();
        for id in &waiting.ids {
            if let Some(Call { token: Some(token), progress, .. }) = self.calls.get_mut(id) {
                *progress += progress.abs().max(1.0) * STEP;
                steps.push((token.clone(), *progress));
            }
        }
        steps
    }

    /// Notes the progress that the server tells of.
    pub(crate) fn progressed(&mut self, token: &RawValue, value: f64) {
        let is_it = |call: &&mut Call| call.token.as_ref().is_some_and(|known| known.get() == token.get());
        if let Some(call) = self.calls.values_mut().find(is_it) {
            call.progress = call.progress.max(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn progress_grows_above_the_servers() {
        let mut calls = OpenCalls::default();
        assert!(calls.open("1", "tools/call", Some(&raw("\"t\""))) && calls.open("2", "tools/list", None));
        let waiting = calls.waiting();
        assert_eq!(waiting.ids, ["1".into()]);
        assert!(!calls.has_silent(&waiting));
        let mut last = 0.0;
        for of_server in [None, Some(3.0), None, Some(2.0), Some(1e12), None] {
            if let Some(value) = of_server {
                calls.progressed(&raw("\"t\""), value);
            }
            let steps = calls.step(&waiting);
            assert!(steps[0].1 > last && of_server.is_none_or(|value| steps[0].1 > value), "{steps:?}");
            last = steps[0].1;
        }
        assert!(calls.open("3", "tools/call", None));
        assert!(calls.has_silent(&calls.waiting()));
        calls.close("1");
        assert!(calls.step(&waiting).is_empty());
    }

    #[test]
    fn open_calls_are_bounded() {
        let mut calls = OpenCalls::default();
        let opened = (0..1_000_000).take_while(|id| calls.open(&id.to_string(), "ping", None)).count();
        assert!((10_000..100_000).contains(&opened), "{opened}");
        assert!(calls.close("7").is_some() && calls.close("7").is_none());
        assert!(calls.open("new", "ping", None));
        assert!(calls.open("new", "ping", None), "a request with the id of an open one takes its place");
        assert_eq!(calls.drain().len(), opened);
        assert_eq!(calls.bytes, 0);
    }
}
