//! A guest of wasm32-wasip2, which uses what WASI has over an empty context: it prints, reads clocks and random, and
//! tries what is not there.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Instant, SystemTime};

use exports::taskcell::handlers::roots::Guest;
use taskcell::handlers::types::{ListRootsResult, RequestContext, Root, RpcError};

wit_bindgen::generate!({
    inline: "
        package taskcell:stdio;
        world stdio {
            export taskcell:handlers/roots@0.1.0;
        }
    ",
    path: "../../../wit",
    world: "taskcell:stdio/stdio",
    generate_all,
});

struct Handler;

impl Guest for Handler {
    fn handle(_: RequestContext) -> Result<ListRootsResult, RpcError> {
        println!("on stdout");
        eprintln!("on stderr: \u{1b}[31mred");
        for _ in 0..100_000 {
            println!("a flood of lines, of which the host keeps some");
        }
        let facts = [
            ("wall-clock", SystemTime::now() > SystemTime::UNIX_EPOCH),
            ("monotonic-clock", Instant::now().elapsed().as_secs() < 60),
            ("random", RandomState::new().hash_one(1) != RandomState::new().hash_one(2)),
            ("file", std::fs::read_dir("/").is_ok()),
            ("environment", std::env::vars().next().is_some()),
            ("arguments", std::env::args().len() > 0),
            ("socket", std::net::TcpListener::bind("127.0.0.1:0").is_ok()),
        ];
        let roots = facts.iter().map(|(name, there)| Root {
            uri: format!("file:///{there}"),
            name: Some((*name).to_owned()),
            meta: None,
        });
        Ok(ListRootsResult { roots: roots.collect(), meta: None })
    }
}

export!(Handler);
