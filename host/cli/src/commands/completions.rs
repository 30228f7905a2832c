//! Command `taskcell completions`: prints a script that completes the command line in a shell.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;
use crate::outcome::Outcome;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell that the script is for
    shell: Shell,
}

/// Writes the script to stdout.
pub(crate) fn completions(args: &Args) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "taskcell", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Outcome::Success)
}
