//! The program `taskcell`; see [`taskcell_cli`].

fn main() -> std::process::ExitCode {
    taskcell_cli::main()
}
