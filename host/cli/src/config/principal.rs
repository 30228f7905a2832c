//! Default principal of a run: the server that is started, or the URL that it is reached by.
//!
//! Tasks belong to a principal, and stdio has no authentication. The principal is therefore derived from the program
//! that the operator starts. The same command line in the same folder finds its tasks, and no other command line does.
//! [basic/utilities/tasks, Task Isolation and Access Control]
//!
//! The command line alone does not identify a program: `python3 server.py` is a different one in each folder, and a
//! name is looked up in `PATH`. The folder and the resolved file therefore count too. Symbolic links are followed
//! unless the program is a launcher, because an update of an interpreter does not change the server.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use taskcell::text;
use taskcell_gateway::http_client::Endpoint;

/// Programs that start another program, named by their first argument. That name identifies the server better.
const LAUNCHERS: &[&str] = &["bun", "bunx", "deno", "node", "npx", "pnpx", "python", "python3", "uvx"];
/// Maximum number of characters of a name that are shown.
const MAX_NAME: usize = 40;

/// Place where a command line runs. The same command line means another program in another place.
pub(crate) struct Place {
    /// Working folder, with symbolic links resolved.
    folder: PathBuf,
    /// Folders in which programs are looked up.
    path: OsString,
}

impl Place {
    /// Returns the place of this process.
    pub(crate) fn here() -> Self {
        let folder = std::env::current_dir().and_then(|folder| folder.canonicalize()).unwrap_or_default();
        Self { folder, path: std::env::var_os("PATH").unwrap_or_default() }
    }

    /// Returns the file of a program's name, or the name itself when there is no such file.
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

/// Whether a file can be executed.
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

/// Returns `stdio:`, a readable name, and the SHA-256 of the folder, the program's file and the complete command line,
/// for example `stdio:server-everything:3b5c...`. The readable name is that of a program or a package, because other
/// arguments may be secrets.
pub(crate) fn of_server(command: &[OsString], place: &Place) -> String {
    let program = command.first().map(|program| place.program(program)).unwrap_or_default();
    let parts = [OsStr::new("taskcell:principal:2"), place.folder.as_os_str(), program.as_os_str()];
    written(command, parts.into_iter().chain(command.iter().map(OsString::as_os_str)))
}

/// Returns `url:`, the host, and the SHA-256 of the URL, for example `url:example.com:3b5c...`. Credentials are no part
/// of it: they say who the client is, not who the server is.
pub(crate) fn of_url(endpoint: &Endpoint) -> String {
    let parts = ["taskcell:principal:url:1", endpoint.url().as_str()];
    format!("url:{}:{}", file_name(endpoint.host().as_ref()), digest(parts.into_iter().map(OsStr::new)))
}

/// Returns the principal that build 6887b39 used, from the command line alone.
pub(crate) fn of_words(command: &[OsString]) -> String {
    written(command, command.iter().map(OsString::as_os_str))
}

fn written<'a>(command: &[OsString], parts: impl Iterator<Item = &'a OsStr>) -> String {
    format!("stdio:{}:{}", name(command), digest(parts))
}

fn digest<'a>(parts: impl Iterator<Item = &'a OsStr>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        let bytes = part.as_encoded_bytes();
        // The length keeps two arguments apart from one argument with the same bytes.
        digest.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(bytes);
    }
    text::hex(&digest.finalize())
}

fn name(command: &[OsString]) -> String {
    let Some((program, arguments)) = command.split_first() else { return String::new() };
    let program = file_name(program);
    // An option of one letter has no value, or the program to start follows it (-y, -m).
    let is_letter = |argument: &&OsString| argument.len() == 2 && argument.as_encoded_bytes().starts_with(b"-");
    let first = arguments.iter().find(|argument| !is_letter(argument)).map(|argument| file_name(argument));
    match first {
        Some(first) if LAUNCHERS.contains(&&*program) && !first.is_empty() && !first.starts_with('-') => first,
        _ => program,
    }
}

/// Returns the last part of a path, reduced to the characters of a name.
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

    /// One command line is another program in another folder or with another `PATH`.
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
        // A link resolves to its program. For an interpreter the link itself counts, which stays the same across system
        // updates.
        let linked = |name: &str, to: &str| {
            let link = base.join("one").join(name);
            let _ = std::fs::remove_file(&link);
            symlink(base.join(to), &link).unwrap();
            of_server(&words(&[&format!("./{name}"), "x"]), &place("one", &[]))
        };
        assert_ne!(linked("link", "one/server"), linked("link", "two/server"));
        assert_eq!(linked("node", "one/server"), linked("node", "two/server"));
        // A name does not resolve to a file that cannot be executed, and may resolve to nothing.
        assert_eq!(place("one", &["bin"]).program(OsStr::new("no-program")), Path::new("no-program"));
    }

    /// Tasks of build 6887b39 are found by these principals.
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
    fn a_url_is_a_principal_with_its_query_but_without_secrets_in_the_name() {
        let of = |url: &str| of_url(&Endpoint::parse(url).unwrap());
        let known = of("https://example.com/mcp");
        assert!(known.starts_with("url:example.com:") && known.len() == 16 + 64, "{known}");
        for same in ["https://EXAMPLE.com:443/mcp", "https://example.com/mcp#part", " https://example.com/a/../mcp"] {
            assert_eq!(known, of(same), "{same}");
        }
        for other in ["http://example.com/mcp", "https://example.com/mcp/", "https://example.com/mcp?key=secret"] {
            assert_ne!(known, of(other), "{other}");
            assert!(!of(other).contains("secret"));
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
