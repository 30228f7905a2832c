//! Members that results and tasks of a server of revision 2026-07-28 share.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::Members;
use crate::protocol::{Bounds, plain};

/// Type of a result; other members are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    #[serde(default)]
    result_type: Option<String>,
}

/// Returns the type of a result; none for a complete one, which need not name its type. [basic, ResultType]
pub(super) fn type_of(result: &RawValue) -> Result<Option<String>, String> {
    if !result.get().starts_with('{') {
        return Err("the result is no object".to_owned());
    }
    let Type { result_type } = serde_json::from_str(result.get()).map_err(|error| plain(&error.to_string()))?;
    Ok(result_type.filter(|name| name != "complete"))
}

/// Returns `inputRequests` of a result or of a task; empty where the member is absent.
pub(super) fn inputs(members: &Members, bounds: Bounds) -> Result<Members, String> {
    let read = |inputs| check_size(inputs, bounds).and_then(|()| Members::read(inputs.get()));
    let inputs = members.get("inputRequests").map(read).transpose();
    inputs.map(Option::unwrap_or_default).map_err(|error| format!("`inputRequests`: {}", plain(&error.to_string())))
}

/// Checks that a text has no more bytes than a message may have.
pub(super) fn check_size(text: &RawValue, bounds: Bounds) -> Result<(), String> {
    let (size, limit) = (text.get().len(), bounds.size);
    if size > limit { Err(format!("it has {size} bytes, the limit is {limit}")) } else { Ok(()) }
}
