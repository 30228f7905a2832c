//! `taskcell completions`: a script that completes the command line in a shell.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Ended};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The shell that the script is for
    shell: Shell,
}

/// Writes the script to stdout.
pub(super) fn completions(args: &Args) -> anyhow::Result<Ended> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "taskcell", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Ended::Well)
}
