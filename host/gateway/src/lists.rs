//! Lists of tasks of which both the client and the handlers have a part: first the handlers' pages, then the client's.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::peek;
use crate::text;
use crate::transport::Frame;

/// Side that has a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Handlers,
    Client,
}

/// First characters of the gateway's cursors, before the side's own.
const OF_HANDLERS: &str = "h:";
const OF_CLIENT: &str = "c:";
/// Cursor of the client's first page.
const FIRST_OF_CLIENT: &str = "c";

/// Side of a cursor, and the side's own cursor; none for its first page. A cursor that is no cursor of the gateway goes
/// to the handlers, which refuse it.
pub(crate) fn side(cursor: Option<&str>) -> (Side, Option<&str>) {
    match cursor {
        None => (Side::Handlers, None),
        Some(FIRST_OF_CLIENT) => (Side::Client, None),
        Some(cursor) => match (cursor.strip_prefix(OF_HANDLERS), cursor.strip_prefix(OF_CLIENT)) {
            (_, Some(own)) => (Side::Client, Some(own)),
            (own, None) => (Side::Handlers, Some(own.unwrap_or(cursor))),
        },
    }
}

/// Puts a cursor into a request for a list.
pub(crate) fn with_cursor(frame: &Frame, params: Option<&RawValue>, cursor: Option<&str>) -> Frame {
    let Some(params) = params else { return frame.clone() };
    let Some(mut members) = text::members(params) else { return frame.clone() };
    members.remove("cursor");
    if let Some(cursor) = cursor.and_then(|cursor| text::member(&cursor)) {
        members.insert(Cow::Borrowed("cursor"), cursor);
    }
    text::splice(frame, params.get(), &text::object(&members))
}

/// Puts the gateway's cursor into a page.
pub(crate) fn page(frame: &Frame, page: &RawValue, side: Side) -> Frame {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page<'a> {
        #[serde(borrow)]
        next_cursor: Option<Cow<'a, str>>,
    }
    let Some(mut members) = text::members(page) else { return frame.clone() };
    let next = peek::read::<Page<'_>>(Some(page)).and_then(|page| page.next_cursor);
    let next = match (side, next) {
        (Side::Handlers, Some(own)) => Some(format!("{OF_HANDLERS}{own}")),
        (Side::Handlers, None) => Some(FIRST_OF_CLIENT.to_owned()),
        (Side::Client, own) => own.map(|own| format!("{OF_CLIENT}{own}")),
    };
    members.remove("nextCursor");
    if let Some(next) = next.and_then(|next| text::member(&next)) {
        members.insert(Cow::Borrowed("nextCursor"), next);
    }
    text::splice(frame, page.get(), &text::object(&members))
}

/// Id of the task that a result names as created.
pub(crate) fn created(result: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Created {
        task: Task,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Task {
        task_id: String,
    }
    peek::read::<Created>(Some(result)).map(|created| created.task.task_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peek::Peek;

    #[test]
    fn the_clients_pages_follow_the_handlers() {
        for (cursor, expected) in [
            (None, (Side::Handlers, None)),
            (Some("h:a"), (Side::Handlers, Some("a"))),
            (Some("c"), (Side::Client, None)),
            (Some("c:"), (Side::Client, Some(""))),
            (Some("c:h:a"), (Side::Client, Some("h:a"))),
            (Some("other"), (Side::Handlers, Some("other"))),
        ] {
            assert_eq!(side(cursor), expected);
        }
        let next = |result: &str, side| {
            let frame = Frame::from(format!(r#"{{"id":1.0,"result":{result}}}"#));
            let Peek::Response { outcome: Ok(Some(result)), .. } = Peek::at(&frame) else { panic!() };
            String::from_utf8(page(&frame, result, side).to_vec()).unwrap()
        };
        assert_eq!(
            next(r#"{"tasks":[1.0]}"#, Side::Handlers),
            r#"{"id":1.0,"result":{"nextCursor":"c","tasks":[1.0]}}"#
        );
        assert_eq!(next(r#"{"nextCursor":"x"}"#, Side::Handlers), r#"{"id":1.0,"result":{"nextCursor":"h:x"}}"#);
        assert_eq!(next(r#"{"nextCursor":"x"}"#, Side::Client), r#"{"id":1.0,"result":{"nextCursor":"c:x"}}"#);
        assert_eq!(next("{}", Side::Client), r#"{"id":1.0,"result":{}}"#);
    }

    #[test]
    fn a_request_gets_the_cursor_of_its_side() {
        let frame = Frame::from_static(br#"{"id":1,"method":"tasks/list","params":{"cursor":"c:x","a":1e400}}"#);
        let Peek::Request { params, .. } = Peek::at(&frame) else { panic!() };
        assert_eq!(
            with_cursor(&frame, params, Some("x")),
            br#"{"id":1,"method":"tasks/list","params":{"a":1e400,"cursor":"x"}}"#.as_slice()
        );
        assert_eq!(
            with_cursor(&frame, params, None),
            br#"{"id":1,"method":"tasks/list","params":{"a":1e400}}"#.as_slice()
        );
    }
}
