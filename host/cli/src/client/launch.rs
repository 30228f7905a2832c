//! Starts a server that cannot outlive the program or read its secrets.
//!
//! On Linux the program first starts itself again. That process asks the kernel for a signal at the death of its parent
//! and then replaces itself by the server. Doing so between fork and exec would need `unsafe`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use taskcell_gateway::stdio::ServerCommand;

/// First argument of a process that is to become a server. The second argument is the id of the process that started
/// it.
const BECOME: &str = "__become-server";
/// Exit code of a process that could not become a server, the same as a shell's for a missing command.
const NOT_STARTED: u8 = 127;

/// Name of a server's program, for people.
pub(crate) fn name(command: &[OsString]) -> String {
    command.first().map(|program| program.display().to_string()).unwrap_or_default()
}

/// Builds the command that starts a server, which inherits none of the environment variables in `secrets`. Keeps the
/// server, as any other process of the user, from reading this process.
///
/// # Errors
/// When the program does not exist or cannot be run. Other failures appear when it is started.
pub(crate) fn command(command: &[OsString], secrets: &[String]) -> io::Result<ServerCommand> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program was given: end with -- SERVER ARGS..."));
    };
    hide();
    let secrets = secrets.to_vec();
    let direct = || ServerCommand { program: program.clone(), arguments: arguments.to_vec(), secrets: secrets.clone() };
    if !cfg!(target_os = "linux") {
        return Ok(direct());
    }
    find(program)?;
    // When the program's own file is gone, the server starts without the signal at its parent's death.
    let Some(own) = own() else { return Ok(direct()) };
    let parent = std::process::id().to_string();
    let mut all = vec![OsString::from(BECOME), parent.into(), program.clone()];
    all.extend_from_slice(arguments);
    Ok(ServerCommand { program: own, arguments: all, secrets })
}

/// Keeps other processes of the user from reading this process's memory and environment, and the system from dumping
/// core.
pub(crate) fn hide() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::debug!(%error, "other processes of this user can read the program's memory");
    }
}

/// Becomes a server if this process was started for that. Returns the exit code when it cannot.
pub(crate) fn become_server() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != BECOME {
        return None;
    }
    let error = exec(arguments);
    // This is the server's stderr, which the program shows.
    eprintln!("cannot be started: {error}");
    Some(ExitCode::from(NOT_STARTED))
}

#[cfg(target_os = "linux")]
fn exec(mut arguments: impl Iterator<Item = OsString>) -> io::Error {
    use std::os::unix::process::CommandExt;

    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    let missing = || io::Error::new(io::ErrorKind::InvalidInput, "no program was given");
    let parent = arguments.next().and_then(|parent| parent.to_str()?.parse::<i32>().ok());
    let Some(program) = arguments.next() else { return missing() };
    // Not SIGKILL: launchers pass SIGTERM on to their children, and a server can still save its work.
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        return error.into();
    }
    // The parent may have died before the signal was requested.
    if getppid().map(rustix::process::Pid::as_raw_pid) != parent {
        return io::Error::other("the parent process has ended");
    }
    std::process::Command::new(program).args(arguments).exec()
}

#[cfg(not(target_os = "linux"))]
fn exec(_: impl Iterator<Item = OsString>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "a program becomes a server only on Linux")
}

/// Path of this program's executable, even if the file has been replaced since.
fn own() -> Option<OsString> {
    let own = Path::new("/proc/self/exe");
    own.exists().then(|| own.as_os_str().to_owned())
}

/// Finds the program by its path or in the folders of `PATH`.
fn find(program: &OsStr) -> io::Result<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 || path.is_absolute() {
        return runnable(path.to_owned());
    }
    let mut error = io::Error::from_raw_os_error(ENOENT);
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        match runnable(folder.join(path)) {
            Ok(found) => return Ok(found),
            // Like a shell, report a file that may not be run rather than "not found".
            Err(found) if found.kind() == io::ErrorKind::PermissionDenied => error = found,
            Err(_) => {}
        }
    }
    Err(error)
}

/// `ENOENT` (no such file or directory), the same number on every Unix.
const ENOENT: i32 = 2;
/// `EACCES` (permission denied), the same number on every Unix.
const EACCES: i32 = 13;

fn runnable(path: PathBuf) -> io::Result<PathBuf> {
    let metadata = std::fs::metadata(&path)?;
    #[cfg(unix)]
    let may = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let may = true;
    if metadata.is_file() && may { Ok(path) } else { Err(io::Error::from_raw_os_error(EACCES)) }
}
