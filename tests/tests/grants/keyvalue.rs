//! The grant `keyvalue`: what a handler keeps, what it may not, and what outlives it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::grants::{KeyValue, KeyValueError, MemoryKeyValue, Quota, SqliteKeyValue};
use taskcell::{Grants, Handler, Handlers, Session, SessionOptions};
use taskcell_test_support::cli::{self, Ran};
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{cells, engine};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

fn http_and_keyvalue() -> PathBuf {
    build_guest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/http_and_keyvalue")).unwrap()
}

fn quota(bytes: u64, keys: u64) -> Quota {
    let mut quota = Quota::default();
    (quota.bytes, quota.keys) = (bytes, keys);
    quota
}

/// A message with these steps.
fn steps(script: &str) -> Value {
    let content = json!({ "type": "text", "text": script });
    json!({ "messages": [{ "role": "user", "content": content }], "maxTokens": 1 })
}

fn told(answer: &Value) -> Vec<String> {
    let text = answer["result"]["content"]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    text.split('\n').map(str::to_owned).collect()
}

/// A handler over a store, in a session.
async fn session(store: Arc<dyn KeyValue>) -> Session {
    let mut grants = Grants::default();
    grants.keyvalue = Some(store);
    grants.http = Some(taskcell::grants::Http::new([], Default::default()));
    let handler = Handler::from_file(&engine(cells(20)).unwrap(), &http_and_keyvalue(), grants).await.unwrap();
    let server = serde_json::from_value(json!({ "name": "test", "version": "1" })).unwrap();
    Session::new(Handlers::new([handler]).unwrap(), SessionOptions::new(server)).0
}

async fn run(session: &Session, script: &str) -> Vec<String> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": steps(script) });
    told(&serde_json::from_slice(&session.answer(request.to_string().as_bytes()).await.unwrap()).unwrap())
}

async fn stores(folder: &TempDir, quota: Quota) -> Vec<Arc<dyn KeyValue>> {
    let file = SqliteKeyValue::open(&folder.path().join("kv.db"), "one", quota.clone()).await.unwrap();
    vec![Arc::new(MemoryKeyValue::new(quota)), Arc::new(file)]
}

/// Each operation, in either store, from a cell that knows nothing of the one before.
#[tokio::test]
async fn what_is_set_is_there_for_the_next_cell() {
    let folder = tempfile::tempdir().unwrap();
    for store in stores(&folder, Quota::default()).await {
        let session = session(store).await;
        let table = [
            ("get a\nexists a\nlist", "none|false|"),
            ("set a 1\nset b 2\nget a", "done|done|1"),
            ("get a\nexists b\nlist", "1|true|a b"),
            ("open other\nget a\nset a x\nlist", "done|none|done|a"),
            ("get a\nset a 3\nget a\nlist", "1|done|3|a b"),
            ("delete a\ndelete a\nget a\nlist", "done|done|none|b"),
            ("add n 5\nadd n 7\nget n\nadd b 1", "5|12|12|3"),
            (
                "set t text\nadd t 1\nset s +1\nadd s 1\nadd n 18446744073709551615\nget n",
                "done|refused: the value is no whole number below 2^64, or would not be one any more|done|refused: the value is \
                 no whole number below 2^64, or would not be one any more|refused: the value is no whole number below 2^64, or \
                 would not be one any more|12",
            ),
            ("set-many p=1 q=2\nget-many q x p\ndelete-many p x\nexists p", "done|q=2 none p=1|done|false"),
            ("open other\nget a", "done|x"),
        ];
        for (script, expected) in table {
            assert_eq!(run(&session, script).await.join("|"), expected, "{script}");
        }
        // More keys than a page holds, each once.
        assert_eq!(run(&session, "open many\ndrip 700 1").await[1], "700 set");
        let listed = run(&session, "open many\nlist").await[1].clone();
        let expected: Vec<_> = (0..700).map(|index| format!("drip-{index}")).collect();
        assert_eq!(listed, expected.join(" "));
    }
}

/// Each bound, hit at once and drip by drip: the words, and nothing lost, nothing half written.
#[tokio::test]
async fn a_quota_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    for store in stores(&folder, quota(4_000, 10)).await {
        let session = session(Arc::clone(&store)).await;
        let table = [
            (
                "fill a 3000\nfill b 3000\nexists b",
                "done|refused: the quota is 4000 bytes for keys and values, this would make it 6002|false",
            ),
            (
                "fill a 5000\nget-often a 1",
                "refused: the quota is 4000 bytes for keys and values, this would make it 5001|1",
            ),
            // Room that is given back is there again.
            (
                "delete a\nfill b 3999\nfill b 4000",
                "done|done|refused: the quota is 4000 bytes for keys and values, this would make it 4001",
            ),
            ("delete b\ndrip 100 300", "done|10 set, then refused: the quota is 10 keys, this would make it 11"),
            ("set drip-0 small\nset more x", "done|refused: the quota is 10 keys, this would make it 11"),
            (
                "set-many new=1\nadd new 1\nopen other\nset x y",
                "refused: the quota is 10 keys, this would make it 11|refused: the quota is 10 keys, this would make it 11|done|refused: the quota is 10 keys, this would make it 11",
            ),
            ("get-often drip-1 11", "refused: the quota is 10 keys in one call, this would make it 11"),
            ("fill big 300000", "refused: the quota is 262144 bytes for a value, this would make it 300000"),
        ];
        for (script, expected) in table {
            assert_eq!(run(&session, script).await.join("|"), expected, "{script}");
        }
        let long = "k".repeat(1025);
        let expected = "refused: the quota is 1024 bytes for a key, this would make it 1025";
        let script = format!("set {long} x\nadd {long} 1\nget {long}\nexists {long}");
        assert_eq!(run(&session, &script).await, [expected, expected, "none", "false"]);
        let expected = "refused: the quota is 1024 bytes for the name of a bucket, this would make it 1025";
        assert_eq!(run(&session, &format!("open {long}")).await, [expected]);
        // What is there is what was set.
        let expected: Vec<_> = (0..10).map(|index| format!("drip-{index}")).collect();
        assert_eq!(run(&session, "list\nget drip-0").await, [expected.join(" "), "small".to_owned()]);
        assert_eq!(store.get("", "drip-9").await.unwrap().map(|value| value.len()), Some(300));
    }
}

/// One answer is bounded, however often a key is asked for.
#[tokio::test]
async fn one_answer_is_bounded() {
    let session = session(Arc::new(MemoryKeyValue::new(Quota::default()))).await;
    let expected = "refused: the quota is 4194304 bytes in one answer of get-many, this would make it";
    let told = run(&session, "fill a 200000\nget-often a 20\nget-often a 21").await;
    assert_eq!(&told[..2], ["done", "20"]);
    assert!(told[2].starts_with(expected), "{told:?}");
}

/// Two cells at once, two openings of one file: no addition is lost, and no quota exceeded together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cells_do_not_undo_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kv.db");
    let open = || SqliteKeyValue::open(&file, "one", quota(1 << 20, 20));
    let one = session(Arc::new(open().await.unwrap())).await;
    let two = session(Arc::new(open().await.unwrap())).await;
    let script = vec!["add n 1"; 25].join("\n");
    let told = tokio::join!(run(&one, &script), run(&one, &script), run(&two, &script), run(&two, &script));
    let told = [told.0, told.1, told.2, told.3].concat();
    let mut sums: Vec<u64> = told.iter().map(|sum| sum.parse().unwrap_or_else(|_| panic!("{sum}"))).collect();
    sums.sort_unstable();
    assert_eq!(sums, (1..=100).collect::<Vec<_>>());
    tokio::join!(run(&one, "open a\ndrip 40 1"), run(&two, "open b\ndrip 40 1"));
    let store = SqliteKeyValue::open(&file, "one", Quota::default()).await.unwrap();
    let mut keys = 0;
    for bucket in ["", "a", "b"] {
        keys += store.list_keys(bucket, 0, 1_000).await.unwrap().len();
    }
    assert_eq!(keys, 20);
}

/// What another handler keeps in the same file is not there, whatever the guest says, and a quota that was lowered can
/// be come down to.
#[tokio::test]
async fn each_handler_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kv.db");
    let open = async |name, quota| SqliteKeyValue::open(&file, name, quota).await.unwrap();
    let one = session(Arc::new(open("one", Quota::default()).await)).await;
    let two = session(Arc::new(open("two", Quota::default()).await)).await;
    assert_eq!(run(&one, "set a 1\nset b 2\nopen two\nset c 3").await.join("|"), "done|done|done|done");
    for bucket in ["", "one", "two", "*", "%", "../one", "one/"] {
        assert_eq!(
            run(&two, &format!("open {bucket}\nget a\nget c\nlist")).await.join("|"),
            "done|none|none|",
            "{bucket}"
        );
    }
    // Places in a list say nothing of others, either.
    run(&two, "set mine 1").await;
    let store = open("two", quota(1, 1)).await;
    assert_eq!(store.list_keys("", 0, 10).await.unwrap()[0].place, 1);
    store.set("", "mine", b"".to_vec()).await.unwrap();
    assert!(matches!(store.set("", "mine", b"22".to_vec()).await, Err(KeyValueError::Quota(_))));
}

/// A file that is something else is refused and stays as it is.
#[tokio::test]
async fn another_file_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "this is a text, and more than the hundred bytes that SQLite looks at first. ".repeat(9))
        .unwrap();
    let tasks = folder.path().join("tasks.db");
    taskcell::tasks::SqliteStore::open(&tasks).await.unwrap().close().await;
    for (file, why) in
        [(&text, "no SQLite database"), (&tasks, "another program"), (&folder.path().to_owned(), "no file")]
    {
        let before = std::fs::read(file).ok();
        let error = SqliteKeyValue::open(file, "one", Quota::default()).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(std::fs::read(file).ok(), before);
    }
}

fn configuration(table: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taskcell.toml");
    let text = format!(
        "[[handler]]\npath = '{}'\n[handler.http]\nallow = []\n[handler.keyvalue]\n{table}",
        http_and_keyvalue().display()
    );
    std::fs::write(&file, text).unwrap();
    (folder, file.to_str().unwrap().to_owned())
}

fn program(arguments: &[&str]) -> Ran {
    cli::run(PROGRAM, arguments).unwrap()
}

/// The operator fills what the handler reads, and sees what it keeps; a restart changes nothing.
#[test]
fn the_operator_sees_and_fills_it() {
    let (folder, config) = configuration("file = 'profile.db'\nquota = '1KiB'\nkeys = 3");
    let keyvalue = |arguments: &[&str]| program(&[&["keyvalue"], arguments, &["--config", &config]].concat());
    let call = |script: &str| {
        let ran = program(&["call", "--config", &config, "sampling/createMessage", &steps(script).to_string()]);
        (told(&ran.json().unwrap()).join("|"), ran.stderr)
    };
    assert_eq!(keyvalue(&["list"]).stdout, "no keys\n");
    assert_eq!(keyvalue(&["set", "name", "Ada"]).stdout, "set\n");
    assert!(folder.path().join("profile.db").exists());
    assert_eq!(call("get name\nset \u{1b}[2J x\nopen b\nset k v").0, "Ada|done|done|done");
    assert_eq!(keyvalue(&["list"]).stdout, "name\n\u{fffd}[2J\nk (bucket b)\n");
    assert_eq!(keyvalue(&["get", "k", "--bucket", "b"]).stdout, "v\n");
    assert_eq!(keyvalue(&["list", "--json"]).json().unwrap()["keys"][2], json!({ "bucket": "b", "key": "k" }));
    // A value of bytes, from a file.
    let file = folder.path().join("bytes");
    std::fs::write(&file, [0xff, 0x1b]).unwrap();
    assert_eq!(keyvalue(&["set", "name", &format!("@{}", file.display())]).code, Some(0));
    assert!(keyvalue(&["get", "name"]).stdout.starts_with("2 bytes that are no text"));
    assert_eq!(keyvalue(&["get", "name", "--json"]).json().unwrap(), json!({ "key": "name", "bytes": 2 }));
    // The quota is for the operator, too, and what is not there is a result.
    for (arguments, words) in [
        (&["set", "fourth", "x"] as &[_], "the quota of the handler is 3 keys"),
        (&["get", "nobody"], "there is no key"),
        (&["delete", "nobody"], "there is no key"),
    ] {
        let ran = keyvalue(arguments);
        assert!(ran.code == Some(1) && ran.stdout.contains(words), "{ran:?}");
    }
    assert_eq!(keyvalue(&["delete", "name"]).stdout, "removed\n");
    let (told, log) = call("get name\nfill a 2000");
    assert_eq!(told, "none|refused: the quota is 1024 bytes for keys and values, this would make it 2009");
    let line = log.lines().find(|line| line.contains("error.type=\"keyvalue\"")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("current=2009") && line.contains("limit=1024"), "{line}");
    let ran = program(&["inspect", "--config", &config]);
    let file = folder.path().join("profile.db");
    for words in
        [&format!("grant keyvalue granted: {config}:5:1"), &format!("{}\n", file.display()), &"file://".to_owned()]
    {
        assert!(ran.stdout.contains(words.as_str()), "{words} is not in {ran:?}");
    }
}

/// Where no file is named it is one of the user's, and the name stays with the handler.
#[test]
fn the_file_of_the_user_is_the_default() {
    let (folder, config) = configuration("");
    let data = folder.path().join("data");
    for arguments in [["keyvalue", "set", "a", "b"], ["keyvalue", "get", "a", "--json"]] {
        let mut command = cli::command(PROGRAM);
        let output = command.env("XDG_DATA_HOME", &data).args(arguments).args(["--config", &config]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert!(data.join("taskcell/keyvalue.db").exists());
}

/// What is wrong in the table is refused with its place.
#[test]
fn wrong_tables_are_refused() {
    let table = [
        ("quota = '1MB'", ":6:9: ", "a whole number of bytes, or text such as"),
        ("quota = 0", ":6:9: ", "is not between 1 and"),
        ("keys = -1", ":6:8: ", "a whole number"),
        ("name = 'a/b'", ":6:8: ", "no / and no control"),
        ("bucket = 'x'", ":6:1: ", "unknown field `bucket`"),
        ("file = '.'", ":5:1: ", "it is no file"),
    ];
    for (line, place, why) in table {
        let (_folder, config) = configuration(line);
        let ran = program(&["call", "--config", &config, "ping"]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{ran:?}");
        assert!(ran.stderr.contains(place) && ran.stderr.contains(why), "{line}: {ran:?}");
    }
    let (_folder, config) = configuration("name = 'x'");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n{text}")).unwrap();
    let ran = program(&["call", "--config", &config, "ping"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("another handler has the same keys and values"), "{ran:?}");
    // A grant of the list that needs a table.
    std::fs::write(&config, text.replace("[handler.http]", "grants = ['keyvalue']\n[handler.http]")).unwrap();
    let ran = program(&["call", "--config", &config, "ping"]);
    assert!(ran.stderr.contains(":3:11: keyvalue is granted by a table [handler.keyvalue]"), "{ran:?}");
}

/// A program that is killed in the middle has kept all that it said it had.
#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let (folder, config) = configuration("file = 'kv.db'\nkeys = 1000000\nquota = '1GiB'");
    // Sets key after key and says so on the way by the file alone, which is looked at from here.
    let mut child = cli::command(PROGRAM);
    child.args(["call", "--config", &config, "sampling/createMessage", &steps("drip 1000000 100").to_string()]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let name = format!("file://{}", http_and_keyvalue().canonicalize().unwrap().display());
    let file = folder.path().join("kv.db");
    let open = || SqliteKeyValue::open(&file, &name, Quota::default());
    let seen = runtime.block_on(async {
        let store = open().await.unwrap();
        loop {
            let seen = store.list_keys("", 0, 10_000).await.unwrap();
            if seen.len() > 200 {
                break seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
    child.kill().unwrap();
    let mut said = String::new();
    let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut said);
    child.wait().unwrap();
    assert_eq!(said, "", "it had ended before it was killed");
    runtime.block_on(async {
        let store = open().await.unwrap();
        let now = store.list_keys("", 0, 1_000_000).await.unwrap();
        assert!(now.starts_with(&seen), "{} keys were seen, {} are left", seen.len(), now.len());
        for (index, listed) in now.iter().enumerate() {
            assert_eq!(listed.key, format!("drip-{index}"));
            assert_eq!(store.get("", &listed.key).await.unwrap().unwrap().len(), 100);
        }
        // What is counted is what is there.
        let counted = now.iter().map(|listed| listed.key.len() as u64 + 100).sum::<u64>();
        let store = SqliteKeyValue::open(&folder.path().join("kv.db"), &name, quota(counted, 1_000_000)).await.unwrap();
        let Err(KeyValueError::Quota(excess)) = store.set("", "x", b"y".to_vec()).await else { panic!("not counted") };
        assert_eq!(excess.current, counted + 2);
    });
}

/// A copy of the file that build 6887b39 wrote.
fn earlier(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("keyvalue.db");
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/6887b39/keyvalue.db")).unwrap();
    std::fs::write(&path, bytes).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

fn contains(path: &Path, word: &str) -> bool {
    std::fs::read(path).unwrap().windows(word.len()).any(|found| found == word.as_bytes())
}

/// What an earlier version kept is there, and what it removed is gone at last. What is removed from now on is gone at
/// once.
#[tokio::test]
async fn a_file_of_an_earlier_version_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = earlier(&folder);
    assert!(contains(&path, "removed-value-4711"), "that version left it there");
    let store = SqliteKeyValue::open(&path, "profile", Quota::default()).await.unwrap();
    assert_eq!(store.get("", "name").await.unwrap(), Some(b"Ada".to_vec()));
    assert_eq!(store.increment("visits", "count", 4).await.unwrap(), 7);
    assert_eq!(store.get("", "old").await.unwrap(), None);
    let word = "a-value-that-stands-nowhere-else";
    store.set("", "large", word.repeat(1_000).into_bytes()).await.unwrap();
    store.delete("", "large").await.unwrap();
    store.close().await;
    assert!(!contains(&path, "removed-value-4711") && !contains(&path, word));
    assert!(path.metadata().unwrap().len() <= 49_152, "{}", path.metadata().unwrap().len());
}

/// What is set in a file that is not in its place any more would be lost, so it is refused; so is a file that everybody
/// may change.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_not_in_its_place_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = earlier(&folder);
    let store = SqliteKeyValue::open(&path, "profile", Quota::default()).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    for refused in [
        store.set("", "name", Vec::new()).await.unwrap_err(),
        store.delete("", "name").await.unwrap_err(),
        store.increment("visits", "count", 1).await.unwrap_err(),
    ] {
        assert!(refused.to_string().contains("it was taken away while it was used"), "{refused}");
    }
    drop(store);
    let path = earlier(&folder);
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let refused = SqliteKeyValue::open(&path, "profile", Quota::default()).await.unwrap_err().to_string();
    assert!(refused.contains("everybody may change it"), "{refused}");
}
