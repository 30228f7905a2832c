//! Requests of `sampling/createMessage`. [client/sampling]

use serde_json::{Value, json};

use super::{Case, STRANGE, When, deep, long, with};

/// Requests that reach the handler.
pub(super) const TAKEN: &[Case] = &[
    Case::well_formed("one text", || said("What is the capital of France?")),
    Case::well_formed("several messages", || {
        asked(json!([user(text("hello")), assistant(text("hi")), user(text("how are you?"))]))
    }),
    Case::well_formed("several pieces in a message", || {
        asked(json!([{ "role": "user", "content": [text("first"), text("second")] }]))
    }),
    Case::well_formed("an image", || asked(json!([user(image())]))),
    Case::well_formed("sound", || asked(json!([user(audio())]))),
    Case::well_formed("text with an image and sound", || {
        asked(json!([{ "role": "user", "content": [text("describe"), image(), audio()] }]))
    }),
    Case::well_formed("a tool's use and its result", || {
        asked(json!([user(text("the weather?")), assistant(tool_use("1")), user(tool_result("1"))]))
    }),
    Case::well_formed("all optional members", all),
    Case::well_formed("tools", || {
        with(said("the weather?"), json!({ "tools": [tool()], "toolChoice": { "mode": "auto" } }))
    })
    .when(When::Tools),
    Case::well_formed("progress is wanted", || with(said("hello"), json!({ "_meta": { "progressToken": "check" } }))),
    Case::edge("no messages", || asked(json!([]))),
    Case::edge("a message without content", || asked(json!([{ "role": "user", "content": [] }]))),
    Case::edge("an empty text", || said("")),
    Case::edge("a long text", || said(&long())),
    Case::edge("null, accents and emoji", || said(STRANGE)),
    Case::edge("the last message is the model's", || asked(json!([user(text("hello")), assistant(text("hi"))]))),
    Case::edge("no message of the user", || asked(json!([assistant(text("hi"))]))),
    Case::edge("hundreds of messages", || asked((0..500).map(|n| user(text(&format!("message {n}")))).collect())),
    Case::edge("data that is empty", || asked(json!([user(json!({ "type": "image", "data": "", "mimeType": "" }))]))),
    Case::edge("data that is no base64", || {
        asked(json!([user(json!({ "type": "audio", "data": "!", "mimeType": "audio/x-none" }))]))
    }),
    Case::edge("no token may be generated", || with(said("hello"), json!({ "maxTokens": 0 }))),
    Case::edge("more tokens than there are numbers", || {
        with(said("hello"), json!({ "maxTokens": 1_000_000_000_000_u64 }))
    }),
    Case::edge("numbers that are huge, tiny and negative", || {
        let preferences = json!({ "costPriority": 1e308, "speedPriority": 5e-324, "intelligencePriority": -0.5 });
        with(said("hello"), json!({ "temperature": -1e308, "modelPreferences": preferences }))
    }),
    Case::edge("lists that are empty", || {
        with(said("hello"), json!({ "stopSequences": [], "modelPreferences": { "hints": [] } }))
    }),
    Case::edge("hints and texts that are empty", || {
        let empty =
            json!({ "systemPrompt": "", "stopSequences": [""], "modelPreferences": { "hints": [{}, { "name": "" }] } });
        with(said("hello"), empty)
    }),
    Case::edge("many hints", || {
        let hints: Value = (0..1_000).map(|n| json!({ "name": format!("model-{n}") })).collect();
        with(said("hello"), json!({ "modelPreferences": { "hints": hints } }))
    }),
    Case::edge("deep _meta and metadata", || with(said("hello"), json!({ "_meta": deep(), "metadata": deep() }))),
    Case::edge("members that nobody knows", || with(said("hello"), json!({ "x-unknown": { "a": [1, null] } }))),
];

/// Requests that the host refuses.
pub(super) const REFUSED: &[Case] = &[
    Case::malformed("messages are missing", || json!({ "maxTokens": 10 })),
    Case::malformed("messages are a text", || json!({ "messages": "hello", "maxTokens": 10 })),
    Case::malformed("the greatest number of tokens is missing", || json!({ "messages": [user(text("hello"))] })),
    Case::malformed("the greatest number of tokens is a text", || with(said("hello"), json!({ "maxTokens": "ten" }))),
    Case::malformed("a role that does not exist", || asked(json!([{ "role": "system", "content": text("hello") }]))),
    Case::malformed("a type of content that does not exist", || asked(json!([user(json!({ "type": "video" }))]))),
    Case::malformed("a text without its text", || asked(json!([user(json!({ "type": "text" }))]))),
    Case::malformed("a tool's use without its result", || asked(json!([assistant(tool_use("1"))]))),
    Case::malformed("a tool's result beside a text", || {
        asked(json!([assistant(tool_use("1")), { "role": "user", "content": [tool_result("1"), text("and")] }]))
    }),
    Case::malformed("_meta is a list", || with(said("hello"), json!({ "_meta": [] }))),
    Case::malformed("tools without the capability", || with(said("hello"), json!({ "tools": [tool()] })))
        .when(When::NoTools),
];

fn said(words: &str) -> Value {
    asked(json!([user(text(words))]))
}

fn asked(messages: Value) -> Value {
    json!({ "messages": messages, "maxTokens": 100 })
}

fn all() -> Value {
    let annotations =
        json!({ "audience": ["user", "assistant"], "priority": 0.5, "lastModified": "2025-11-25T00:00:00Z" });
    let content = json!({ "type": "text", "text": "hello", "annotations": annotations, "_meta": { "a": 1 } });
    json!({
        "messages": [{ "role": "user", "content": content, "_meta": { "b": [true, null] } }],
        "modelPreferences": {
            "hints": [{ "name": "small" }, { "name": "large" }],
            "costPriority": 0.1, "speedPriority": 0.5, "intelligencePriority": 1,
        },
        "systemPrompt": "Answer in one word.",
        "includeContext": "none",
        "temperature": 0.7,
        "maxTokens": 100,
        "stopSequences": ["END", "\n\n"],
        "metadata": { "provider": { "seed": 7 } },
        "_meta": { "example.com/trace": "1", "progressToken": 7 },
    })
}

fn user(content: Value) -> Value {
    json!({ "role": "user", "content": content })
}

fn assistant(content: Value) -> Value {
    json!({ "role": "assistant", "content": content })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// Returns an image of one pixel.
fn image() -> Value {
    let data = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";
    json!({ "type": "image", "data": data, "mimeType": "image/gif" })
}

fn audio() -> Value {
    json!({ "type": "audio", "data": "UklGRiQAAABXQVZF", "mimeType": "audio/wav" })
}

fn tool() -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    json!({ "name": "weather", "description": "Tells the weather", "inputSchema": schema })
}

fn tool_use(id: &str) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "weather", "input": { "city": "Paris", "days": 1.5 } })
}

fn tool_result(id: &str) -> Value {
    json!({
        "type": "tool_result",
        "toolUseId": id,
        "content": [
            text("sunny"),
            image(),
            { "type": "resource_link", "uri": "file:///weather.txt", "name": "weather", "size": 10 },
            { "type": "resource", "resource": { "uri": "file:///a.txt", "text": "a" } },
            { "type": "resource", "resource": { "uri": "file:///b.bin", "blob": "AA==" } },
        ],
        "structuredContent": { "degrees": 21 },
        "isError": false,
    })
}
