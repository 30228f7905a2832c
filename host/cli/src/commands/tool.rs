//! Command `taskcell tool`, for the build files of `taskcell new` where `wit-bindgen` and `wasm-tools` are not
//! installed.
//!
//! Each subcommand takes the arguments of the tool that it replaces. A build file names the tool in a variable, and
//! `taskcell build` sets that variable, so the same build file works with either.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::languages::bindings::{Bindings, Generator, component};
use crate::outcome::Outcome;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(clap::Subcommand)]
enum Tool {
    /// Generate the bindings of a world, as `wit-bindgen` does
    WitBindgen {
        /// The language
        language: Generator,
        /// The WIT: a file, or a folder with its `deps`
        #[arg(default_value = "wit")]
        wit: PathBuf,
        /// The world; can be left out where there is only one
        #[arg(short, long)]
        world: Option<String>,
        /// Another name for the world in the bindings; for C
        #[arg(long)]
        rename_world: Option<String>,
        /// The folder to write to
        #[arg(long, default_value = ".")]
        out_dir: PathBuf,
    },
    /// Create a component from a core module, as `wasm-tools component new` does; WASI preview 1 is adapted
    ComponentNew {
        /// The core module
        core: PathBuf,
        /// The component
        #[arg(short)]
        output: PathBuf,
    },
}

pub(crate) fn tool(args: Args) -> anyhow::Result<Outcome> {
    match args.tool {
        Tool::WitBindgen { language, wit, world, rename_world, out_dir } => {
            Bindings { wit: &wit, world: world.as_deref(), rename_world, out: &out_dir }.write(language)?;
        }
        Tool::ComponentNew { core, output } => {
            let module = fs::read(&core).with_context(|| format!("cannot read {}", core.display()))?;
            let component =
                component(&module).with_context(|| format!("cannot make a component from {}", core.display()))?;
            fs::write(&output, component).with_context(|| format!("cannot write {}", output.display()))?;
        }
    }
    Ok(Outcome::Success)
}
