//! Fuzz target: any bytes as a message, and as each type of the protocol.
//!
//! The message goes where a transport would put it. Closures answer, so all checks of a request run and nothing is
//! compiled. The target `dispatch` covers components.

use std::fmt::Debug;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use taskcell::protocol::jsonrpc::Message;
use taskcell::protocol::types::*;
use taskcell::{Handlers, NativeHandler, Session};

use super::block_on;
use super::messages::{Sent, Wants, sent, wants};
use crate::server::options;

pub(super) fn run(input: &[u8]) {
    let answer = answer(input);
    expect(input, answer.as_deref());
    let Ok(text) = std::str::from_utf8(input) else { return };
    for order in orders(text) {
        let other = self::answer(order.as_bytes());
        let show = |answer: Option<&[u8]>| answer.map(|answer| String::from_utf8_lossy(answer).into_owned());
        assert_eq!(show(other.as_deref()), show(answer.as_deref()), "the order of the members counts: {order}");
    }
    for there_and_back in TYPES {
        there_and_back(text);
    }
}

/// Returns a session's response.
fn answer(message: &[u8]) -> Option<Vec<u8>> {
    static HANDLERS: LazyLock<Handlers> = LazyLock::new(|| handlers().expect("no kind comes twice"));
    block_on(async {
        let (session, _outbox) = Session::new(HANDLERS.clone(), options());
        session.answer(message).await
    })
}

/// Closures that answer with the request.
fn handlers() -> Result<Handlers, taskcell::LoadError> {
    let sampling = NativeHandler::sampling(|context, request| async move {
        let content = request.messages.into_iter().flat_map(|message| message.content).take(1).collect();
        let meta = context.request.meta;
        Ok(CreateMessageResult { role: Role::Assistant, content, model: "model".to_owned(), stop_reason: None, meta })
    });
    let elicitation = NativeHandler::elicitation(|context, request| async move {
        let content = match request {
            ElicitRequest::Form(_) => Some(Vec::new()),
            ElicitRequest::Url(_) => None,
        };
        Ok(ElicitResult { action: ElicitAction::Accept(content), meta: context.request.meta })
    });
    let roots =
        NativeHandler::roots(
            |context| async move { Ok(ListRootsResult { roots: Vec::new(), meta: context.request.meta }) },
        );
    Handlers::default().native(sampling)?.native(elicitation)?.native(roots)
}

/// Checks that the response suits the message.
fn expect(message: &[u8], answer: Option<&[u8]>) {
    let answer = answer.map(sent);
    if let Some(Sent::Answer { outcome: Err(error), .. }) = &answer {
        // The closures refuse nothing, so the error is the host's.
        assert!(!error.message.contains(char::is_control), "{:?}", error.message);
    }
    match (wants(message), &answer) {
        (Wants::Nothing, None) => {}
        (Wants::Answer(wanted), Some(Sent::Answer { id, .. })) => assert_eq!(*id, wanted),
        (Wants::Refusal(code), Some(Sent::Answer { id, outcome: Err(error) })) => {
            assert_eq!((id.as_str(), error.code), ("null", code));
        }
        (wants, answer) => panic!("{wants:?} and {answer:?}"),
    }
}

/// Rewrites a message with its members in two other orders. The session reads `params` in passing when it comes after
/// `method`, and later when it comes before.
fn orders(text: &str) -> Vec<String> {
    let Ok(message) = Message::read(text.as_bytes()) else { return Vec::new() };
    let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let raw = |value: &RawValue| value.get().to_owned();
    let mut members: Vec<(&str, String)> = [
        ("jsonrpc", message.jsonrpc.as_deref().map(text)),
        ("id", message.id.map(raw)),
        ("method", message.method.as_deref().map(text)),
        ("params", message.params.map(raw)),
        ("result", message.result.map(raw)),
        ("error", message.error.map(raw)),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
    .collect();
    let write = |members: &[(&str, String)]| {
        let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let forward = write(&members);
    members.reverse();
    vec![forward, write(&members)]
}

/// Checks that a value that was read can be written, and reads back as an equal value.
fn there_and_back<T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug>(text: &str) {
    let Ok(value) = serde_json::from_str::<T>(text) else { return };
    let written = match serde_json::to_string(&value) {
        Ok(written) => written,
        // A peer may send values that the host never sends.
        Err(error) => {
            let why = error.to_string();
            let known = ["half of a surrogate pair", "a number is too large"];
            assert!(known.iter().any(|known| why.contains(known)), "{error}: {value:?}");
            return;
        }
    };
    let again: T = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
    // Members of arbitrary JSON keep their text except for line breaks.
    assert!(again == value || text.contains(['\n', '\r']), "{written} is read as {again:?}, not as {value:?}");
    assert_eq!(serde_json::to_string(&again).ok().as_deref(), Some(written.as_str()));
}

/// Parsers of the parameters and results of every request and notification, and of parts that have their own parser.
const TYPES: &[fn(&str)] = &[
    there_and_back::<Implementation>,
    there_and_back::<RequestContext>,
    there_and_back::<RpcError>,
    there_and_back::<ProgressToken>,
    there_and_back::<CreateMessageRequest>,
    there_and_back::<CreateMessageResult>,
    there_and_back::<SamplingMessage>,
    there_and_back::<SamplingContent>,
    there_and_back::<ContentBlock>,
    there_and_back::<ResourceContents>,
    there_and_back::<Tool>,
    there_and_back::<ElicitRequest>,
    there_and_back::<ElicitResult>,
    there_and_back::<RequestedSchema>,
    there_and_back::<PrimitiveSchema>,
    there_and_back::<ElicitValue>,
    there_and_back::<ListRootsResult>,
    there_and_back::<TaskMetadata>,
    there_and_back::<Task>,
    there_and_back::<CreateTaskResult>,
    there_and_back::<TaskResult>,
    there_and_back::<ListTasksResult>,
    there_and_back::<TaskInput>,
    there_and_back::<TaskOutput>,
];
