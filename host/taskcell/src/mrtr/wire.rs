//! What the results and the tasks of a server of this revision have in common.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::Members;
use crate::protocol::{Bounds, plain};

/// The type of a result, whatever else is in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    #[serde(default)]
    result_type: Option<String>,
}

/// The type of a result; one without is complete. [basic, ResultType]
pub(super) fn type_of(result: &RawValue) -> Result<Option<String>, String> {
    if !result.get().starts_with('{') {
        return Err("the result is no object".to_owned());
    }
    let Type { result_type } = serde_json::from_str(result.get()).map_err(|error| plain(&error.to_string()))?;
    Ok(result_type.filter(|name| name != "complete"))
}

/// `inputRequests` of a result or of a task; none where the member is absent.
pub(super) fn inputs(members: &Members, bounds: Bounds) -> Result<Members, String> {
    let read = |inputs| check_size(inputs, bounds).and_then(|()| Members::read(inputs.get()));
    let inputs = members.get("inputRequests").map(read).transpose();
    inputs.map(Option::unwrap_or_default).map_err(|error| format!("`inputRequests`: {}", plain(&error.to_string())))
}

/// Refuses what has more bytes than a message may have.
pub(super) fn check_size(text: &RawValue, bounds: Bounds) -> Result<(), String> {
    let (size, limit) = (text.get().len(), bounds.size);
    if size > limit { Err(format!("it has {size} bytes, the limit is {limit}")) } else { Ok(()) }
}
