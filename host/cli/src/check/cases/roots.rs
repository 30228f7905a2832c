//! Requests of `roots/list`. [client/roots]

use serde_json::json;

use super::{Case, deep};

pub(super) const TABLE: &[Case] = &[
    Case::well_formed("the roots", || json!({})),
    Case::well_formed("progress is wanted", || json!({ "_meta": { "progressToken": "check" } })),
    Case::edge("deep _meta", || json!({ "_meta": deep() })),
    Case::edge("members that nobody knows", || json!({ "cursor": "1", "x-unknown": null })),
    Case::malformed("the parameters are a list", || json!([])),
    Case::malformed("_meta is a number", || json!({ "_meta": 7 })),
];
