//! Whose tasks a run serves when nobody says: those of the server that is started.
//!
//! Tasks belong to a principal, and over stdio there is nobody to authenticate: what there is, is the program that the
//! operator starts. The same program started again in the same folder, by the same words, finds its tasks, and any other
//! finds none of them. [basic/utilities/tasks, Task Isolation and Access Control]
//!
//! Words alone do not say which program that is: `python3 server.py` is another one in each folder, and a name is looked up
//! in `PATH`. So the folder counts, and the file that is found. Links are followed, unless the program is a launcher: that
//! its interpreter was updated does not make another server.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Programs that start what their first argument names, which says more than they do.
const LAUNCHERS: &[&str] = &["bun", "bunx", "deno", "node", "npx", "pnpx", "python", "python3", "uvx"];
/// Characters of a name that are shown.
const MAX_NAME: usize = 40;

/// Where a command line is run: what makes the same words another program.
pub(crate) struct Place {
    /// The working folder, without links.
    folder: PathBuf,
    /// The folders in which programs are looked up.
    path: OsString,
}

impl Place {
    /// Where this process runs.
    pub(crate) fn here() -> Self {
        let folder = std::env::current_dir().and_then(|folder| folder.canonicalize()).unwrap_or_default();
        Self { folder, path: std::env::var_os("PATH").unwrap_or_default() }
    }

    /// The file that a program's name stands for; the name itself where there is none.
    fn program(&self, name: &OsStr) -> PathBuf {
        let found = if Path::new(name).components().count() > 1 {
            Some(self.folder.join(name))
        } else {
            let folders = std::env::split_paths(&self.path);
            folders.map(|folder| self.folder.join(folder).join(name)).find(|file| is_program(file))
        };
        let Some(found) = found else { return PathBuf::from(name) };
        match is_launcher(name) {
            true => found,
            false => found.canonicalize().unwrap_or(found),
        }
    }
}

/// Whether a file can be started.
fn is_program(file: &Path) -> bool {
    let Ok(found) = file.metadata() else { return false };
    #[cfg(unix)]
    let may = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let may = true;
    found.is_file() && may
}

fn is_launcher(program: &OsStr) -> bool {
    LAUNCHERS.contains(&&*file_name(program))
}

/// `stdio:`, a name to know the server by, and the SHA-256 of the folder, the program's file and the whole command line, as
/// in `stdio:server-everything:3b5c...`. The name is a program's or a package's: other arguments may be secrets.
pub(crate) fn of_server(command: &[OsString], place: &Place) -> String {
    let program = command.first().map(|program| place.program(program)).unwrap_or_default();
    let parts = [OsStr::new("taskcell:principal:2"), place.folder.as_os_str(), program.as_os_str()];
    written(command, parts.into_iter().chain(command.iter().map(OsString::as_os_str)))
}

/// What build 6887b39 took: the words of the command line alone.
pub(crate) fn of_words(command: &[OsString]) -> String {
    written(command, command.iter().map(OsString::as_os_str))
}

fn written<'a>(command: &[OsString], parts: impl Iterator<Item = &'a OsStr>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        let bytes = part.as_encoded_bytes();
        // With its length: two arguments are not what one of both is.
        digest.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(bytes);
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("stdio:{}:{digest}", name(command))
}

fn name(command: &[OsString]) -> String {
    let Some((program, arguments)) = command.split_first() else { return String::new() };
    let program = file_name(program);
    // Options of one letter take nothing along, or what is to be started (-y, -m).
    let is_letter = |argument: &&OsString| argument.len() == 2 && argument.as_encoded_bytes().starts_with(b"-");
    let first = arguments.iter().find(|argument| !is_letter(argument)).map(|argument| file_name(argument));
    match first {
        Some(first) if LAUNCHERS.contains(&&*program) && !first.is_empty() && !first.starts_with('-') => first,
        _ => program,
    }
}

/// The last part of a path, with nothing in it that a name does not have.
fn file_name(path: &OsStr) -> String {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    name.chars().filter(is_plain).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &[&str]) -> Vec<OsString> {
        command.iter().map(OsString::from).collect()
    }

    fn of(command: &[&str]) -> String {
        of_server(&words(command), &Place { folder: "/somewhere".into(), path: OsString::new() })
    }

    /// The same words are another program in another folder, or by another `PATH`.
    #[cfg(unix)]
    #[test]
    fn the_same_words_in_another_place_are_another_principal() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        for folder in ["one", "two", "bin"] {
            std::fs::create_dir(base.join(folder)).unwrap();
            for program in ["server", "python3"] {
                let file = base.join(folder).join(program);
                std::fs::write(&file, "").unwrap();
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        std::fs::write(base.join("bin/no-program"), "").unwrap();
        let place = |folder: &str, path: &[&str]| Place {
            folder: base.join(folder),
            path: std::env::join_paths(path.iter().map(|path| base.join(path))).unwrap(),
        };
        let commands: [&[&str]; 4] =
            [&["./server", "x"], &["server"], &["python3", "server.py"], &["python3", "-m", "server"]];
        for command in commands.map(words) {
            let known = of_server(&command, &place("one", &["one", "two"]));
            assert_eq!(known, of_server(&command, &place("one", &["one", "bin"])), "{command:?}");
            assert_ne!(known, of_server(&command, &place("two", &["one", "two"])), "{command:?} in another folder");
            let by_path = Path::new(&command[0]).components().count() == 1;
            let other = of_server(&command, &place("one", &["two", "one"]));
            assert_eq!(known != other, by_path, "{command:?} by another PATH");
            assert_ne!(known, of_words(&command));
        }
        // What a link leads to is the program; an interpreter is the link, which stays when the system is updated.
        let linked = |name: &str, to: &str| {
            let link = base.join("one").join(name);
            let _ = std::fs::remove_file(&link);
            symlink(base.join(to), &link).unwrap();
            of_server(&words(&[&format!("./{name}"), "x"]), &place("one", &[]))
        };
        assert_ne!(linked("link", "one/server"), linked("link", "two/server"));
        assert_eq!(linked("node", "one/server"), linked("node", "two/server"));
        // A file that cannot be started is not what the name stands for, and a name may stand for nothing.
        assert_eq!(place("one", &["bin"]).program(OsStr::new("no-program")), Path::new("no-program"));
    }

    /// Tasks of build 6887b39 are found by these.
    #[test]
    fn an_earlier_principal_is_known() {
        let known = "stdio:fake-server:8837aee9f233df5392a8288990d2c232be37690a29ae1a4fd88a3cc152bbc1dd";
        assert_eq!(of_words(&words(&["./fake-server", "ok"])), known);
        let known = "stdio:server.mjs:0fd11579a30c98b5dfe6e57dc4d7abd09cfd9e44cfe61943f64955898e8b18ac";
        assert_eq!(of_words(&words(&["./node", "server.mjs"])), known);
    }

    #[test]
    fn a_principal_is_the_whole_command_line() {
        let known = of(&["npx", "-y", "@modelcontextprotocol/server-everything", "stdio"]);
        assert_eq!(known, of(&["npx", "-y", "@modelcontextprotocol/server-everything", "stdio"]));
        let others: [&[&str]; 4] = [
            &["npx", "-y", "@modelcontextprotocol/server-everything"],
            &["npx", "-y", "@modelcontextprotocol/server-everythingstdio"],
            &["npx", "-y", "@modelcontextprotocol/server-everything", "stdio", ""],
            &["npx", "-y @modelcontextprotocol/server-everything", "stdio"],
        ];
        for other in others {
            assert_ne!(known, of(other), "{other:?}");
        }
    }

    #[test]
    fn the_name_is_that_of_what_is_started_and_no_secret() {
        let table: [(&[&str], &str); 9] = [
            (&["npx", "-y", "@modelcontextprotocol/server-everything", "stdio"], "server-everything"),
            (&["/usr/bin/python3", "-m", "my_server", "--key", "secret"], "my_server"),
            (&["node", "dist/server.mjs"], "server.mjs"),
            (&["uvx", "--from", "git+https://secret@example.com/x", "tool"], "uvx"),
            (&["./my-server", "secret"], "my-server"),
            (&["npx"], "npx"),
            (&["x\u{1b}[2J\u{202e}y z"], "x2Jyz"),
            (&["/"], ""),
            (&[], ""),
        ];
        for (command, name) in table {
            let principal = of(command);
            let (readable, digest) = principal.rsplit_once(':').unwrap();
            assert_eq!((readable, digest.len()), (&*format!("stdio:{name}"), 64), "{command:?}");
        }
    }
}
