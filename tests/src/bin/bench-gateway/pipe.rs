//! The bare pipe: the least that a gateway can be. It maps the ids of the client's requests and passes all else.

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader, stdin, stdout};
use tokio::process::Command;

/// Word that selects the pipe: `bench-gateway pipe COMMAND`.
pub(crate) const WORD: &str = "pipe";

/// The members that a pipe reads.
#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: Option<&'a str>,
}

/// Runs a server and passes lines between it and the client.
///
/// # Errors
/// When the server cannot be started, or a pipe breaks.
pub(crate) fn run(command: &[String]) -> Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (program, arguments) = command.split_first().context("a command")?;
        let mut server = Command::new(program);
        let mut server = server.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = (server.stdin.take().context("a pipe")?, server.stdout.take().context("a pipe")?);
        tokio::select! {
            ended = pass(BufReader::new(stdin()), to, |line| mapped(line, true)) => ended,
            ended = pass(BufReader::new(from), stdout(), |line| mapped(line, false)) => ended,
        }?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn pass(
    mut from: impl AsyncBufRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    map: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    let mut line = String::new();
    while from.read_line(&mut line).await? > 0 {
        to.write_all(map(&line).as_deref().unwrap_or(&line).as_bytes()).await?;
        to.flush().await?;
        line.clear();
    }
    Ok(())
}

/// The line with its id mapped: a request of the client gets a `p` before its number, and its response loses it.
fn mapped(line: &str, from_client: bool) -> Option<String> {
    let peek: Peek<'_> = serde_json::from_str(line).ok()?;
    let id = peek.id?.get();
    let new = match (from_client, peek.method) {
        (true, Some(_)) => format!("\"p{id}\""),
        (false, None) => id.strip_prefix("\"p")?.strip_suffix('"')?.to_owned(),
        _ => return None,
    };
    let start = id.as_ptr() as usize - line.as_ptr() as usize;
    Some([&line[..start], &new, &line[start + id.len()..]].concat())
}
