//! A guest of wasm32-wasip2 that tells what it was given: what its clocks and random numbers are, as roots, and its
//! settings, on stdout and stderr.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use exports::taskcell::handlers::roots::Guest;
use taskcell::handlers::types::{ListRootsResult, RequestContext, Root, RpcError};
use wasi::config::store;
use wasi::random0_2_3::{insecure, insecure_seed, random};

wit_bindgen::generate!({
    inline: "
        package taskcell:clocks-and-random;

        world clocks-and-random {
            import wasi:config/store@0.2.0-rc.1;
            import wasi:random/random@0.2.3;
            import wasi:random/insecure@0.2.3;
            import wasi:random/insecure-seed@0.2.3;
            export taskcell:handlers/roots@0.1.0;
        }

        package wasi:random@0.2.3 {
            interface random {
                get-random-bytes: func(len: u64) -> list<u8>;
                get-random-u64: func() -> u64;
            }
            interface insecure {
                get-insecure-random-bytes: func(len: u64) -> list<u8>;
                get-insecure-random-u64: func() -> u64;
            }
            interface insecure-seed {
                insecure-seed: func() -> tuple<u64, u64>;
            }
        }
    ",
    path: "../../../wit",
    world: "taskcell:clocks-and-random/clocks-and-random",
    generate_all,
});

struct Handler;

impl Guest for Handler {
    fn handle(_: RequestContext) -> Result<ListRootsResult, RpcError> {
        for (key, value) in store::get_all().unwrap_or_default() {
            println!("{key} is {value}, by itself\n{value}");
            eprintln!("{value}{value}");
        }
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let facts = [
            ("wall-clock", since_epoch.as_nanos().to_string()),
            ("between-two-instants", Instant::now().elapsed().as_nanos().to_string()),
            ("random", hex(&random::get_random_bytes(16))),
            ("random-number", random::get_random_u64().to_string()),
            ("insecure", hex(&insecure::get_insecure_random_bytes(16))),
            ("insecure-seed", format!("{:?}", insecure_seed::insecure_seed()).replace([' ', '(', ')'], "")),
        ];
        let roots =
            facts.map(|(name, fact)| Root { uri: format!("file:///{fact}"), name: Some(name.to_owned()), meta: None });
        Ok(ListRootsResult { roots: roots.into(), meta: None })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

export!(Handler);
