//! Answers with what it is told of the request.

use crate::prelude::*;

pub(crate) fn behave(cell: &Cell<'_>) -> Answer {
    let RequestContext { request_id, progress_token, meta, server, protocol_version, attempt } = cell.context;
    let token = match progress_token {
        Some(ProgressToken::Text(text)) => text.clone(),
        Some(ProgressToken::Number(number)) => number.to_string(),
        None => "none".to_owned(),
    };
    let mut answer =
        said(&format!("{request_id} {token} {} {} {protocol_version} {attempt}", server.name, server.version));
    answer.meta.clone_from(meta);
    Ok(answer)
}
