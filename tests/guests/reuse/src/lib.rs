//! A guest that remembers: it answers how many requests its instance has been asked so far. What the request says
//! decides what else it does.

use std::cell::Cell;

use bindings::exports::taskcell::handlers::sampling;
use bindings::taskcell::handlers::types::*;
use bindings::wasi::clocks::monotonic_clock;

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package taskcell:reuse;
            world reuse {
                import wasi:clocks/monotonic-clock@0.2.6;
                export taskcell:handlers/sampling@0.1.0;
            }
        ",
        path: "../../../wit",
        world: "taskcell:reuse/reuse",
        generate_all,
    });

    export!(Handler);

    use crate::Handler;
}

thread_local! {
    static REQUESTS: Cell<u32> = const { Cell::new(0) };
}

const MINUTE: u64 = 60_000_000_000;
/// A page of memory has 64 KiB; this is more than a cell may have.
const TOO_MANY_PAGES: usize = 60_000;

struct Handler;

impl sampling::Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        let said = match request.messages.last().and_then(|message| message.content.last()) {
            Some(SamplingContent::Text(content)) => content.text.as_str(),
            _ => "",
        };
        REQUESTS.set(REQUESTS.get() + 1);
        match said {
            "trap" => panic!("as asked"),
            "error" => return Err(RpcError { code: -1, message: "as asked".into(), data: None }),
            "wait" => monotonic_clock::subscribe_duration(MINUTE).block(),
            #[cfg(target_arch = "wasm32")]
            "grow" => assert_eq!(core::arch::wasm32::memory_grow(0, TOO_MANY_PAGES), usize::MAX),
            _ => {}
        }
        let text = TextContent { text: REQUESTS.get().to_string(), annotations: None, meta: None };
        Ok(CreateMessageResult {
            role: Role::Assistant,
            content: vec![SamplingContent::Text(text)],
            model: "reuse".into(),
            stop_reason: None,
            meta: None,
        })
    }
}
