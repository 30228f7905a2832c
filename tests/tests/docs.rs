//! What the documents say is what the code does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use taskcell::Limits;
use taskcell::kinds::KINDS;
use taskcell::tasks::TaskLimits;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The handler in the README is the one in `guest-examples/`, which other tests build and run.
#[test]
fn the_readme_shows_the_minimal_handler() {
    let readme = read("README.md");
    let code = read("guest-examples/rust-minimal/src/lib.rs");
    assert!(readme.contains(&format!("```rust\n{code}```")), "the README's handler is not that of rust-minimal");
}

/// Every word that an error can have is explained.
#[test]
fn every_error_kind_is_in_the_docs() {
    let (source, docs) = (read("host/src/error.rs"), read("docs/limits.md"));
    let kinds: Vec<_> =
        source.lines().filter_map(|line| line.trim().split("=> \"").nth(1)?.split('"').next()).collect();
    assert!(kinds.len() > 15, "{kinds:?}");
    for kind in kinds {
        assert!(docs.contains(&format!("`{kind}`")), "docs/limits.md does not explain {kind}");
    }
}

/// The defaults in the table of limits.
#[test]
fn the_documented_limits_are_the_defaults() {
    let docs = read("docs/limits.md");
    let row = |name: &str, default: &str| {
        let found = docs.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let found = found.unwrap_or_else(|| panic!("docs/limits.md has no row for {name}"));
        assert_eq!(found.split('|').nth(2).map(str::trim), Some(default), "{name}");
    };
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    let thousands = |number: usize| format!("{},{:03}", number / 1_000, number % 1_000);
    let Limits {
        memory,
        table_elements,
        stack,
        cpu_time,
        wall_time,
        host_call,
        message_size,
        component_size,
        cells,
        ..
    } = Limits::default();
    row("Limits::memory", &mib(memory));
    row("Limits::table_elements", &thousands(table_elements));
    row("Limits::stack", &format!("{} KiB", stack >> 10));
    row("Limits::cpu_time", &format!("{} s of computing", cpu_time.as_secs()));
    row("Limits::wall_time", &format!("{} min", wall_time.as_secs() / 60));
    row("Limits::host_call", &format!("{} a call", mib(host_call)));
    row("Limits::message_size", &mib(message_size));
    row("Limits::component_size", &mib(component_size));
    row("Limits::cells", &format!("{} at once", thousands(cells as usize)));
    let TaskLimits { default_ttl, max_ttl, poll_interval, tasks, page, .. } = TaskLimits::default();
    let hours = |time: Duration| format!("{} h", time.as_secs() / 3_600);
    row("TaskLimits::tasks", &format!("{} for a principal", thousands(tasks)));
    row("TaskLimits::default_ttl", &hours(default_ttl));
    row("TaskLimits::max_ttl", &hours(max_ttl));
    row("TaskLimits::poll_interval", &format!("{} ms", poll_interval.as_millis()));
    row("TaskLimits::page", &format!("{page} tasks"));
}

/// The table of kinds is that of the code.
#[test]
fn the_documented_kinds_are_the_table() {
    let docs = read("docs/handlers.md");
    for row in &KINDS {
        let line = docs.lines().find(|line| line.starts_with(&format!("| `{}` |", row.export))).unwrap();
        let (code, message) = row.default;
        assert!(line.contains(&format!("| {code} `{message}` |")), "{line}");
        assert!(line.contains(&format!("`{}`", row.method)), "{line}");
    }
}
