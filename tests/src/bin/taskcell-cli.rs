//! The program `taskcell`, built with the tests, which cargo then finds for them.

fn main() -> std::process::ExitCode {
    taskcell_cli::main()
}
