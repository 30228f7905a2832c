//! What `taskcell new` writes builds with `taskcell build` and passes `taskcell check`, in Rust for every kind, in C
//! and C++ for the sets of kinds that differ; and both commands say what is wrong where something is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use taskcell::kinds::KINDS;
use taskcell_test_support::cli::{self, Ran};
use taskcell_test_support::provision::{c_variables, language_skipped, language_variables, repository};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

/// Held by tests that build in Rust: their projects share a target directory, and so the place of the component.
static CARGO: Mutex<()> = Mutex::new(());

fn with_cargo() -> MutexGuard<'static, ()> {
    CARGO.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A project that `taskcell new` wrote.
struct Project {
    _parent: TempDir,
    folder: PathBuf,
    language: String,
}

impl Project {
    fn new(language: &str, kinds: &str) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("project");
        let ran = cli::run(PROGRAM, &["new", folder.to_str().unwrap(), "--lang", language, "--kinds", kinds]).unwrap();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        Self { _parent: parent, folder, language: language.to_owned() }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.join(inside)
    }

    fn change(&self, path: &str, from: &str, to: &str) {
        let path = self.path(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{}: {text}", path.display());
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn build(&self) -> Ran {
        self.build_with(|command| _ = command.envs(language_variables(&self.language).unwrap()))
    }

    fn build_with(&self, change: impl FnOnce(&mut Command)) -> Ran {
        let mut command = cli::command(PROGRAM);
        command.arg("build").arg(&self.folder);
        // One target directory for all projects, so that what they depend on is compiled once. What the cargo of the
        // tests was told is not meant for that of the project.
        command.env("CARGO_TARGET_DIR", repository().join("target/guests/new"));
        for variable in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            command.env_remove(variable);
        }
        change(&mut command);
        let output = command.output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Builds it, and sees that it answers just these exports, as its fixtures say.
    fn is_good(&self, exports: &[&str]) {
        let built = self.build();
        assert_eq!(built.code, Some(0), "{built:?}");
        let [line, check] = built.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{built:?}") };
        assert!(check.starts_with("check: ") && check.ends_with(" 0 failed"), "{check}");
        let (component, facts) = line.split_once(": ").unwrap();
        let (_, names) = facts.split_once(" bytes, ").unwrap();
        assert_eq!(names.split(", ").collect::<Vec<_>>(), exports, "{line}");

        let fixtures = self.path("fixtures");
        let checked =
            cli::run(PROGRAM, &["check", component, "--json", "--fixtures", fixtures.to_str().unwrap()]).unwrap();
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let kinds: Vec<_> = exports.iter().filter(|name| **name != "background").collect();
        assert_eq!(checked.json().unwrap()["kinds"], json!(kinds));
    }

    /// The one line that says why it cannot be built, below what the tools print.
    fn refusal(&self) -> String {
        self.refusal_with(|command| _ = command.envs(language_variables(&self.language).unwrap()))
    }

    /// The same, of a build in this environment.
    fn refusal_with(&self, change: impl FnOnce(&mut Command)) -> String {
        let ran = self.build_with(change);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        let line = ran.stderr.lines().last().unwrap();
        line.strip_prefix("taskcell: ").unwrap_or_else(|| panic!("{ran:?}")).to_owned()
    }
}

/// The exports of a project that was asked for these kinds, in the order of the table.
fn exports(is_chosen: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut names: Vec<_> = KINDS.iter().map(|row| row.export).filter(|name| is_chosen(name)).collect();
    if names.iter().any(|name| name.starts_with("augmented")) {
        names.push("background");
    }
    names
}

#[test]
fn rust_for_every_kind() {
    if language_skipped("rust", "new::rust_for_every_kind") {
        return;
    }
    let _cargo = with_cargo();
    for row in &KINDS {
        Project::new("rust", row.export).is_good(&exports(|name| name == row.export));
    }
    Project::new("rust", "all").is_good(&exports(|_| true));
}

#[test]
fn c_for_sets_of_kinds() {
    sets_of_kinds("c");
}

#[test]
fn cpp_for_sets_of_kinds() {
    sets_of_kinds("cpp");
}

/// Kinds that share code, and those that do not: a region of the template that is missing shows.
fn sets_of_kinds(language: &str) {
    if language_skipped(language, &format!("new::{language}_for_sets_of_kinds")) {
        return;
    }
    for kinds in ["sampling", "elicitation,roots", "augmented-sampling", "augmented-elicitation,get-task", "all"] {
        Project::new(language, kinds)
            .is_good(&exports(|name| kinds == "all" || kinds.split(',').any(|kind| kind == name)));
    }
    let tasks = |name: &str| name.contains("task") || name.starts_with("augmented");
    Project::new(language, "tasks").is_good(&exports(tasks));
}

/// One source: the minimal examples are what `new` writes, but for where they find the WIT.
#[test]
fn the_minimal_examples_are_what_new_writes() {
    let text = |path: PathBuf| fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table: [(&str, &[&str]); 3] = [
        ("rust", &["src/lib.rs", "src/alloc.rs", ".cargo/config.toml"]),
        ("c", &["handler.c", "Makefile"]),
        ("cpp", &["handler.cpp", "Makefile"]),
    ];
    for (language, files) in table {
        let project = Project::new(language, "sampling");
        for file in files {
            let of_new = text(project.path(file));
            let example = repository().join("guest-examples").join(format!("{language}-minimal")).join(file);
            let known = text(example)
                .replace("WIT = ../../wit\n", "WIT = wit\n")
                .replace(" --world sampling-only --rename-world handler", "")
                .replace("world: \"sampling-handler\", path: \"../../wit\"", "world: \"handler\", path: \"wit\"");
            assert_eq!(of_new, known, "{language}: {file}");
        }
    }
}

/// The languages by their shortest names, and what has to be run in a new project before it can be built.
const PREPARE: [(&str, &[&str]); 7] = [
    ("c", &["python3 -m venv .venv", ".venv/bin/pip install ziglang==0.17.1"]),
    ("cpp", &["python3 -m venv .venv", ".venv/bin/pip install ziglang==0.17.1"]),
    ("rs", &["rustup target add wasm32-unknown-unknown"]),
    ("golang", &[]),
    ("py", &["python3 -m venv .venv", ".venv/bin/pip install --require-hashes -r requirements.txt"]),
    ("js", &["npm ci"]),
    ("ts", &["npm ci"]),
];

/// What to do next is all that has to be done, as a shell takes it; the README of the project says the same.
#[test]
fn new_says_all_that_is_to_be_done() {
    let parent = tempfile::tempdir().unwrap();
    for (language, prepare) in PREPARE {
        let folder = parent.path().join(format!("my {language} handler"));
        let at = folder.to_str().unwrap();
        let ran = cli::run(PROGRAM, &["new", at, "--lang", language, "--kinds", "sampling, roots"]).unwrap();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let (_, next) = ran.stdout.split_once("\nNext:\n").unwrap();
        let next: Vec<_> = next.lines().map(str::trim).collect();
        let enter = format!("cd '{at}'");
        let expected: Vec<_> =
            [enter.as_str()].into_iter().chain(prepare.iter().copied()).chain(["taskcell build"]).collect();
        let (check, before) = next.split_last().unwrap();
        assert_eq!(before, expected, "{language}");
        assert!(check.starts_with("taskcell check ") && check.ends_with("handler.wasm --fixtures fixtures"), "{check}");
        let readme = fs::read_to_string(folder.join("README.md")).unwrap();
        for command in prepare {
            assert!(readme.contains(command), "{language}: no {command} in {readme}");
        }
        if language == "py" {
            // The repository's own README begins with this language.
            let commands = [prepare, &["taskcell build", check]].concat().join("\n    ");
            let readme = fs::read_to_string(repository().join("README.md")).unwrap();
            assert!(readme.contains(&commands), "README.md does not say {commands}");
        }
        assert!(readme.starts_with(&format!("# my-{language}-handler\n")), "{readme}");
    }
}

/// The project is called like its folder, in the files of the language that name it; the component stays
/// `handler.wasm`.
#[test]
fn a_project_is_called_like_its_folder() {
    let parent = tempfile::tempdir().unwrap();
    for (language, files) in [
        ("rust", &["Cargo.toml", "Cargo.lock"][..]),
        ("javascript", &["package.json", "package-lock.json"]),
        ("typescript", &["package.json", "package-lock.json"]),
    ] {
        let folder = parent.path().join(format!("Greeter {language}"));
        let ran = cli::run(PROGRAM, &["new", folder.to_str().unwrap(), "--lang", language]).unwrap();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("handler.wasm"), "{ran:?}");
        for file in files {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            assert!(text.contains(&format!("\"greeter-{language}\"")), "{file}: {text}");
            assert!(!text.contains("project-name"), "{file}: {text}");
        }
    }
}

/// A mistake in the WIT is said alike for each language, before its tools run: in the last line the place and what may
/// have been meant, above it the line of the file with a mark.
#[test]
fn what_is_wrong_in_wit_is_said_once_and_alike() {
    // What is written in place of the export, the words of the line, and what the excerpt marks.
    let mistakes = [
        ("export taskcell:handlers/root@0.1.0;", "did you mean `roots`?", "^"),
        ("export taskcell:handlers/get-tasks@0.1.0;", "did you mean `get-task`?", "^"),
        ("export taskcell:handlers/roots@0.2.0;", "did you mean `taskcell:handlers@0.1.0`?", "^"),
        ("export taskcel:handlers/roots@0.1.0;", "did you mean `taskcell:handlers@0.1.0`?", "^"),
        ("export root;", "did you mean `taskcell:handlers/roots@0.1.0`?", "^---"),
        ("export taskcell:handlers/roots;", "did you mean `taskcell:handlers@0.1.0`?", "^"),
        ("export dreams-of-sheep: dream;", "`dream` does not exist", "^----"),
        ("export sheep: func(a: strin);", "did you mean `string`?", "^----"),
        ("export taskcell:handlers/roots@0.1.0", "expected", "^"),
        ("exprot taskcell:handlers/roots@0.1.0;", "expected", "^"),
    ];
    for (language, _) in PREPARE.into_iter().chain([("c", &[][..]), ("c++", &[])]) {
        let project = Project::new(language, "roots");
        let wit = fs::read_to_string(project.path("wit/world.wit")).unwrap();
        let export = "export taskcell:handlers/roots@0.1.0;";
        let line = wit.lines().position(|line| line.contains(export)).unwrap() + 1;
        let empty = tempfile::tempdir().unwrap();
        for (mistake, said, marked) in mistakes {
            fs::write(project.path("wit/world.wit"), wit.replace(export, mistake)).unwrap();
            let ran = project.build_with(|command| _ = command.env("PATH", empty.path()));
            let last = ran.stderr.lines().last().unwrap();
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{language}: {ran:?}");
            let place = last.strip_prefix("taskcell: wit/world.wit:").unwrap_or_else(|| panic!("{language}: {ran:?}"));
            let number: usize = place.split(':').next().unwrap().parse().unwrap();
            // A semicolon is missed where the next thing begins.
            assert!((line..=line + 1).contains(&number), "{language}: {mistake}: {last}");
            assert!(last.contains(said), "{language}: no {said} in {last}");
            let excerpt: Vec<_> = ran.stderr.lines().filter(|line| line.contains(" | ")).collect();
            assert_eq!(excerpt.len(), 2, "{language}: {ran:?}");
            assert!(excerpt[1].contains(marked), "{language}: {ran:?}");
        }
    }
}

/// Asserts that `taskcell new` writes nothing and says why in one line with these words.
fn assert_not_written(arguments: &[&str], words: &[&str]) {
    let ran = cli::run(PROGRAM, &[&["new"], arguments].concat()).unwrap();
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (Some(2), "", 1), "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "no {word} in {ran:?}");
    }
}

#[test]
fn new_writes_only_what_it_knows_and_only_where_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert_not_written(&[&at("a"), "--lang", "cobol"], &["\"cobol\"", "rust, c"]);
    assert_not_written(
        &[&at("a"), "--lang", "rust", "--kinds", "sampling,dreams"],
        &["\"dreams\"", "elicitation", "`tasks`"],
    );
    assert_not_written(&[&at("a"), "--lang", "rust", "--kinds", "background"], &["\"background\""]);
    assert!(!Path::new(&at("a")).exists());

    fs::create_dir(at("full")).unwrap();
    fs::write(folder.path().join("full/mine.txt"), "mine").unwrap();
    assert_not_written(&[&at("full"), "--lang", "rust"], &["is not empty", "mine.txt"]);
    assert_eq!(fs::read_dir(at("full")).unwrap().count(), 1);
    assert_not_written(&[&at("full/mine.txt"), "--lang", "rust"], &["mine.txt"]);

    fs::create_dir(at("empty")).unwrap();
    let ran = cli::run(PROGRAM, &["new", &at("empty"), "--lang", "rust"]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for word in ["src/lib.rs", "wit/world.wit", "fixtures", "taskcell build"] {
        assert!(ran.stdout.contains(word), "no {word} in {ran:?}");
    }
}

#[test]
fn a_folder_of_no_language_is_refused_with_what_each_is_known_by() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_str().unwrap();
    for (arguments, words) in [
        (["build", at], ["Rust by a Cargo.toml", "C by a Makefile"]),
        (["build", "no/such/folder"], ["no/such/folder", ""]),
    ] {
        let ran = cli::run(PROGRAM, &arguments).unwrap();
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "no {word} in {ran:?}");
        }
    }
}

/// With nothing on the search path, each language says what it needs and the command that installs it.
#[test]
fn a_missing_tool_is_named_with_how_to_install_it() {
    let empty = tempfile::tempdir().unwrap();
    let zig = "zig 0.17 or newer (there is no `zig`)";
    let install = "python3 -m venv .venv && .venv/bin/pip install ziglang";
    for (language, words) in [
        ("rust", ["Rust 1.85 or newer", "no `cargo`", "https://rustup.rs", "", ""]),
        (
            "c",
            [
                "make (there is no `make`) and clang 19 with WASI's C library (there is no `clang-19`) or ",
                zig,
                "apt-get install make; ",
                "apt-get install clang-19 lld-19 wasi-libc",
                install,
            ],
        ),
        (
            "cpp",
            [
                "make (there is no `make`) and clang++ 19 with WASI's C++ library (there is no `clang++-19`) or ",
                zig,
                "apt-get install make; ",
                "libc++-19-dev-wasm32",
                install,
            ],
        ),
    ] {
        let refusal = Project::new(language, "sampling").refusal_with(|command| _ = command.env("PATH", empty.path()));
        for word in words {
            assert!(refusal.contains(word), "{language}: no {word} in {refusal}");
        }
        assert_eq!(refusal.matches("zig 0.17").count(), usize::from(language != "rust"), "{refusal}");
    }
}

/// Programs that say what they are told to, and nothing else on the search path.
fn stand_ins(programs: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (program, says) in programs {
        let path = folder.path().join(program);
        fs::write(&path, format!("#!/bin/sh\necho {says}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// A compiler that is there and will not do is told apart from one that is not there.
#[test]
fn each_compiler_that_will_not_do_has_its_own_reason() {
    let no_library =
        "clang 19 with WASI's C library (`clang-19 --target=wasm32-wasi -print-file-name=libc.a` says \"libc.a\")";
    let table: [(&[(&str, &str)], &str); 2] = [
        (&[("clang-19", "libc.a")], "zig 0.17 or newer (there is no `zig`)"),
        (&[("clang-19", "libc.a"), ("zig", "0.11.0")], "zig 0.17 or newer (`zig version` says \"0.11.0\")"),
    ];
    for (programs, zig) in table {
        let tools = stand_ins(&[&[("make", "GNU Make")], programs].concat());
        let refusal = Project::new("c", "sampling").refusal_with(|command| _ = command.env("PATH", tools.path()));
        let expected = format!("a handler in C is built with {no_library} or {zig}; install what is missing: ");
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
}

/// Clang is taken where its library is, as before there was a choice; zig wherever it is; what the author names above
/// both.
#[test]
fn the_compiler_is_the_named_one_then_clang_then_zig() {
    let library = tempfile::NamedTempFile::new().unwrap();
    let library = library.path().to_str().unwrap();
    let (clang, zig) = (("clang-19", library), ("zig", "0.17.1"));
    type Row<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, &'a str);
    let table: [Row<'_>; 6] = [
        (&[clang], None, ""),
        (&[clang, zig], None, ""),
        (&[zig], None, "zig cc"),
        (&[("clang-19", "libc.a"), zig], None, "zig cc"),
        (&[("python-zig", "0.18.0")], None, "python-zig cc"),
        (&[zig], Some("no-such-compiler"), "no-such-compiler"),
    ];
    for (programs, named, expected) in table {
        let tools = stand_ins(programs);
        // In the place of make: makes what the Makefile would, with the name of the compiler in it.
        let make = "#!/bin/sh\n[ \"$1\" ] || { /bin/mkdir -p build; echo \"$CLANG\" > build/handler.wasm; }\n";
        fs::write(tools.path().join("make"), make).unwrap();
        fs::set_permissions(tools.path().join("make"), fs::Permissions::from_mode(0o755)).unwrap();
        let project = Project::new("c", "sampling");
        project.refusal_with(|command| {
            command.env("PATH", tools.path()).env_remove("CLANG");
            command.envs(named.map(|named| ("CLANG", named)));
        });
        let made = fs::read_to_string(project.path("build/handler.wasm")).unwrap();
        assert_eq!(made.trim(), expected, "{programs:?}");
    }
}

/// Zig is found in the project's own environment, in one that is active, and on the machine: a real build by each.
#[test]
fn zig_builds_wherever_it_is() {
    if language_skipped("c", "new::zig_builds_wherever_it_is") {
        return;
    }
    let variables = c_variables().unwrap();
    let path = variables.iter().find(|(name, _)| *name == "PATH").unwrap().1.clone();
    let program = |name: &str| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    for place in ["bin/zig", "bin/python-zig", "project/.venv/bin/python-zig"] {
        let project = Project::new("c", "sampling");
        let parent = project.folder.parent().unwrap();
        for (name, at) in [("make", "bin/make"), ("python-zig", place)] {
            let at = parent.join(at);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(program(name).unwrap(), at).unwrap();
        }
        let built = project.build_with(|command| {
            command.envs(variables.clone()).env("PATH", parent.join("bin"));
            command.env_remove("CLANG").env_remove("CLANGXX");
        });
        assert_eq!(built.code, Some(0), "{place}: {built:?}");
    }
}

/// The component keeps the names of functions and no other debug information, whichever compiler made it.
#[test]
fn backtraces_of_c_have_the_names_of_functions() {
    for (language, code) in [("c", "handler.c"), ("cpp", "handler.cpp")] {
        if language_skipped(language, "new::backtraces_of_c_have_the_names_of_functions") {
            continue;
        }
        let project = Project::new(language, "roots");
        let text = fs::read_to_string(project.path(code)).unwrap();
        let handle = text.find("exports_taskcell_handlers_roots_handle(").unwrap();
        let body = handle + text[handle..].find('{').unwrap() + 1;
        fs::write(project.path(code), format!("{}\n    __builtin_trap();{}", &text[..body], &text[body..])).unwrap();
        project.build();
        let component = project.path("build/handler.wasm");
        let bytes = fs::read(&component).unwrap();
        assert!(!bytes.windows(11).any(|part| part == b".debug_info"), "{language}: {} bytes", bytes.len());
        let ran = cli::run(PROGRAM, &["-vv", "call", "--handler", component.to_str().unwrap(), "roots/list"]).unwrap();
        assert!(ran.stderr.contains("exports_taskcell_handlers_roots_handle"), "{language}: {ran:?}");
    }
}

#[test]
fn what_is_wrong_in_a_rust_project_is_said() {
    if language_skipped("rust", "new::what_is_wrong_in_a_rust_project_is_said") {
        return;
    }
    let _cargo = with_cargo();
    let project = Project::new("rust", "roots");
    project.change("src/lib.rs", "vec![root]", "vec![rooot]");
    assert!(project.refusal().contains("what it says is wrong stands above"));
    assert!(project.build().stderr.contains("rooot"), "the compiler's own words are shown");

    project.change("src/lib.rs", "vec![rooot]", "vec![root]");
    project.change("Cargo.toml", "crate-type = [\"cdylib\"]", "");
    let refusal = project.refusal();
    assert!(refusal.contains("made no .wasm") && refusal.contains("cdylib"), "{refusal}");
}

/// A copy of the protocol that was changed: the component does not load, and the files are named.
#[test]
fn wit_that_is_not_the_hosts_is_named_by_its_files() {
    if language_skipped("rust", "new::wit_that_is_not_the_hosts_is_named_by_its_files") {
        return;
    }
    let _cargo = with_cargo();
    let project = Project::new("rust", "roots");
    let wit = "wit/deps/taskcell-handlers/types.wit";
    project.change(wit, "    record root {\n", "    record root {\n        color: u32,\n");
    project.change("src/lib.rs", "meta: None };", "meta: None, color: 7 };");
    let refusal = project.refusal();
    assert!(refusal.contains("taskcell-handlers/types.wit") && refusal.contains("roots"), "{refusal}");
}

/// A component with no kind is no handler, however well it was built.
#[test]
fn a_component_that_answers_nothing_is_refused() {
    if language_skipped("c", "new::a_component_that_answers_nothing_is_refused") {
        return;
    }
    let project = Project::new("c", "roots");
    project.change("wit/world.wit", "    export taskcell:handlers/roots@0.1.0;\n", "    export nothing: func();\n");
    fs::write(project.path("handler.c"), "#include \"handler.h\"\nvoid exports_handler_nothing(void) {}\n").unwrap();
    let refusal = project.refusal();
    assert!(refusal.contains("answers nothing") && refusal.contains("wit/world.wit"), "{refusal}");
}

#[test]
fn the_tools_that_build_files_call_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("wrong.wit"), "package a:b;\nworld w { import c; }\n").unwrap();
    fs::write(at("core.wasm"), "no module").unwrap();
    let (wrong, core, out) = (at("wrong.wit"), at("core.wasm"), at("out"));
    for (arguments, words) in [
        (vec!["wit-bindgen", "c", "no/such.wit"], ["no/such.wit", ""]),
        (vec!["wit-bindgen", "c", &wrong, "--out-dir", &out], ["wrong.wit", "c"]),
        (vec!["component-new", "no/such.wasm", "-o", &out], ["no/such.wasm", ""]),
        (vec!["component-new", &core, "-o", &out], ["core.wasm", ""]),
    ] {
        let ran = cli::run(PROGRAM, &[&["tool"], arguments.as_slice()].concat()).unwrap();
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "no {word} in {ran:?}");
        }
    }
    assert!(!Path::new(&out).exists());
}

/// The roots of the example are those of its setting.
#[test]
fn the_example_roots_answers_its_setting() {
    if language_skipped("c", "new::the_example_roots_answers_its_setting") {
        return;
    }
    let component = taskcell_test_support::built_examples::build_project("roots", c_variables().unwrap()).unwrap();
    let roots = |setting: &str| -> Value {
        let setting = format!("roots={setting}");
        let arguments = ["call", "--handler", component.to_str().unwrap(), "--set", &setting, "roots/list"];
        let answer = cli::run(PROGRAM, &arguments).unwrap().json().unwrap();
        answer.get("result").or(answer.get("error")).unwrap().clone()
    };
    let two = "file:///home/ada/project My  project\r\n\n \t \nfile:///tmp/%C3%A9\t \n";
    assert_eq!(
        roots(two),
        json!({ "roots": [{ "uri": "file:///home/ada/project", "name": "My  project" }, { "uri": "file:///tmp/%C3%A9" }] })
    );
    assert_eq!(roots("file:///a \u{e9}"), json!({ "roots": [{ "uri": "file:///a", "name": "\u{e9}" }] }));
    assert_eq!(roots(""), json!({ "roots": [] }));
    assert_eq!(roots("http://a")["data"]["kind"], "invalid_answer");
}
