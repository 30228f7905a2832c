//! Every input of the fuzzers' corpus, replayed: what was found once stays mended.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use taskcell_test_support::fuzz::{TARGETS, run};
use taskcell_test_support::provision::repository;

fn corpus() -> PathBuf {
    repository().join("fuzz/corpus")
}

/// The names of what is in a folder.
fn names(folder: PathBuf) -> BTreeSet<String> {
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Replays the corpus of a target.
fn replay(target: &str) {
    let folder = corpus().join(target);
    let inputs = names(folder.clone());
    assert!(!inputs.is_empty(), "the corpus of {target} is empty");
    for input in inputs {
        let bytes = fs::read(folder.join(&input)).unwrap();
        assert!(catch_unwind(|| run(target, &bytes)).is_ok(), "fuzz/corpus/{target}/{input} fails, see above");
    }
}

/// A test for each target, so that they run side by side.
macro_rules! targets {
    ($($target:ident),+) => {
        $(
            #[test]
            fn $target() {
                replay(stringify!($target));
            }
        )+

        /// Each target has a test here, a binary and a corpus, and there are no others.
        #[test]
        fn every_target_is_replayed() {
            let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(targets, [$(stringify!($target)),+].map(str::to_owned).into());
            assert_eq!(targets, names(corpus()));
            let binaries = names(repository().join("fuzz/fuzz_targets"));
            assert_eq!(targets, binaries.iter().map(|name| name.replace(".rs", "")).collect());
            let manifest = fs::read_to_string(repository().join("fuzz/Cargo.toml")).unwrap();
            for target in targets {
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "no binary {target}");
            }
        }
    };
}

targets!(decode, policy, dispatch, load, smith);
