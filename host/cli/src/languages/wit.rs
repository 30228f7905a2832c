//! WIT packages of the handler protocol, for the projects that `taskcell new` writes.

use std::fs;
use std::path::Path;

macro_rules! files {
    ($($folder:literal in $from:literal: $($name:literal)*;)*) => {
        &[$($((concat!($folder, "/", $name, ".wit"), include_str!(concat!("../../../../wit/", $from, $name, ".wit"))),)*)*]
    };
}

/// Folder of the packages in a project.
pub(crate) const FOLDER: &str = "wit/deps";

/// All packages, by the paths of their files in a project's [`FOLDER`].
#[rustfmt::skip]
pub(crate) const FILES: &[(&str, &str)] = files! {
    "taskcell-handlers" in "":
        "augmented-elicitation" "augmented-sampling" "background" "cancel-task" "elicitation" "get-task"
        "get-task-result" "list-tasks" "model" "progress" "roots" "sampling" "tasks" "types" "user" "worlds";
    "wasi-cli" in "deps/wasi-cli/": "stderr";
    "wasi-clocks" in "deps/wasi-clocks/": "monotonic-clock";
    "wasi-config" in "deps/wasi-config/": "store";
    "wasi-http" in "deps/wasi-http/": "http";
    "wasi-io" in "deps/wasi-io/": "poll";
    "wasi-keyvalue" in "deps/wasi-keyvalue/": "store";
    "wasi-random" in "deps/wasi-random/": "random";
};

/// Returns the files of a project that differ from this program's. Returns none for a project without a copy of the
/// protocol.
pub(crate) fn changed(dir: &Path) -> Vec<&'static str> {
    let folder = dir.join(FOLDER);
    let is_changed = |(path, text): &&(&str, &str)| fs::read_to_string(folder.join(path)).ok().as_deref() != Some(text);
    if !folder.is_dir() {
        return Vec::new();
    }
    FILES.iter().filter(is_changed).map(|(path, _)| *path).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn no_file_of_the_package_is_left_out() {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let mut folders: Vec<PathBuf> = vec![wit.clone(), wit.join("deps")];
        folders.extend(fs::read_dir(wit.join("deps")).unwrap().map(|entry| entry.unwrap().path()));
        let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
        let files = files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        assert_eq!(files.count(), FILES.len());
    }
}
