//! The handler protocol as Rust, generated from `wit/`, and the component's exports.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code crosses the component boundary")]

wit_bindgen::generate!({
    inline: "
        package taskcell:ask;
        world ask {
            import taskcell:handlers/user@0.1.0;
            export taskcell:handlers/sampling@0.1.0;
            export taskcell:handlers/elicitation@0.1.0;
        }
    ",
    path: "../../wit",
    world: "taskcell:ask/ask",
    generate_all,
});

export!(Handler);

use crate::Handler;
