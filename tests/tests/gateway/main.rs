//! The gateway: a client and a server on either side of it, as channels that a test holds, as processes, and as SDKs.

mod ends;
mod http;
mod http_server;
mod life;
mod listen;
mod passing;
mod patience;
mod peers;
mod program;
mod questions;
mod tasks;
