//! The program `taskcell`: its commands, its configuration file, and the servers that it runs.

#[cfg(unix)]
mod check;
#[cfg(unix)]
mod compile;
mod config;
mod new;
mod policy;
mod program;
mod real_servers;
#[cfg(unix)]
mod record;
#[cfg(unix)]
mod tasks_command;
mod tools;
mod watch;
