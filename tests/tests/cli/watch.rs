//! Handlers that are replaced when their files are: in the library, and in the program.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::fs::{CWD, Mode, RenameFlags};
use serde_json::{Value, json};
use taskcell::kinds::Kind;
use taskcell::session::Event;
use taskcell::watch::FileWatch;
use taskcell::{Engine, Grants, Handler, HandlerRegistry, Handlers, Session};
use taskcell_test_support::cli;
use taskcell_test_support::component_digests::numbered_component;
use taskcell_test_support::compose;
use taskcell_test_support::conversation::{prompt, request, soon, start};
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{cells, engine};
use taskcell_test_support::provision::repository;
use taskcell_test_support::server::options;
use tempfile::TempDir;
use tokio::sync::mpsc as queue;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SERVER: &str = env!("CARGO_BIN_EXE_fake-server");

/// What may stand at a path.
#[derive(Debug, Clone, Copy)]
enum Put {
    /// A component, written to a file beside it that takes its place.
    Renamed(i32),
    /// A component, written into the file.
    Written(i32),
    /// The first half of one.
    Half(i32),
    /// What is no component.
    Text(&'static str),
    /// A component with fewer kinds: none.
    Kindless,
    Nothing,
    Folder,
    Fifo,
    /// A link to a file with a component.
    Link(i32),
    /// A link to itself.
    Loop,
    /// All of the folder is another, with a component in it.
    OtherFolder(i32),
}

impl Put {
    /// In one step, so that nothing else is ever there; but for what is written into the file.
    fn put(self, file: &Path) {
        let folder = file.parent().unwrap();
        let component = |number| numbered_component(number).unwrap();
        let partial = folder.join("partial");
        match self {
            Self::Renamed(number) => fs::write(&partial, component(number)).unwrap(),
            Self::Written(number) => return fs::write(file, component(number)).unwrap(),
            Self::Half(number) => {
                let whole = component(number);
                fs::write(&partial, &whole[..whole.len() / 2]).unwrap();
            }
            Self::Text(text) => fs::write(&partial, text).unwrap(),
            Self::Kindless => fs::write(&partial, compose::component(&[], &[]).unwrap()).unwrap(),
            Self::Nothing => {
                let _ = fs::remove_file(file);
                return;
            }
            Self::Folder => fs::create_dir(&partial).unwrap(),
            Self::Fifo => rustix::fs::mkfifoat(CWD, &partial, Mode::RUSR).unwrap(),
            Self::Link(number) => {
                let elsewhere = folder.join("elsewhere");
                fs::create_dir_all(&elsewhere).unwrap();
                fs::write(elsewhere.join("target"), component(number)).unwrap();
                symlink(elsewhere.join("target"), &partial).unwrap();
            }
            Self::Loop => symlink(file, &partial).unwrap(),
            Self::OtherFolder(number) => {
                let other = folder.with_extension("other");
                fs::create_dir(&other).unwrap();
                fs::write(other.join(file.file_name().unwrap()), component(number)).unwrap();
                rustix::fs::renameat_with(CWD, &other, CWD, folder, RenameFlags::EXCHANGE).unwrap();
                return fs::remove_dir_all(other).unwrap();
            }
        }
        if fs::symlink_metadata(file).is_err() {
            return fs::rename(partial, file).unwrap();
        }
        rustix::fs::renameat_with(CWD, &partial, CWD, file, RenameFlags::EXCHANGE).unwrap();
        fs::remove_file(&partial).or_else(|_| fs::remove_dir(&partial)).unwrap();
    }
}

/// A folder with a component in it.
fn place(number: i32) -> (TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("handlers");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("handler.wasm");
    fs::write(&file, numbered_component(number).unwrap()).unwrap();
    (outer, file)
}

/// Handlers whose file is watched; what comes of that.
struct Watched {
    handlers: HandlerRegistry,
    session: Session,
    told: queue::UnboundedReceiver<String>,
    watching: tokio::task::JoinHandle<std::convert::Infallible>,
}

impl Watched {
    async fn new(engine: &Engine, file: &Path) -> Self {
        let handler = Handler::from_file(engine, file, Grants::default()).await.unwrap();
        let handlers = HandlerRegistry::new(Handlers::new([handler]).unwrap());
        let (tell, told) = queue::unbounded_channel();
        let mut options = options();
        options.observer = Some(Arc::new(move |event| {
            let _ = match event {
                Event::Replaced(_) => tell.send("replaced".to_owned()),
                Event::NotReplaced { error, .. } => tell.send(error.kind().to_owned()),
                _ => Ok(()),
            };
        }));
        let (session, _) = Session::new(handlers.clone(), options);
        let watching = tokio::spawn({
            let handlers = handlers.clone();
            async move { handlers.watch().await }
        });
        Self { handlers, session, told, watching }
    }

    async fn told(&mut self) -> String {
        soon(self.told.recv()).await.unwrap().unwrap()
    }

    async fn number(&self) -> Option<i64> {
        let answer =
            soon(self.session.answer(br#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#)).await.unwrap().unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()["error"]["code"].as_i64()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// Whatever stands in the file's place: a component serves, and of what is none the reason is told, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_the_file_serves() {
    #[rustfmt::skip]
    let steps: [(Put, &str, i64); 20] = [
        (Put::Renamed(2),          "replaced",          2),
        (Put::Written(3),          "replaced",          3),
        (Put::Text("#!/bin/sh\n"), "not_a_component",   3),
        (Put::Text("something"),   "not_a_component",   3),
        (Put::Half(4),             "invalid_component", 3),
        (Put::Written(4),          "replaced",          4),
        (Put::Nothing,             "read",              4),
        (Put::Renamed(5),          "replaced",          5),
        (Put::Folder,              "read",              5),
        (Put::Renamed(6),          "replaced",          6),
        (Put::Fifo,                "read",              6),
        (Put::Renamed(7),          "replaced",          7),
        (Put::Loop,                "read",              7),
        (Put::Link(8),             "replaced",          8),
        (Put::Renamed(9),          "replaced",          9),
        (Put::Text(""),            "not_a_component",   9),
        (Put::OtherFolder(10),     "replaced",          10),
        (Put::Kindless,            "replaced",          -32600),
        (Put::OtherFolder(11),     "replaced",          11),
        (Put::Renamed(12),         "replaced",          12),
    ];
    let engine = engine(cells(4)).unwrap();
    let (_outer, file) = place(1);
    let mut watched = Watched::new(&engine, &file).await;
    for (put, told, number) in steps {
        put.put(&file);
        assert_eq!(watched.told().await, told, "{put:?}");
        assert_eq!(watched.number().await, Some(number), "{put:?}");
    }
    // Nothing more is said: the states before had one line each.
    assert!(watched.told.try_recv().is_err());
}

/// What is behind a link may change in place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_followed() {
    let engine = engine(cells(4)).unwrap();
    let (outer, file) = place(1);
    let target = outer.path().join("target.wasm");
    fs::rename(&file, &target).unwrap();
    symlink(&target, &file).unwrap();
    let mut watched = Watched::new(&engine, &file).await;
    for (number, put) in [(2, Put::Written(2)), (3, Put::Renamed(3))] {
        put.put(&target);
        assert_eq!((watched.told().await, watched.number().await), ("replaced".to_owned(), Some(number)));
    }
}

/// A file that is swapped back and forth, as fast as can be: no crash, no hang, and in the end the last one serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_many_serves() {
    const SWAPS: i32 = 200;

    let engine = engine(cells(4)).unwrap();
    let (_outer, file) = place(0);
    let watched = Watched::new(&engine, &file).await;
    let swapping = file.clone();
    tokio::task::spawn_blocking(move || {
        for swap in 1..=SWAPS {
            let put = match swap % 4 {
                0 => Put::Text("broken"),
                1 => Put::Nothing,
                2 => Put::Written(swap % 5),
                _ => Put::Renamed(swap % 3),
            };
            put.put(&swapping);
        }
        Put::Renamed(77).put(&swapping);
    })
    .await
    .unwrap();
    soon(async {
        while watched.number().await != Some(77) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert!(!watched.watching.is_finished());
}

/// A component for which there was no cell to check it in is not forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_host_replaces_it_later() {
    let engine = engine(cells(1)).unwrap();
    let (_outer, file) = place(1);
    let mut watched = Watched::new(&engine, &file).await;
    let reuse = build_guest(&repository().join("tests/guests/reuse")).unwrap();
    let busy = Handler::from_file(&engine, &reuse, Grants::default()).await.unwrap();
    let busy = Session::new(Handlers::new([busy]).unwrap(), options()).0;
    let message = request(1, "sampling/createMessage", &prompt("wait")).to_string();
    {
        let mut waiting = pin!(busy.answer(message.as_bytes()));
        assert!(start(waiting.as_mut()).await.is_pending(), "it has the only cell");
        let mut changes = FileWatch::new([file.clone()]);
        soon(changes.changed()).await.unwrap();
        Put::Renamed(2).put(&file);
        // By now the other one has seen it, too, or is about to.
        soon(changes.changed()).await.unwrap();
        assert!(watched.told.try_recv().is_err());
    }
    assert_eq!((watched.told().await, watched.number().await), ("replaced".to_owned(), Some(2)));
}

/// A broken file that is written again as it was is not told again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_told_once() {
    let engine = engine(cells(4)).unwrap();
    let (_outer, file) = place(1);
    let mut watched = Watched::new(&engine, &file).await;
    let mut changes = FileWatch::new([file.clone()]);
    soon(changes.changed()).await.unwrap();
    Put::Text("broken").put(&file);
    assert_eq!(watched.told().await, "not_a_component");
    soon(changes.changed()).await.unwrap();
    for _ in 0..3 {
        Put::Text("broken").put(&file);
        soon(changes.changed()).await.unwrap();
    }
    Put::Renamed(2).put(&file);
    assert_eq!(watched.told().await, "replaced");
}

/// The component that was replaced is not kept by whoever watches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_keeps_nothing() {
    let engine = engine(cells(4)).unwrap();
    let (_outer, file) = place(1);
    let mut watched = Watched::new(&engine, &file).await;
    let old = Arc::downgrade(watched.handlers.current().get(Kind::Roots).unwrap());
    Put::Renamed(2).put(&file);
    assert_eq!(watched.told().await, "replaced");
    soon(async {
        while old.upgrade().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

/// Each file counts as changed once at first, and those that nobody changed are not given again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_given_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, never] = ["one", "other", "never"].map(|name| folder.path().join(name));
    fs::write(&one, "1").unwrap();
    let mut files = FileWatch::new([one.clone(), other.clone(), never.clone()]);
    for file in [&one, &other, &never] {
        assert_eq!(soon(files.changed()).await.unwrap(), *file);
    }
    fs::write(&other, "1").unwrap();
    assert_eq!(soon(files.changed()).await.unwrap(), other);
    fs::write(folder.path().join("of nobody"), "1").unwrap();
    // The same bytes written again may be others.
    fs::write(&one, "1").unwrap();
    assert_eq!(soon(files.changed()).await.unwrap(), one);
    fs::remove_file(&one).unwrap();
    assert_eq!(soon(files.changed()).await.unwrap(), one);
}

// ---- The program ----

/// A program that runs, and its lines.
struct Running {
    program: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    fn start<A: AsRef<OsStr>>(arguments: &[A]) -> Self {
        let mut program = cli::command(PROGRAM);
        let mut program = program.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = mpsc::channel();
        let stderr = BufReader::new(program.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { program, lines, seen: Vec::new() }
    }

    /// Waits for a line that has all of these.
    fn until(&mut self, words: &[&str]) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|_| panic!("no line with {words:?}: {:#?}", self.seen));
            self.seen.push(line.clone());
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    /// The exit code and what was printed.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut printed = String::new();
        self.program.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        self.seen.extend(self.lines.iter());
        (self.program.wait().unwrap().code(), printed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// `run --watch` with a server that asks all the time: a broken file is said once and changes nothing, another
/// component takes over, and the server is told of other roots.
#[test]
fn the_program_replaces_a_handler_while_it_runs() {
    let (_outer, file) = place(1);
    let arguments = json!({ "until": 2, "changed": 1 }).to_string();
    let path = file.to_str().unwrap();
    let mut running = Running::start(&[
        "run",
        "--watch",
        "--handler",
        path,
        "--tool",
        "ask-roots",
        "--args",
        &arguments,
        "--",
        SERVER,
        "good",
    ]);
    running.until(&["declared", r#"{"roots":{"listChanged":true}}"#]);
    running.until(&["server asked roots/list", ": 1 1"]);
    Put::Text("broken").put(&file);
    running.until(&["WARN", path, "is not a WebAssembly component"]);
    running.until(&["server asked roots/list", ": 1 1"]);
    Put::Renamed(2).put(&file);
    running.until(&["replaced", path, " -> "]);
    let (code, printed) = running.end();
    assert_eq!(code, Some(0), "{printed} {:#?}", running.seen);
    assert_eq!(printed.trim(), "[1,2]");
    assert_eq!(running.seen.iter().filter(|line| line.contains("WARN")).count(), 1, "{:#?}", running.seen);
}

/// The configuration has it, too; what it pins stays, whatever the file is.
#[test]
fn the_program_keeps_to_what_is_pinned() {
    let (outer, file) = place(1);
    let inspected = cli::run(PROGRAM, &["inspect", "--json", file.to_str().unwrap()]).unwrap().json().unwrap();
    let pinned = inspected["sha256"].as_str().unwrap();
    let config = outer.path().join("taskcell.toml");
    fs::write(&config, format!("watch = true\n[[handler]]\npath = \"handlers/handler.wasm\"\nsha256 = \"{pinned}\"\n"))
        .unwrap();
    let arguments = json!({ "until": 2 }).to_string();
    let config = config.to_str().unwrap();
    let mut running =
        Running::start(&["run", "--config", config, "--tool", "ask-roots", "--args", &arguments, "--", SERVER, "good"]);
    running.until(&["server asked roots/list", ": 1 1"]);
    Put::Renamed(2).put(&file);
    running.until(&["WARN", "is another component: its sha256 is", &format!("pinned is {pinned}")]);
    running.until(&["server asked roots/list", ": 1 1"]);
}

/// Without `--watch` nothing is watched, and with nothing to watch it is refused.
#[test]
fn the_program_watches_what_it_is_told_to() {
    let ran = cli::run(PROGRAM, &["run", "--watch", "--", SERVER, "good"]).unwrap();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("no file to watch"), "{ran:?}");

    let (outer, file) = place(2);
    let config = outer.path().join("taskcell.toml");
    fs::write(&config, "watch = true").unwrap();
    let (config, path) = (config.to_str().unwrap(), file.to_str().unwrap());
    let arguments = json!({ "until": 2 }).to_string();
    let asks = ["--handler", path, "--tool", "ask-roots", "--args", &arguments, "--", SERVER, "good"];
    for (options, declared) in [
        (vec!["run"], r#"{"roots":{}}"#),
        (vec!["run", "--config", config], r#"{"roots":{"listChanged":true}}"#),
        (vec!["run", "--config", config, "--watch=false"], r#"{"roots":{}}"#),
    ] {
        let ran = cli::run(PROGRAM, &[&options[..], &asks].concat()).unwrap();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains(&format!("declared     {declared}\n")), "{ran:?}");
    }
}
