//! Starts a server so that it does not outlive the program and does not read the program's secrets.
//!
//! On Linux the program starts itself once more, which asks the kernel for a signal at the death of its parent and then
//! becomes the server. Between fork and exec the same would take `unsafe`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The first argument of a program that is to become a server; the second is the id of the process that started it.
const BECOME: &str = "__become-server";
/// The exit code of a program that could not become one, as a shell has it.
const NOT_STARTED: u8 = 127;

/// The command line with which to start a server.
///
/// # Errors
/// When there is no such program, or it cannot be run. What else can go wrong is found when it is started.
pub(super) fn command(program: &OsStr, arguments: &[OsString]) -> io::Result<(OsString, Vec<OsString>)> {
    let direct = || (program.to_owned(), arguments.to_vec());
    if !cfg!(target_os = "linux") {
        return Ok(direct());
    }
    find(program)?;
    // Where the program's own file is gone, the server is started without the last resort.
    let Some(own) = own() else { return Ok(direct()) };
    let parent = std::process::id().to_string();
    let mut all = vec![OsString::from(BECOME), parent.into(), program.to_owned()];
    all.extend_from_slice(arguments);
    Ok((own, all))
}

/// Keeps other processes of the user from reading this one's memory and environment, and the system from dumping them.
pub(super) fn hide() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::debug!(%error, "the program stays readable for other processes of this user");
    }
}

/// Becomes a server, where this process was started for that; gives the exit code where it cannot.
pub(super) fn become_server() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != BECOME {
        return None;
    }
    let error = exec(arguments);
    // It is the server's stderr, which is shown.
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
    // Not SIGKILL: launchers pass this one on to what they started, and a server can still save its work.
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        return error.into();
    }
    // It may have died before.
    if getppid().map(rustix::process::Pid::as_raw_pid) != parent {
        return io::Error::other("whoever started this has ended");
    }
    std::process::Command::new(program).args(arguments).exec()
}

#[cfg(not(target_os = "linux"))]
fn exec(_: impl Iterator<Item = OsString>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "not on this system")
}

/// The file of this program, also where it was replaced meanwhile.
fn own() -> Option<OsString> {
    let own = Path::new("/proc/self/exe");
    own.exists().then(|| own.as_os_str().to_owned())
}

/// Sees that there is a program: by its path, or in the folders of `PATH`.
fn find(program: &OsStr) -> io::Result<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 || path.is_absolute() {
        return runnable(path.to_owned());
    }
    let mut error = io::Error::from_raw_os_error(ENOENT);
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        match runnable(folder.join(path)) {
            Ok(found) => return Ok(found),
            // As a shell: one that may not be run says more than that there is none.
            Err(found) if found.kind() == io::ErrorKind::PermissionDenied => error = found,
            Err(_) => {}
        }
    }
    Err(error)
}

/// No such file or directory, on every Unix.
const ENOENT: i32 = 2;
/// Permission denied, on every Unix.
const EACCES: i32 = 13;

fn runnable(path: PathBuf) -> io::Result<PathBuf> {
    let metadata = std::fs::metadata(&path)?;
    #[cfg(unix)]
    let may = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let may = true;
    if metadata.is_file() && may { Ok(path) } else { Err(io::Error::from_raw_os_error(EACCES)) }
}
