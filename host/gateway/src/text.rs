//! JSON texts that the gateway writes itself, and texts of which it replaces a part.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use taskcell::protocol::jsonrpc;
use taskcell::protocol::types::RpcError;

use crate::transport::Frame;

/// Members of an object as they were written.
pub(crate) type Members<'a> = BTreeMap<Cow<'a, str>, Cow<'a, RawValue>>;

/// Error for the request with this id.
pub(crate) fn error(id: &str, error: &RpcError) -> Frame {
    let id = RawValue::from_string(id.to_owned()).ok();
    // The gateway's own errors have JSON, and an id that was read has it, too.
    jsonrpc::response::<()>(id.as_deref(), Err(error)).unwrap_or_default().into()
}

/// Notification of the gateway itself.
pub(crate) fn notification<P: Serialize>(method: &str, params: &P) -> Frame {
    jsonrpc::notification(method, params).unwrap_or_default().into()
}

/// Replaces `part`, which points into `whole`; everything else stays as it came. Returns `whole` when `part` is of
/// another text.
pub(crate) fn splice(whole: &Frame, part: &str, with: &str) -> Frame {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize);
    let ends = start.and_then(|start| {
        let (before, rest) = whole.split_at_checked(start)?;
        Some((before, rest.get(part.len()..)?))
    });
    match ends {
        Some((before, after)) => [before, with.as_bytes(), after].concat().into(),
        None => whole.clone(),
    }
}

/// Reads an object; none when the text is something else.
pub(crate) fn members(object: &RawValue) -> Option<Members<'_>> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(object.get()).ok()?;
    Some(members.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect())
}

/// Writes an object.
pub(crate) fn object(members: &Members<'_>) -> String {
    serde_json::to_string(members).unwrap_or_default()
}

/// Writes a value as a member.
pub(crate) fn member<T: Serialize>(value: &T) -> Option<Cow<'static, RawValue>> {
    serde_json::value::to_raw_value(value).ok().map(Cow::Owned)
}

/// Bytes of a text that is kept longer than the frame that it came in.
pub(crate) fn kept(text: &RawValue) -> Bytes {
    Bytes::copy_from_slice(text.get().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_is_replaced() {
        let whole = Frame::from_static(br#" {"id":1.0,"x":[1e400],"y":"\u0041"} "#);
        let id = std::str::from_utf8(&whole).unwrap().get(7..10).unwrap();
        assert_eq!(splice(&whole, id, "\"own\""), br#" {"id":"own","x":[1e400],"y":"\u0041"} "#.as_slice());
        assert_eq!(splice(&whole, "elsewhere", "x"), whole);
    }

    #[test]
    fn members_are_kept_as_written() {
        let raw: Box<RawValue> = serde_json::from_str(r#"{"b": 1e400, "a\u0062":{ "x" : 1 }}"#).unwrap();
        assert_eq!(object(&members(&raw).unwrap()), r#"{"ab":{ "x" : 1 },"b":1e400}"#);
    }
}
