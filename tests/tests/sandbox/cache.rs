//! The cache of compiled components: filled once, healed when broken, and nobody else's.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use taskcell::grants::Grants;
use taskcell::{Engine, EngineError, EngineOptions, Handler, Handlers};
use taskcell_test_support::compose::{component, core_module};
use taskcell_test_support::server::Server;

const FILE: &str = "handler.wasm";

fn engine_with_cache(folder: &Path) -> Result<Engine, EngineError> {
    let mut options = EngineOptions::default();
    options.limits.cells = 4;
    options.cache = Some(folder.to_owned());
    Engine::new(options)
}

/// Loads a component in a new engine over this cache, and sees that it runs.
async fn load_cached(folder: &Path, bytes: &[u8]) {
    let engine = engine_with_cache(folder).unwrap();
    let handler = Handler::from_bytes(&engine, FILE, bytes.to_vec(), Grants::default()).await.unwrap();
    let answer = Server::new(Handlers::new([handler]).unwrap()).request("roots/list", &json!({})).await.unwrap();
    assert_eq!(answer["error"]["data"]["kind"], "trap", "{answer}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The one file in the cache.
fn only_file(folder: &Path) -> PathBuf {
    let files = files(folder);
    assert!(files.len() == 1 && files[0].extension().is_some_and(|extension| extension == "cwasm"), "{files:?}");
    files[0].clone()
}

/// A component is compiled once, and found the next time.
#[tokio::test]
async fn the_cache_is_filled_once() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = component(&["roots"], &[]).unwrap();
    load_cached(folder.path(), &bytes).await;
    let inode = fs::metadata(only_file(folder.path())).unwrap().ino();
    load_cached(folder.path(), &bytes).await;
    assert_eq!(fs::metadata(only_file(folder.path())).unwrap().ino(), inode, "it was written again");
    load_cached(folder.path(), &component(&["roots", "get-task"], &[]).unwrap()).await;
    assert_eq!(files(folder.path()).len(), 2);
}

/// A component that is not valid leaves nothing behind.
#[tokio::test]
async fn the_cache_holds_only_what_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine_with_cache(folder.path()).unwrap();
    let half = component(&["roots"], &[]).unwrap()[..100].to_vec();
    assert!(Handler::from_bytes(&engine, FILE, half, Grants::default()).await.is_err());
    assert_eq!(files(folder.path()), [] as [PathBuf; 0]);
}

/// A file in the cache that is not whole is compiled anew, and then found again.
#[tokio::test]
async fn a_broken_cache_heals() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = component(&["roots"], &[]).unwrap();
    load_cached(folder.path(), &bytes).await;
    let path = only_file(folder.path());
    let whole = fs::read(&path).unwrap();
    let overwritten = |with: &[u8]| [with, &whole[with.len()..]].concat();
    let rows = [
        ("empty", vec![]),
        ("one byte", whole[..1].to_vec()),
        ("the header", whole[..64].to_vec()),
        ("a half", whole[..whole.len() / 2].to_vec()),
        ("without the last byte", whole[..whole.len() - 1].to_vec()),
        ("a header of zeros", overwritten(&[0; 64])),
        ("a header of text", overwritten(b"Once upon a time there was a file that was no compiled component")),
        ("a component", bytes.clone()),
        ("a core module", core_module()),
    ];
    for (what, broken) in rows {
        fs::write(&path, broken).unwrap();
        load_cached(folder.path(), &bytes).await;
        assert_eq!(only_file(folder.path()), path, "{what}");
        assert_eq!(fs::metadata(&path).unwrap().len(), whole.len() as u64, "{what}");
        let inode = fs::metadata(&path).unwrap().ino();
        load_cached(folder.path(), &bytes).await;
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "{what}: it was not healed");
    }
    // Something that cannot be replaced costs the time to compile, and nothing else.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    load_cached(folder.path(), &bytes).await;
    assert_eq!(files(folder.path()), [path]);
}

/// Only this user may write where compiled code is found.
#[tokio::test]
async fn a_cache_that_others_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    for (mode, taken) in [(0o700, true), (0o755, true), (0o770, false), (0o707, false), (0o777, false), (0o1777, false)]
    {
        fs::set_permissions(&cache, fs::Permissions::from_mode(mode)).unwrap();
        match engine_with_cache(&cache) {
            Ok(_) => assert!(taken, "{mode:o} was taken"),
            Err(error) => {
                assert!(!taken, "{mode:o}: {error}");
                assert_eq!(error.kind(), "engine");
                let message = error.to_string();
                assert!(message.contains(&cache.display().to_string()) && message.contains("chmod go-w"), "{message}");
            }
        }
    }
}

/// A file that others may write to, or that is another's, is compiled code that somebody else may have put there. It is
/// replaced by one of this user's alone.
#[tokio::test]
async fn a_file_that_others_may_write_to_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = component(&["roots"], &[]).unwrap();
    load_cached(folder.path(), &bytes).await;
    let path = only_file(folder.path());
    let rights = || fs::metadata(&path).unwrap().mode() & 0o7777;
    assert_eq!(rights(), 0o600);
    for (mode, taken) in [
        (0o600, true),
        (0o644, true),
        (0o444, true),
        (0o755, true),
        (0o620, false),
        (0o602, false),
        (0o666, false),
        (0o664, false),
    ] {
        let inode = fs::metadata(&path).unwrap().ino();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        load_cached(folder.path(), &bytes).await;
        assert_eq!(only_file(folder.path()), path);
        let same = fs::metadata(&path).unwrap().ino() == inode;
        assert_eq!((same, rights()), (taken, if taken { mode } else { 0o600 }), "{mode:o}");
    }
    // Who may give files away can see the same of one that is another's.
    let inode = fs::metadata(&path).unwrap().ino();
    if std::os::unix::fs::chown(&path, Some(65_534), None).is_ok() {
        load_cached(folder.path(), &bytes).await;
        assert_ne!(fs::metadata(&path).unwrap().ino(), inode, "another's file was used");
    }
    // A link leads elsewhere, where the same counts.
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("code");
    fs::rename(&path, &target).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o666)).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    load_cached(folder.path(), &bytes).await;
    assert!(fs::symlink_metadata(&path).unwrap().is_file() && rights() == 0o600);
}

/// Files are made for the owner alone, however careless the umask is.
#[test]
fn a_file_is_made_for_its_owner_alone() {
    let bytes = component(&["roots"], &[]).unwrap();
    for umask in ["000", "002", "022", "077", "277"] {
        let folder = tempfile::tempdir().unwrap();
        let (cache, file) = (folder.path().join("cache"), folder.path().join(FILE));
        fs::create_dir(&cache).unwrap();
        fs::write(&file, &bytes).unwrap();
        settled(&file);
        let script = r#"umask "$0"; exec "$1" compile --cache "$2" "$3""#;
        let ran = Command::new("sh")
            .args(["-c", script, umask, env!("CARGO_BIN_EXE_taskcell-cli")])
            .args([&cache, &file])
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        // The compiled component, and the note which component the file is.
        let files = files(&cache);
        assert!(files.iter().any(|path| path.extension().is_some_and(|ending| ending == "cwasm")), "{files:?}");
        for path in files {
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600, "umask {umask}: {}", path.display());
        }
    }
}

/// The files that were not used for longest go when there are too many bytes of them, and the last that was compiled
/// stays.
#[tokio::test]
async fn the_cache_has_a_size() {
    let folder = tempfile::tempdir().unwrap();
    let components: Vec<_> =
        [&["roots"][..], &["sampling"], &["elicitation"]].iter().map(|kinds| component(kinds, &[]).unwrap()).collect();
    let load = async |size: u64, number: usize| {
        let mut options = EngineOptions::default();
        (options.limits.cells, options.limits.cache_size) = (4, size);
        options.cache = Some(folder.path().to_owned());
        let engine = Engine::new(options).unwrap();
        Handler::from_bytes(&engine, FILE, components[number].clone(), Grants::default()).await.unwrap();
    };
    let ago = |path: &Path, seconds: u64| {
        let time = std::time::SystemTime::now() - Duration::from_secs(seconds);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    let mut paths = Vec::new();
    for number in 0..2 {
        load(u64::MAX, number).await;
        paths.extend(files(folder.path()).into_iter().filter(|path| !paths.contains(path)).collect::<Vec<_>>());
    }
    let size = |path: &PathBuf| fs::metadata(path).unwrap().len();
    let [first, second] = [&paths[0], &paths[1]];
    // What is not of the cache is nobody's to remove, nor what is being written.
    let [note, partial, stale] = ["note.txt", "new.partial", "old.partial"].map(|name| folder.path().join(name));
    for file in [&note, &partial, &stale] {
        fs::write(file, "x").unwrap();
    }
    ago(&note, 1_000_000);
    ago(&stale, 1_000_000);
    // The first is the older file, and is used later.
    ago(first, 2_000);
    ago(second, 1_000);
    let both = size(first) + size(second);
    load(both, 0).await;
    assert!(first.exists() && second.exists() && note.exists() && partial.exists() && !stale.exists());
    // There is room for two of about the same size.
    load(both + both / 4, 2).await;
    assert!(first.exists() && !second.exists(), "{:?}", files(folder.path()));
    // There is room for none, and one that is compiled is used again all the same.
    load(0, 1).await;
    assert!(second.exists() && !first.exists(), "{:?}", files(folder.path()));
    assert_eq!(files(folder.path()).len(), 3);
}

/// A cache that the first version of the program filled, with the umask of most systems, is used or replaced.
#[tokio::test]
async fn a_cache_of_the_first_version_opens() {
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/cache-first");
    for file in files(&fixture) {
        let copy = folder.path().join(file.file_name().unwrap());
        fs::copy(&file, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let before = files(folder.path());
    for _ in 0..2 {
        let engine = engine_with_cache(folder.path()).unwrap();
        let handler = Handler::from_bytes(&engine, FILE, EMPTY.to_vec(), Grants::default()).await.unwrap();
        assert_eq!(handler.kinds().count(), 0);
        // On another processor its code has another name.
        let new: Vec<_> = files(folder.path()).into_iter().filter(|path| !before.contains(path)).collect();
        assert!(new.len() <= 1, "{new:?}");
        assert!(new.iter().all(|path| fs::metadata(path).unwrap().mode() & 0o777 == 0o600));
    }
}

/// The user's own cache folder is a convenience, so commands go on without it and say so once. A folder that was asked
/// for has to be usable.
#[test]
fn a_home_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (home, file) = (folder.path().join("home"), folder.path().join(FILE));
    fs::write(&home, "a file, in which no folder can be made").unwrap();
    fs::write(&file, component(&["roots"], &[]).unwrap()).unwrap();
    let run = |arguments: &[&str], cache: Option<&Path>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskcell-cli"));
        command.args(arguments).arg(&file).env("HOME", &home).env("NO_COLOR", "1");
        for variable in ["XDG_CACHE_HOME", "TASKCELL_CACHE", "TASKCELL_LOG"] {
            command.env_remove(variable);
        }
        if let Some(cache) = cache {
            command.env("TASKCELL_CACHE", cache);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let within = home.join("cache");
    let remedy =
        |said: &str| said.contains("--cache") && said.contains("TASKCELL_CACHE") && said.contains("--no-cache");
    let (code, said) = run(&["inspect"], None);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.lines().count() == 1 && said.contains("WARN") && remedy(&said), "{said}");
    assert_eq!(run(&["inspect", "--no-cache"], None), (Some(0), String::new()));
    let named = ["inspect", "--cache", within.to_str().unwrap()];
    for (arguments, cache) in [(&named[..], None), (&["inspect"], Some(&*within))] {
        let (code, said) = run(arguments, cache);
        assert!(code == Some(2) && remedy(&said) && said.contains(within.to_str().unwrap()), "{said}");
    }
    // To compile is to fill the cache.
    let (code, said) = run(&["compile"], None);
    assert!(code == Some(2) && remedy(&said), "{said}");
}

/// A cache that is not there yet is made, for this user alone; one that cannot be made is an error with its name.
#[tokio::test]
async fn a_cache_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("some/where");
    engine_with_cache(&cache).unwrap();
    assert_eq!(fs::metadata(&cache).unwrap().mode() & 0o777, 0o700);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = engine_with_cache(&file).unwrap_err();
    assert_eq!(error.kind(), "engine");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

/// A file that is as it was when it was last read is not read again; one that is not, is.
#[tokio::test]
async fn a_file_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let engine = engine_with_cache(&cache).unwrap();
    let file = folder.path().join(FILE);
    let load = || async {
        let handler = Handler::from_file(&engine, &file, Grants::default()).await.unwrap();
        (handler.digest().to_owned(), handler.kinds().count(), handler.size())
    };
    let seen = || fs::read_dir(&cache).unwrap().filter(|entry| is_seen(&entry.as_ref().unwrap().path())).count();
    let bytes = component(&["roots"], &[]).unwrap();
    fs::write(&file, &bytes).unwrap();
    // It changed a moment ago, and may change again without a trace.
    let first = load().await;
    assert_eq!(seen(), 0);
    settled(&file);
    assert_eq!(load().await, first);
    assert_eq!(seen(), 1);

    // What is kept tells, not what is in the file: here it is made to say what it would not.
    let other = component(&["roots", "get-task"], &[]).unwrap();
    let elsewhere = Handler::from_bytes(&engine, "other", other.clone(), Grants::default()).await.unwrap();
    let note = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).find(|path| is_seen(path)).unwrap();
    let text = fs::read_to_string(&note).unwrap();
    fs::write(&note, text.replace(&first.0, elsewhere.digest())).unwrap();
    assert_eq!(load().await.1, 2);
    for broken in
        ["", "{}", &text.replace(&first.0, "../../../../etc/passwd"), &text.replace(&first.0, &"0".repeat(64))]
    {
        fs::write(&note, broken).unwrap();
        assert_eq!(load().await, first, "{broken}");
    }

    // Each way to replace it is seen, with the same size and time of writing, too.
    let times = fs::FileTimes::new().set_modified(fs::metadata(&file).unwrap().modified().unwrap());
    let mut same_size = bytes.clone();
    let place = same_size.windows(5).position(|name| name == b"roots").unwrap();
    same_size[place] = b'b';
    fs::write(&file, &same_size).unwrap();
    fs::File::open(&file).unwrap().set_times(times).unwrap();
    let broken = Handler::from_file(&engine, &file, Grants::default()).await;
    assert!(broken.is_err(), "the file of before was taken for the one that is there");
    let renamed = folder.path().join("new.wasm");
    fs::write(&renamed, &other).unwrap();
    fs::rename(&renamed, &file).unwrap();
    assert_eq!(load().await.1, 2);
}

fn is_seen(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "seen")
}

/// Waits until a file is old enough to be known again.
fn settled(file: &Path) {
    let changed = || fs::metadata(file).unwrap().modified().unwrap().elapsed().unwrap();
    while changed() < Duration::from_millis(2_100) {
        std::thread::sleep(Duration::from_millis(50));
    }
}
