//! Client that started this process: its messages come from stdin, and stdout is for messages to it.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::Stdin;

use super::lines::{self, Lines};
use super::server::frame;
use super::writer::LineWriter;
use crate::transport::{Connection, Frame, Receiver, TransportError};

/// Opens the connection to the client on stdin and stdout, which nothing else may use. Every line of the client is a
/// frame, also one that is no message: its receiver answers it.
#[must_use]
pub fn client() -> Connection {
    Connection {
        sender: Arc::new(LineWriter::new(tokio::io::stdout())),
        receiver: Box::new(Client { lines: lines::messages(tokio::io::stdin()) }),
    }
}

struct Client {
    lines: Lines<Stdin>,
}

#[async_trait]
impl Receiver for Client {
    async fn next(&mut self) -> Option<Result<Frame, TransportError>> {
        match lines::next(&mut self.lines).await {
            Ok(line) => line.map(frame),
            Err(error) => Some(Err(error.into())),
        }
    }
}
