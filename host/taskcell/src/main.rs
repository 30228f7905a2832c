//! The program `taskcell`; see [`taskcell::cli`].

fn main() -> std::process::ExitCode {
    taskcell::cli::main()
}
