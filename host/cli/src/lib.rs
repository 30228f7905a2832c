//! Program `taskcell`, with one module for each command.
//!
//! Results go to stdout and everything else to stderr. Exit codes: 0 for a good result, 1 for a result that is an
//! error, and 2 for a command that could not run, which one line on stderr explains.

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
    build, call, compile, completions, demo, demo_server, doctor, inspect, keyvalue, new, proxy, record, run, tasks,
    tool,
};
use outcome::Outcome;
use taskcell::text;
use telemetry::Telemetry;
use terminal::{screen, wrap};

/// Runs the handlers with which an MCP client answers its server, as sandboxed WebAssembly components.
#[derive(Parser)]
#[command(name = "taskcell", version, propagate_version = true)]
struct Cli {
    /// Log more: once for events, twice for details. TASKCELL_LOG takes a filter instead
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show a built-in MCP server being answered from cells; needs nothing else
    Demo(demo::Args),
    /// Act as the MCP client of a server: call a tool, and answer the server's requests
    #[command(after_help = run::EXAMPLES)]
    Run(run::Args),
    /// Stand between an MCP client and a server, and answer for the client what handlers can
    #[command(after_help = proxy::EXAMPLES)]
    Proxy(proxy::Args),
    /// Send one request into a handler
    #[command(after_help = call::EXAMPLES, override_usage = call::USAGE)]
    Call(call::Args),
    /// Show what a component exports, imports and needs
    Inspect(inspect::Args),
    /// Check that a component is a correct handler: show what passed and what to fix
    Check(check::Args),
    /// Compile components ahead of time, into the cache
    Compile(compile::Args),
    /// Act as the MCP client of a server, like `run`, and write each request with its answer as a fixture for `check`
    Record(record::Args),
    /// Show the tasks of a store, cancel one, or clean up
    Tasks(tasks::Args),
    /// Show and change the keys and values of a handler
    Keyvalue(keyvalue::Args),
    /// Create a handler project, ready to build
    New(new::Args),
    /// Build a handler with its language's own tools, and check the component
    Build(build::Args),
    /// Run the tools that the build files of `new` call: built-in versions of wit-bindgen and wasm-tools
    Tool(tool::Args),
    /// Check what the program needs on this machine: folders, toolchains, keys, the configuration
    Doctor(doctor::Args),
    /// Write a script that completes this command line in a shell
    Completions(completions::Args),
    /// Run the server of the demo on stdin and stdout
    #[command(hide = true)]
    DemoServer,
}

impl Command {
    /// Whether the command answers requests for somebody, so that its telemetry is worth exporting.
    fn serves(&self) -> bool {
        matches!(self, Self::Demo(_) | Self::Run(_) | Self::Proxy(_) | Self::Call(_) | Self::Record(_))
    }

    /// Whether the command itself reports the end of each cell.
    fn reports_cells(&self) -> bool {
        matches!(self, Self::Build(_) | Self::Check(_))
    }
}

/// Maximum number of characters of the final error, which may list all valid values.
const MAX_ERROR: usize = 1_000;

/// Runs the program with the arguments of the process.
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
        // The reader of stdout has ended, such as `head`, so an error message has no reader.
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

/// Parses a `taskcell.toml` for the fuzzer. Returns the origins of the handlers' settings.
///
/// # Errors
/// The error is the line that users see.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub fn fuzz_config(file: &std::path::Path, bytes: &[u8]) -> Result<Vec<String>, String> {
    config::fuzz(file, bytes)
}

fn block_on(command: Command) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // A guest that computes yields every millisecond. Timers must run between two yields.
        .event_interval(7)
        .build()?;
    let ended = runtime.block_on(async {
        match command {
            Command::Demo(args) => demo::demo(args).await,
            Command::Run(args) => run::run(args).await,
            Command::Proxy(args) => proxy::proxy(args).await,
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
    // A read of stdin blocks a thread that nothing can interrupt. The thread must not delay the end of the program.
    runtime.shutdown_background();
    ended
}
