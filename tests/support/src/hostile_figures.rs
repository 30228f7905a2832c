//! Figures of the program's memory and time beside servers that try to make it hold more data and wait forever.
//!
//! Each scenario is a row of [`SCENARIOS`]: a flood of the tests' fake server, and the bounds on the program.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cli;

/// A server, and the bounds on the program beside it.
#[derive(Debug)]
pub struct Scenario {
    /// Name of the scenario.
    pub name: &'static str,
    /// Flags of `taskcell run`.
    pub options: &'static [&'static str],
    /// Arguments of the fake server.
    pub server: &'static [&'static str],
    /// MiB of memory that the program may take beyond a quiet server's.
    pub grows: u64,
    /// Seconds after which the program gets SIGTERM, which must end it within 3 seconds; `None` when it ends by itself.
    pub terminated: Option<u64>,
}

/// Seconds between SIGTERM and the end of the program.
pub const ENDS_WITHIN: u64 = 3;

/// Arguments of a quiet server, the reference for memory.
pub const QUIET: &[&str] = &["ok"];

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "answers that nobody reads: 1,500 pings with ids of 2 MB",
        options: &["--tool", "go", "--timeout", "10"],
        server: &["flood", "unread", "1500", "2000000", "8"],
        grows: 64,
        terminated: None,
    },
    Scenario {
        name: "answers that nobody reads: 600 results of 3.9 MB",
        options: &["--tool", "go", "--timeout", "20"],
        server: &["flood", "results", "3900000", "600", "8"],
        grows: 64,
        terminated: None,
    },
    Scenario {
        name: "answers that nobody reads: 600 of 3.9 MB to requests as large",
        options: &["--tool", "go", "--timeout", "20"],
        server: &["flood", "echoes", "3900000", "600", "8"],
        grows: 64,
        terminated: None,
    },
    Scenario {
        name: "a list without end: pages of 3 MB of tiny values",
        options: &[],
        server: &["flood", "pages", "0", "3000000"],
        grows: 64,
        terminated: None,
    },
    Scenario {
        name: "a list without end: pages of 9 MB",
        options: &[],
        server: &["flood", "pages", "0", "9000000"],
        grows: 64,
        terminated: None,
    },
    Scenario {
        name: "300,000 log messages",
        options: &["--tool", "go"],
        server: &["flood", "logs", "300000", "200"],
        grows: 64,
        terminated: None,
    },
    Scenario {
        name: "SIGTERM beside a stubborn server",
        options: &["--tool", "go"],
        server: &["flood", "stubborn", "600"],
        grows: 64,
        terminated: Some(2),
    },
    Scenario {
        name: "SIGTERM during a slow list without end",
        options: &[],
        server: &["flood", "pages", "0", "3000", "50"],
        grows: 64,
        terminated: Some(3),
    },
    Scenario {
        name: "SIGTERM in a flood of pings",
        options: &["-q", "--tool", "go"],
        server: &["flood", "pings", "1000000000"],
        grows: 64,
        terminated: Some(3),
    },
    Scenario {
        name: "SIGTERM in a flood of log messages, on a stderr that nobody reads",
        options: &["-v", "--tool", "go"],
        server: &["flood", "logs", "1000000000", "200"],
        grows: 64,
        terminated: Some(3),
    },
    Scenario {
        name: "SIGTERM while nobody reads answers",
        options: &["--tool", "go"],
        server: &["flood", "unread", "1500", "2000000", "600"],
        grows: 64,
        terminated: Some(4),
    },
    Scenario {
        name: "SIGTERM while answers are held against costly forms",
        options: &["--tool", "go"],
        server: &["flood", "forms", "1500", "1000", "5000"],
        grows: 64,
        terminated: Some(4),
    },
    Scenario {
        name: "a million and a half pings without --json",
        options: &["-q", "--tool", "go"],
        server: &["flood", "pings", "1500000"],
        grows: 8,
        terminated: None,
    },
];

/// Measured figures.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Largest resident memory, in MiB.
    pub peak: u64,
    /// Time of the run.
    pub time: Duration,
    /// Time from SIGTERM to the end.
    pub ending: Option<Duration>,
    /// Exit code.
    pub code: Option<i32>,
}

/// Runs a program beside the fake server and measures it. Nobody reads its stderr.
///
/// # Errors
/// When the program cannot be started or measured, or does not end within minutes.
pub fn measure(
    program: &Path,
    fake_server: &Path,
    options: &[&str],
    server: &[&str],
    terminated: Option<u64>,
) -> Result<Figures> {
    let start = Instant::now();
    let program = program.to_str().context("the program's path is no text")?;
    let mut command = cli::command(program);
    command.arg("run").args(options).arg("--").arg(fake_server).args(server);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context(program.to_owned())?;
    let (mut peak, mut signaled) = (0, None);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        peak = peak.max(resident(&child).unwrap_or(0));
        if terminated.is_some_and(|after| signaled.is_none() && start.elapsed() >= Duration::from_secs(after)) {
            signaled = Some(Instant::now());
            cli::signal(&child, "TERM")?;
        }
        if start.elapsed() > Duration::from_secs(300) {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let ending = signaled.map(|at| at.elapsed());
    Ok(Figures { peak: peak >> 10, time: start.elapsed(), ending, code: status.code() })
}

/// Largest resident memory of a process so far, in KiB.
fn resident(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
