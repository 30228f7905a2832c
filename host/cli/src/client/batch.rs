//! JSON-RPC batches. In revision 2025-03-26 a client must accept a batch and answer it in one array. [2025-03-26,
//! basic, Batching]

use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use taskcell::Session;
use taskcell::protocol::jsonrpc::{self, Message, code};
use taskcell::protocol::types::RpcError;

/// Messages allowed in a batch; a larger batch is refused as a whole.
const MAX_MESSAGES: usize = 1_000;
/// Requests of one batch that run at once.
const AT_ONCE: usize = 64;
/// Total bytes of the responses to a batch; requests that exceed it get an error as their response.
const MAX_ANSWERS: usize = 8 << 20;

/// Messages of a batch, each as it was written.
pub(crate) struct Batch(pub(crate) Vec<Box<RawValue>>);

/// Reads an array of messages.
///
/// # Errors
/// When the text is not an array or has more than [`MAX_MESSAGES`] elements.
pub(crate) fn read(text: &str) -> Result<Batch, serde_json::Error> {
    struct Messages;

    impl<'de> Visitor<'de> for Messages {
        type Value = Batch;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a batch of {MAX_MESSAGES} messages at most")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut messages: A) -> Result<Batch, A::Error> {
            let mut all = Vec::new();
            while let Some(message) = messages.next_element()? {
                if all.len() == MAX_MESSAGES {
                    return Err(serde::de::Error::invalid_length(all.len().saturating_add(1), &self));
                }
                all.push(message);
            }
            Ok(Batch(all))
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    let batch = deserializer.deserialize_seq(Messages)?;
    deserializer.end().map(|()| batch)
}

/// Answers the requests of a batch concurrently and returns the array of responses; `None` when no request needs one.
pub(crate) async fn answer(session: Arc<Session>, requests: Vec<Box<RawValue>>) -> Option<Vec<u8>> {
    let answers = requests.into_iter().map(|request| {
        let session = Arc::clone(&session);
        async move {
            match Message::read_text(request.get()).map(drop) {
                Ok(()) => session.answer(request.get().as_bytes()).await.map(|answer| (request, answer)),
                Err(error) => jsonrpc::response::<()>(None, Err(&error)).ok().map(|answer| (request, answer)),
            }
        }
    });
    let mut answers = stream::iter(answers).buffer_unordered(AT_ONCE);
    let mut array = Vec::new();
    while let Some(answer) = answers.next().await {
        let Some((request, mut answer)) = answer else { continue };
        if array.len().saturating_add(answer.len()) > MAX_ANSWERS {
            let error = RpcError::new(code::INTERNAL_ERROR, "The responses to the batch are too large in total");
            let id = Message::read_text(request.get()).ok().and_then(|message| message.id);
            answer = jsonrpc::response::<()>(id, Err(&error)).ok()?;
        }
        array.push(if array.is_empty() { b'[' } else { b',' });
        array.append(&mut answer);
    }
    if array.is_empty() {
        return None;
    }
    array.push(b']');
    Some(array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded() {
        assert_eq!(read(r#"[{"a":1}, 2]"#).unwrap().0.len(), 2);
        assert_eq!(read("[]").unwrap().0.len(), 0);
        for text in ["[1", "[1] 2", "{}", "", &format!("[0{}]", ",0".repeat(MAX_MESSAGES))] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
