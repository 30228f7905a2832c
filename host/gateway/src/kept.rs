//! Answers to questions whose calls the client gave up. They are kept for a while: the client calls again, and the
//! server asks again.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::Instant;

/// Time that an answer is kept.
const TIME: Duration = Duration::from_secs(600);
/// Bytes of the answers that are kept. Beyond that the oldest is dropped.
const BYTES: usize = 1 << 20;
/// Bytes that an entry counts besides its answer.
const OVERHEAD: usize = 256;

/// Question by what it asks, whatever its id.
pub(crate) type Key = [u8; 32];

/// Result of a question; none while the handler is at it.
pub(crate) type Result = watch::Receiver<Option<Bytes>>;

/// Returns the key of a question: its method, and its parameters without `_meta` and whatever their order. None when
/// the parameters cannot be read.
pub(crate) fn key(method: &str, params: Option<&RawValue>) -> Option<Key> {
    let mut params: Value = params.map_or(Some(Value::Null), |params| serde_json::from_str(params.get()).ok())?;
    if let Some(params) = params.as_object_mut() {
        params.remove("_meta");
    }
    params.sort_all_objects();
    let mut digest = Sha256::new();
    digest.update(method.as_bytes());
    digest.update([0]);
    digest.update(params.to_string().as_bytes());
    Some(digest.finalize().into())
}

/// Kept answers.
#[derive(Debug, Default)]
pub(crate) struct KeptAnswers {
    entries: HashMap<Key, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Id of the request that the handler works on.
    id: Box<str>,
    since: Instant,
    result: watch::Sender<Option<Bytes>>,
}

/// Waits for a result; none when there will be none.
pub(crate) async fn wait(result: &mut Result) -> Option<Bytes> {
    result.wait_for(Option::is_some).await.ok().and_then(|result| result.clone())
}

impl KeptAnswers {
    /// Begins to wait for the answer to a question that was given up.
    pub(crate) fn begin(&mut self, id: &str, key: Key, now: Instant) {
        self.drop_old(now);
        self.entries.insert(key, Entry { id: id.into(), since: now, result: watch::Sender::new(None) });
    }

    /// Keeps the answer to the request with this id, if the request was given up.
    pub(crate) fn finish(&mut self, id: &str, result: Bytes, now: Instant) {
        let entry = self.entries.values().find(|entry| *entry.id == *id && entry.result.borrow().is_none());
        if let Some(entry) = entry {
            entry.result.send_replace(Some(result));
        }
        self.drop_old(now);
    }

    /// Finds the answer to a question that comes again. A finished one counts once: the next call asks anew.
    pub(crate) fn find(&mut self, key: &Key, now: Instant) -> Option<Result> {
        self.drop_old(now);
        let result = self.entries.get(key)?.result.subscribe();
        if result.borrow().is_some() {
            self.entries.remove(key);
        }
        Some(result)
    }

    /// Forgets a question.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.entries.remove(key);
    }

    fn drop_old(&mut self, now: Instant) {
        self.entries.retain(|_, entry| now.saturating_duration_since(entry.since) < TIME);
        let bytes = |entry: &Entry| OVERHEAD.saturating_add(entry.result.borrow().as_ref().map_or(0, Bytes::len));
        let mut all: usize = self.entries.values().map(bytes).sum();
        while all > BYTES {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.since).map(|(key, _)| *key);
            let Some(entry) = oldest.and_then(|key| self.entries.remove(&key)) else { return };
            all = all.saturating_sub(bytes(&entry));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(params: &str) -> Option<Key> {
        let params: Box<RawValue> = serde_json::from_str(params).unwrap();
        key("elicitation/create", Some(&params))
    }

    #[test]
    fn a_question_is_known_by_what_it_asks() {
        let one = key_of(r#"{"message":"a","requestedSchema":{"x":1,"y":2}}"#);
        assert!(one.is_some());
        assert_eq!(one, key_of(r#"{"requestedSchema":{"y":2,"x":1},"_meta":{"progressToken":7},"message":"a"}"#));
        assert_ne!(one, key_of(r#"{"message":"b","requestedSchema":{"x":1,"y":2}}"#));
        assert_ne!(one, key("roots/list", None));
    }

    #[test]
    fn an_answer_counts_once_and_not_for_ever() {
        let (mut kept, now) = (KeptAnswers::default(), Instant::now());
        let key = key_of("{}").unwrap();
        assert!(kept.find(&key, now).is_none());
        kept.begin("1", key, now);
        assert!(kept.find(&key, now).is_some_and(|result| result.borrow().is_none()));
        kept.finish("2", Bytes::from_static(b"of another"), now);
        kept.finish("1", Bytes::from_static(b"{}"), now);
        assert!(kept.find(&key, now).is_some_and(|result| result.borrow().is_some()));
        assert!(kept.find(&key, now).is_none(), "it was given out");
        kept.begin("3", key, now);
        kept.finish("3", Bytes::new(), now);
        assert!(kept.find(&key, now + TIME).is_none(), "it is too old");
    }

    #[test]
    fn kept_answers_are_bounded() {
        let (mut kept, mut now) = (KeptAnswers::default(), Instant::now());
        for index in 0..40_u8 {
            now += Duration::from_secs(1);
            kept.begin(&index.to_string(), [index; 32], now);
            kept.finish(&index.to_string(), Bytes::from(vec![b'x'; 100 << 10]), now);
        }
        assert!(kept.find(&[0; 32], now).is_none() && kept.find(&[39; 32], now).is_some());
        assert!(kept.entries.len() <= 11, "{}", kept.entries.len());
    }
}
