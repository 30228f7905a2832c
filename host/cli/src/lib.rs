//! The program `taskcell`: one file a command.
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 for a good result, 1 for a result that is an
//! error, 2 when the command could not be run, which a single line on stderr explains.

mod check;
mod client;
mod commands;
mod config;
mod languages;
mod outcome;
mod signals;
mod telemetry;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use client::launch;
use commands::{
    build, call, compile, completions, demo, demo_server, doctor, inspect, keyvalue, new, record, run, tasks, tool,
};
use outcome::Outcome;
use taskcell::text;
use telemetry::Telemetry;
use terminal::{screen, wrap};

/// Runs the handlers with which an MCP client answers its server, as sandboxed WebAssembly components.
#[derive(Parser)]
#[command(name = "taskcell", version, propagate_version = true)]
struct Cli {
    /// Log more: once for what happens, twice for details. TASKCELL_LOG takes a filter instead
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show a built-in MCP server being answered from cells; needs nothing else
    Demo(demo::Args),
    /// Act as the MCP client of a server: call a tool, answer what the server asks
    #[command(after_help = run::EXAMPLES)]
    Run(run::Args),
    /// Send one request into a handler
    #[command(after_help = call::EXAMPLES, override_usage = call::USAGE)]
    Call(call::Args),
    /// Show what a component exports, imports and needs
    Inspect(inspect::Args),
    /// Check that a component is a correct handler: say what passed, and what to fix
    Check(check::Args),
    /// Compile components ahead of time, into the cache
    Compile(compile::Args),
    /// Be the MCP client of a server, as `run` is, and write each request and its answer as a fixture for `check`
    Record(record::Args),
    /// Look into a store of tasks, cancel one, clear it up
    Tasks(tasks::Args),
    /// See and change the keys and values of a handler
    Keyvalue(keyvalue::Args),
    /// Create a handler project, ready to build
    New(new::Args),
    /// Build a handler with its language's own tools, and check the component
    Build(build::Args),
    /// Run the tools that the build files of `new` call: wit-bindgen and wasm-tools, built in
    Tool(tool::Args),
    /// Look at what the program needs on this machine: folders, toolchains, keys, the configuration
    Doctor(doctor::Args),
    /// Write a script that completes this command line in a shell
    Completions(completions::Args),
    /// Be the server of the demo, on stdin and stdout
    #[command(hide = true)]
    DemoServer,
}

impl Command {
    /// Whether it answers requests for somebody, which is worth to be exported.
    fn serves(&self) -> bool {
        matches!(self, Self::Demo(_) | Self::Run(_) | Self::Call(_) | Self::Record(_))
    }

    /// Whether it says itself what became of each cell.
    fn reports_cells(&self) -> bool {
        matches!(self, Self::Build(_) | Self::Check(_))
    }
}

/// Characters of the error that ends the program: it may list all that would have been right.
const MAX_ERROR: usize = 1_000;

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    if let Some(code) = launch::become_server() {
        return code;
    }
    let cli = Cli::parse();
    if cli.verbose > 0 {
        screen::be_verbose();
    }
    let telemetry = Telemetry::begin(cli.verbose, cli.command.serves(), cli.command.reports_cells());
    let ended = block_on(cli.command);
    screen::leave();
    telemetry.end();
    let code = match ended {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::ErrorResult) => ExitCode::from(1),
        // Whoever read stdout has gone, such as `head`: there is nobody to tell.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(is_broken_pipe) => ExitCode::from(2),
        Err(error) => {
            let line = format!("taskcell: {}", text::one_line(&format!("{error:#}"), MAX_ERROR));
            screen::line(&wrap::for_stderr(&line));
            ExitCode::from(2)
        }
    };
    screen::flush();
    code
}

fn is_broken_pipe(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

/// Reads a `taskcell.toml` for the fuzzer: gives what is said of its handlers' settings, or the error as it is shown.
///
/// # Errors
/// The line that the program would end with.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub fn fuzz_config(file: &std::path::Path, bytes: &[u8]) -> Result<Vec<String>, String> {
    config::fuzz(file, bytes)
}

fn block_on(command: Command) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // A guest that computes yields every millisecond; timers must get their turn between two yields.
        .event_interval(7)
        .build()?;
    let ended = runtime.block_on(async {
        match command {
            Command::Demo(args) => demo::demo(args).await,
            Command::Run(args) => run::run(args).await,
            Command::Call(args) => call::call(args).await,
            Command::Inspect(args) => inspect::inspect(args).await,
            Command::Check(args) => check::command(args).await,
            Command::Compile(args) => compile::compile(args).await,
            Command::Record(args) => record::record(args).await,
            Command::Tasks(args) => tasks::tasks(args).await,
            Command::Keyvalue(args) => keyvalue::keyvalue(args).await,
            Command::New(args) => new::new(&args),
            Command::Build(args) => build::build(args).await,
            Command::Tool(args) => tool::tool(args),
            Command::Doctor(args) => doctor::doctor(args).await,
            Command::Completions(args) => completions::completions(&args),
            Command::DemoServer => demo_server::serve().await,
        }
    });
    // Reading stdin blocks a thread that nothing can interrupt; it must not hold up the end.
    runtime.shutdown_background();
    ended
}
