//! WASI 0.2 over an empty context: what is there works, what is not there fails in the guest, and what is printed goes
//! to the log.

use std::path::Path;

use taskcell_test_support::cli::run;
use taskcell_test_support::guests::build_guest_for;

fn guest() -> String {
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/stdio");
    build_guest_for(&guest, "wasm32-wasip2").unwrap().display().to_string()
}

/// The interfaces behind which there is nothing are one line of the table, which says so, and all in the document.
#[test]
fn what_is_empty_is_one_line() {
    let program = env!("CARGO_BIN_EXE_taskcell-cli");
    let table = run(program, &["inspect", &guest()]).unwrap().stdout;
    let empty: Vec<_> = table.lines().filter(|line| line.contains("in every cell, empty: ")).collect();
    let [line] = empty[..] else { panic!("{table}") };
    for word in ["wasi:filesystem, wasi:sockets, wasi:cli/environment", "no files, no sockets, no environment"] {
        assert!(line.contains(word), "no {word} in {line}");
    }
    assert!(!table.contains("wasi:filesystem/") && !table.contains("wasi:sockets/"), "{table}");
    assert!(table.lines().any(|line| line.contains("wasi:clocks/") && line.ends_with("in every cell")), "{table}");

    let document = run(program, &["inspect", "--json", &guest()]).unwrap().json().unwrap();
    let imports = document["imports"].as_array().unwrap();
    let has = |begin: &str| imports.iter().any(|import| import["interface"].as_str().unwrap().starts_with(begin));
    assert!(has("wasi:filesystem/types@") && has("wasi:sockets/tcp@") && has("wasi:clocks/"), "{document:#}");
}

/// What a guest of wasm32-wasip2 finds in its cell.
#[test]
fn a_cell_has_clocks_and_random_and_nothing_else() {
    let guest = guest();
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
