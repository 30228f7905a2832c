//! Requests of `elicitation/create`. [client/elicitation]

use serde_json::{Map, Value, json};

use super::{Case, STRANGE, When, deep, long, with};

/// Requests that reach the handler.
pub(super) const TAKEN: &[Case] = &[
    Case::form("a text", || asked(json!({ "a": { "type": "string" } }))),
    Case::form("a number", || asked(json!({ "a": { "type": "number" } }))),
    Case::form("a whole number", || asked(json!({ "a": { "type": "integer" } }))),
    Case::form("yes or no", || asked(json!({ "a": { "type": "boolean" } }))),
    Case::form("a choice", || asked(json!({ "a": choice() }))),
    Case::form("a choice with labels", || asked(json!({ "a": { "type": "string", "oneOf": labeled() } }))),
    Case::form("a choice with labels in the old way", || {
        asked(json!({ "a": { "type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"] } }))
    }),
    Case::form("several choices", || {
        asked(json!({ "a": { "type": "array", "items": { "type": "string", "enum": ["r", "g"] } } }))
    }),
    Case::form("several choices with labels", || {
        asked(json!({ "a": { "type": "array", "items": { "anyOf": labeled() } } }))
    }),
    Case::form("every type of field", || asked(every_type())),
    Case::form(
        "every type of field, none required",
        || json!({ "message": "Please fill this in", "requestedSchema": { "type": "object", "properties": every_type() } }),
    ),
    Case::form("defaults", || asked(defaults())),
    Case::form("titles, descriptions and loose bounds", || {
        asked(json!({
            "a": { "type": "string", "title": "A", "description": "Some text", "minLength": 1, "maxLength": 4_000 },
            "b": { "type": "number", "title": "B", "description": "A number", "minimum": -1_000, "maximum": 1_000.5 },
            "c": { "type": "integer", "title": "C", "description": "A whole one", "minimum": 0, "maximum": 1_000 },
            "d": { "type": "boolean", "title": "D", "description": "Yes or no" },
        }))
    }),
    Case::form("the mode is named", || with(asked(every_type()), json!({ "mode": "form" }))),
    Case::form("progress is wanted", || {
        with(asked(json!({ "a": { "type": "string" } })), json!({ "_meta": { "progressToken": 1 } }))
    }),
    Case::well_formed("a page", || page("https://example.com/sign-in?state=1")).when(When::Page),
    Case::form_edge("no fields", || asked(json!({}))),
    Case::form_edge("an empty message", || with(asked(every_type()), json!({ "message": "" }))),
    Case::form_edge("a long message", || with(asked(every_type()), json!({ "message": long() }))),
    Case::form_edge("null, accents and emoji", || {
        let fields =
            json!({ STRANGE: { "type": "string", "title": STRANGE, "description": STRANGE, "default": STRANGE } });
        with(asked(fields), json!({ "message": STRANGE }))
    }),
    Case::form_edge("names of fields that mean something elsewhere", || {
        let names = ["", " ", "__proto__", "constructor", "toString", "class", "a.b", "a/b", "0", "-"];
        asked(names.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect::<Map<_, _>>().into())
    }),
    Case::form_edge("hundreds of fields", || {
        asked((0..300).map(|n| (format!("field{n}"), json!({ "type": "string" }))).collect::<Map<_, _>>().into())
    }),
    Case::form_edge("a hundred choices", || {
        let values: Vec<_> = (0..100).map(|n| format!("value {n}")).collect();
        asked(json!({ "a": { "type": "string", "enum": values } }))
    }),
    Case::form_edge("a field that is none of MCP's, not required", || {
        let any = json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] });
        let schema =
            json!({ "type": "object", "properties": { "a": any, "b": { "type": "string" } }, "required": ["b"] });
        json!({ "message": "Please fill this in", "requestedSchema": schema })
    }),
    Case::form_edge("bounds that are huge, tiny and negative", || {
        asked(json!({
            "a": { "type": "number", "minimum": -1e308, "maximum": 1e308 },
            "b": { "type": "integer", "minimum": -9_007_199_254_740_991_i64, "maximum": 9_007_199_254_740_991_i64 },
            "c": { "type": "string", "minLength": 0, "maxLength": 4_294_967_295_u32 },
        }))
    }),
    Case::form_edge("defaults that are huge, tiny and negative", || {
        asked(json!({
            "a": { "type": "number", "default": -1e308 },
            "b": { "type": "number", "default": 5e-324 },
            "c": { "type": "integer", "default": -9_007_199_254_740_991_i64 },
            "d": { "type": "string", "default": "" },
            "e": { "type": "array", "items": { "type": "string", "enum": ["r"] }, "default": [] },
        }))
    }),
    Case::form_edge("deep _meta", || with(asked(every_type()), json!({ "_meta": deep() }))),
    Case::form_edge("members that nobody knows", || with(asked(every_type()), json!({ "x-unknown": [1, null] }))),
    Case::edge("a page of a strange address", || page("javascript:alert(1)")).when(When::Page),
    Case::edge("a page without an address", || page("")).when(When::Page),
    Case::form_edge("formats", || {
        asked(json!({
            "a": { "type": "string", "format": "email" },
            "b": { "type": "string", "format": "uri" },
            "c": { "type": "string", "format": "date" },
            "d": { "type": "string", "format": "date-time" },
        }))
    })
    .warned(),
    Case::form_edge("a text of at least 40 characters", || {
        asked(json!({ "a": { "type": "string", "minLength": 40 } }))
    })
    .warned(),
    Case::form_edge("a text of one character", || asked(json!({ "a": { "type": "string", "maxLength": 1 } }))).warned(),
    Case::form_edge("a number between 100 and 200", || {
        asked(json!({ "a": { "type": "integer", "minimum": 100, "maximum": 200 } }))
    })
    .warned(),
    Case::form_edge("a number below zero", || {
        asked(json!({ "a": { "type": "number", "minimum": -10, "maximum": -5.5 } }))
    })
    .warned(),
    Case::form_edge("at least two choices", || {
        asked(
            json!({ "a": { "type": "array", "minItems": 2, "items": { "type": "string", "enum": ["r", "g", "b"] } } }),
        )
    })
    .warned(),
    Case::form_edge("a choice of nothing, not required", || {
        let fields = json!({ "a": { "type": "string", "enum": [] } });
        json!({ "message": "Please fill this in", "requestedSchema": { "type": "object", "properties": fields } })
    })
    .warned(),
];

/// Requests that the host refuses.
pub(super) const REFUSED: &[Case] = &[
    Case::malformed("the message is missing", || json!({ "requestedSchema": { "type": "object", "properties": {} } })),
    Case::malformed("the form is missing", || json!({ "message": "Please" })),
    Case::malformed("the form is a list", || json!({ "message": "Please", "requestedSchema": [] })),
    Case::malformed(
        "the form has no fields",
        || json!({ "message": "Please", "requestedSchema": { "type": "object" } }),
    ),
    Case::malformed("a mode that does not exist", || with(asked(every_type()), json!({ "mode": "voice" }))),
    Case::malformed(
        "a page without its id",
        || json!({ "mode": "url", "message": "Please", "url": "https://example.com" }),
    ),
    Case::malformed("a form that refers to another", || {
        asked(json!({ "a": { "$ref": "https://example.com/a.json" } }))
    }),
    Case::malformed("_meta is a text", || with(asked(every_type()), json!({ "_meta": "none" }))),
    Case::malformed("a form where only pages are supported", || asked(every_type())).when(When::NoForm),
    Case::malformed("a page where only forms are supported", || page("https://example.com/")).when(When::NoPage),
];

/// Returns a form in which each field is required.
fn asked(fields: Value) -> Value {
    let required: Vec<_> = fields.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    let schema = json!({ "type": "object", "properties": fields, "required": required });
    json!({ "message": "Please fill this in", "requestedSchema": schema })
}

fn page(url: &str) -> Value {
    json!({ "mode": "url", "message": "Please sign in", "elicitationId": "check-1", "url": url })
}

fn choice() -> Value {
    json!({ "type": "string", "enum": ["r", "g"] })
}

fn labeled() -> Value {
    json!([{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green" }])
}

fn every_type() -> Value {
    json!({
        "text": { "type": "string" },
        "number": { "type": "number" },
        "integer": { "type": "integer" },
        "boolean": { "type": "boolean" },
        "choice": choice(),
        "labeled": { "type": "string", "oneOf": labeled() },
        "legacy": { "type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"] },
        "several": { "type": "array", "items": { "type": "string", "enum": ["r", "g"] } },
        "severalLabeled": { "type": "array", "items": { "anyOf": labeled() } },
    })
}

fn defaults() -> Value {
    json!({
        "text": { "type": "string", "default": "Ada" },
        "number": { "type": "number", "default": 0.25 },
        "integer": { "type": "integer", "default": 42 },
        "boolean": { "type": "boolean", "default": false },
        "choice": { "type": "string", "enum": ["r", "g"], "default": "g" },
        "labeled": { "type": "string", "oneOf": labeled(), "default": "g" },
        "legacy": { "type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"], "default": "g" },
        "several": { "type": "array", "items": { "type": "string", "enum": ["r", "g"] }, "default": ["r", "g"] },
        "severalLabeled": { "type": "array", "items": { "anyOf": labeled() }, "default": ["g"] },
    })
}
