//! What the documents say is what the code does.

use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use taskcell::Limits;
use taskcell::grants::{HttpLimits, ModelGuards, Quota};
use taskcell::kinds::KINDS;
use taskcell::tasks::TaskLimits;
use taskcell_test_support::attacks::ATTACKS;
use taskcell_test_support::cli;
use taskcell_test_support::compose::component;
use taskcell_test_support::test_names::{exists, sources};

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
    let source = ["mod", "load", "cell"].map(|file| read(&format!("host/taskcell/src/error/{file}.rs"))).concat();
    let docs = read("docs/limits.md");
    let tasks = read("host/taskcell/src/tasks/error.rs");
    let of_errors = source.lines().filter_map(|line| line.trim().split("=> \"").nth(1)?.split('"').next());
    let of_tasks = tasks.lines().filter_map(|line| line.trim().split("internal(\"").nth(1)?.split('"').next());
    let model = read("host/taskcell/src/grants/model/provider/failure.rs");
    let of_model = model.lines().filter_map(|line| line.trim().split("=> \"model").nth(1)?.split('"').next());
    let of_model = of_model.map(|rest| format!("model{rest}"));
    let kinds: Vec<_> = of_errors.chain(of_tasks).map(str::to_owned).chain(of_model).collect();
    assert!(kinds.len() > 20, "{kinds:?}");
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
        let cells: Vec<_> = found.split('|').map(str::trim).collect();
        assert_eq!(cells.get(3), Some(&default), "{name}");
        let (_, field) = name.split_once("::").unwrap();
        // What a quota is for says the key.
        let key = if name == "Quota::bytes" { "quota" } else { field };
        let key = format!("`{}`", key.replace('_', "-"));
        assert!(cells.get(2).unwrap().starts_with(&key), "{name} has another key than {key}");
    };
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    let thousands = |number: usize| format!("{},{:03}", number / 1_000, number % 1_000);
    let limits = Limits::default();
    row("Limits::memory", &mib(limits.memory));
    row("Limits::table_elements", &format!("{} a table", thousands(limits.table_elements)));
    row("Limits::json_depth", &format!("{} levels", limits.json_depth));
    row("Limits::stack", &format!("{} KiB", limits.stack >> 10));
    row("Limits::cpu_time", &format!("{} s of computing", limits.cpu_time.as_secs()));
    row("Limits::wall_time", &format!("{} min", limits.wall_time.as_secs() / 60));
    row("Limits::host_call", &format!("{} a call", mib(limits.host_call)));
    row("Limits::message_size", &mib(limits.message_size));
    row("Limits::component_size", &mib(limits.component_size));
    row("Limits::core_instances", &format!("{} of a component", limits.core_instances));
    row("Limits::memories", &format!("{} of a component", limits.memories));
    row("Limits::tables", &format!("{} of a component", limits.tables));
    row("Limits::handles", &format!("{} of a cell", thousands(limits.handles)));
    row("Limits::compile_time", &format!("{} s", limits.compile_time.as_secs()));
    row("Limits::cache_size", &format!("{} GiB", limits.cache_size >> 30));
    row("Limits::output", &format!("{} KiB of a cell", limits.output >> 10));
    row("Limits::session_cells", &format!("{} at once", limits.session_cells));
    row("Limits::cells", &format!("{} at once", thousands(limits.cells as usize)));
    let task_limits = TaskLimits::default();
    let hours = |time: Duration| format!("{} h", time.as_secs() / 3_600);
    row("TaskLimits::default_ttl", &hours(task_limits.default_ttl));
    row("TaskLimits::max_ttl", &hours(task_limits.max_ttl));
    row("TaskLimits::poll_interval", &format!("{} ms", task_limits.poll_interval.as_millis()));
    row("TaskLimits::tasks", &thousands(task_limits.tasks));
    row("TaskLimits::result_size", &mib(task_limits.result_size));
    row("TaskLimits::total_size", &format!("{} MiB", task_limits.total_size >> 20));
    row("TaskLimits::page", &format!("{} tasks", task_limits.page));
    row("TaskLimits::lease", &format!("{} s", task_limits.lease.as_secs()));
    row("TaskLimits::attempts", &task_limits.attempts.to_string());
    row("TaskLimits::recovered", &format!("{} at once", task_limits.recovered));
    let [second, burst] = [TaskLimits::RATE, TaskLimits::BURST].map(|number| thousands(number as usize));
    row("TaskLimits::rate", &format!("{second} a second, {burst} at once"));
    let ModelGuards { max_tokens, requests_per_minute, session_tokens, calls, timeout, answer_size, .. } =
        ModelGuards::default();
    row("ModelGuards::max_tokens", &thousands(max_tokens as usize));
    row("ModelGuards::requests_per_minute", &requests_per_minute.to_string());
    row("ModelGuards::session_tokens", &thousands(usize::try_from(session_tokens).unwrap()));
    row("ModelGuards::calls", &format!("{calls} at once"));
    row("ModelGuards::timeout", &format!("{} s", timeout.as_secs()));
    row("ModelGuards::answer_size", &mib(answer_size));
    let quota = Quota::default();
    row("Quota::bytes", &mib(quota.bytes as usize));
    row("Quota::keys", &thousands(quota.keys as usize));
    row("Quota::key_size", &format!("{} KiB", quota.key_size >> 10));
    row("Quota::value_size", &format!("{} KiB", quota.value_size >> 10));
    let http = HttpLimits::default();
    row("HttpLimits::time", &format!("{} s", http.time.as_secs()));
    row("HttpLimits::request_size", &mib(http.request_size as usize));
    row("HttpLimits::response_size", &mib(http.response_size as usize));
    row("HttpLimits::requests", &format!("{} of a cell", http.requests));
    row("HttpLimits::at_once", &format!("{} of a cell", http.at_once));
}

/// Each promise names a test that there is.
#[test]
fn every_promise_is_shown_by_a_test() {
    let (docs, sources) = (read("docs/security.md"), sources());
    let names: Vec<_> = docs.split('`').filter(|text| text.contains(".rs::")).collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        assert!(exists(&sources, name), "docs/security.md: there is no test {name}");
    }
}

/// Each limit has its row, and each row the tests that prove it.
#[test]
fn every_limit_is_proved_by_a_test() {
    let docs = read("docs/limits.md");
    let fields = |file: &str, name: &str| {
        let source = read(file);
        let body =
            source.split(&format!("pub struct {name} {{")).nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
        let fields = body.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next());
        fields.map(|field| format!("{name}::{field}")).collect::<Vec<_>>()
    };
    let fields = [
        fields("host/taskcell/src/sandbox/limits.rs", "Limits"),
        fields("host/taskcell/src/grants/model/provider/guards.rs", "ModelGuards"),
        fields("host/taskcell/src/grants/keyvalue/quota.rs", "Quota"),
        fields("host/taskcell/src/grants/http/mod.rs", "HttpLimits"),
    ];
    let (sources, mut limits) = (sources(), 0);
    for field in fields.concat() {
        let row = docs.lines().find(|line| line.starts_with(&format!("| `{field}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/limits.md has no row for {field}"));
        let tests: Vec<_> =
            row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test proves {field}");
        for test in tests {
            assert!(exists(&sources, test), "{field}: there is no test {test}");
        }
        limits += 1;
    }
    assert!(limits >= 33, "only {limits} limits were found");
}

/// Each attack has its place in the table, which names no others, and the tests that it names are there.
#[test]
fn every_attack_is_documented() {
    let (docs, sources) = (read("docs/limits.md"), sources());
    let section = docs.split("\n## Attacks\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let mut named = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let words = |column: usize| row.split('|').nth(column).unwrap().split('`').skip(1).step_by(2);
        named.extend(words(2));
        for test in words(4) {
            assert!(exists(&sources, test), "there is no test {test}");
        }
    }
    let mut attacks: Vec<_> = ATTACKS.iter().map(|attack| attack.name).collect();
    named.sort_unstable();
    attacks.sort_unstable();
    assert_eq!(named, attacks);
    let test = "attacks/main.rs::an_attack_is_named_forgotten_and_leaves_nothing";
    assert!(section.contains(test) && exists(&sources, test));
}

/// No guest stands there without a test that runs it.
#[test]
fn every_guest_is_tested() {
    let sources = sources();
    let benches = read("host/taskcell/benches/common/mod.rs") + &read("host/taskcell/benches/waiting.rs");
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let used =
            |text: &String| text.contains(&format!("guests/{name}\"")) || text.contains(&format!("guest(\"{name}\""));
        assert!(sources.values().chain([&benches]).any(used), "no test runs tests/guests/{name}");
    }
}

/// Every key of the configuration is in its documents, and the file that they show is one that the program takes.
#[test]
fn the_documented_configuration_is_taken() {
    let (program, limits) = (read("docs/program.md"), read("docs/limits.md"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taskcell.toml");
    let call = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = cli::command(env!("CARGO_BIN_EXE_taskcell-cli"));
        command.env("API_KEY", "value").args(["call", "--config", file.to_str().unwrap(), "ping"]);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        cli::Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    };
    // The handlers that it names, with the digest of what stands in their place.
    let [handler, repeatable] = ["roots", "sampling"].map(|kind| component(&[kind], &[]).unwrap());
    let digest: String = Sha256::digest(&handler).iter().map(|byte| format!("{byte:02x}")).collect();
    for (name, bytes) in [("handler.wasm", &*handler), ("repeatable.wasm", &*repeatable), ("script.json", b"{}")] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let blocks: Vec<_> = program.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 4);
    let shown = &blocks.concat();
    let (before, after) = shown.split_once("sha256 = \"").unwrap();
    let ran = call(&format!("{before}sha256 = \"{digest}{}", after.get(64..).unwrap()));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    // What a table takes, the program says when it is given something else.
    for table in ["", "limits", "task-limits", "audit", "elicitation", "sampling", "[handler]", "handler.model"] {
        let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
        let parent = if table.starts_with("handler.") { "[[handler]]\npath = 'x'\n" } else { "" };
        let ran = call(&format!("{parent}{header}no-such-key = 1"));
        let keys: Vec<_> = ran.stderr.split('`').skip(3).step_by(2).collect();
        assert!(!keys.is_empty() && ran.stderr.contains("unknown field"), "{ran:?}");
        for key in keys {
            let (_, of_table) = shown.split_once(header.trim_end()).unwrap_or_else(|| panic!("no {header} is shown"));
            let starts = |line: &str| {
                let [table, array, in_array] = [format!("[{key}]"), format!("[[{key}]]"), format!("[handler.{key}]")];
                line.starts_with(&format!("{key} = ")) || [table, array, in_array].iter().any(|at| line.starts_with(at))
            };
            assert!(of_table.lines().any(starts), "docs/program.md does not show {key} of [{table}]");
            let of = match table {
                "limits" => "| `Limits::",
                "task-limits" => "| `TaskLimits::",
                _ => continue,
            };
            let in_table = |line: &str| line.starts_with(of) && line.contains(&format!("`{key}`"));
            assert!(limits.lines().any(in_table), "docs/limits.md does not have {key}");
        }
    }
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
