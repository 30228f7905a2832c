//! WASI 0.2 over an empty context: what is there works, what is not there fails in the guest, and what is printed goes
//! to the log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use taskcell_tests::cli::run;
use taskcell_tests::guests::build_guest_for;

/// What a guest of wasm32-wasip2 finds in its cell.
#[test]
fn a_cell_has_clocks_and_random_and_nothing_else() {
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/printing");
    let guest = build_guest_for(&guest, "wasm32-wasip2").unwrap().display().to_string();
    let ran = run(env!("CARGO_BIN_EXE_taskcell-cli"), &["-v", "call", "--handler", &guest, "roots/list"]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let answer = ran.json().unwrap();
    let found = |name: &str| {
        let roots = answer["result"]["roots"].as_array().unwrap();
        let root = roots.iter().find(|root| root["name"] == name).unwrap_or_else(|| panic!("no {name} in {answer}"));
        root["uri"] == "file:///true"
    };
    for (name, there) in [
        ("wall-clock", true),
        ("monotonic-clock", true),
        ("random", true),
        ("file", false),
        ("environment", false),
        ("arguments", false),
        ("socket", false),
    ] {
        assert_eq!(found(name), there, "{name}");
    }
    assert!(ran.stderr.contains("guest prints: on stdout"), "{}", ran.stderr);
    assert!(ran.stderr.contains("guest prints: on stderr: \u{fffd}[31mred"), "{}", ran.stderr);
    let flood =
        ran.stderr.lines().find(|line| line.contains("error.type=\"output\"")).expect("no line about the flood");
    assert!(flood.contains("current=") && flood.contains("limit=65536"), "{flood}");
    let shown = ran.stderr.lines().filter(|line| line.contains("guest prints: ")).count();
    assert!(shown == 1_000 && ran.stderr.contains("limit=1000"), "{shown} lines are shown");
    assert!(ran.stderr.len() < 1 << 20, "the log has {} bytes", ran.stderr.len());
}
