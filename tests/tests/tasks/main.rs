//! Tasks: the rules of a receiver, the stores, managed mode, and clients that are killed.

#[cfg(unix)]
mod kill;
mod managed;
mod receiver;
mod stores;
