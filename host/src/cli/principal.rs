//! Whose tasks a run serves when nobody says: those of the server's command line.
//!
//! Tasks belong to a principal, and over stdio there is nobody to authenticate: what there is, is the command that the
//! operator starts. The same command started again finds its tasks, and any other, be it by one argument, finds none
//! of them. [basic/utilities/tasks, Task Isolation and Access Control]

use std::ffi::{OsStr, OsString};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Programs that start what their first argument names, which says more than they do.
const LAUNCHERS: &[&str] = &["bun", "bunx", "deno", "node", "npx", "pnpx", "python", "python3", "uvx"];
/// Characters of a name that are shown.
const MAX_NAME: usize = 40;

/// `stdio:`, a name to know the server by, and the SHA-256 of the whole command line, as in
/// `stdio:server-everything:3b5c...`. The name is a program's or a package's: other arguments may be secrets.
pub(super) fn of_server(command: &[OsString]) -> String {
    let mut digest = Sha256::new();
    for argument in command {
        let bytes = argument.as_encoded_bytes();
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

    fn of(command: &[&str]) -> String {
        of_server(&command.iter().map(OsString::from).collect::<Vec<_>>())
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
