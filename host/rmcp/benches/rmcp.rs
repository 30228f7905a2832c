//! Cost of the adapter in a round trip of rmcp: rmcp's own transport and the adapter's take turns in one run.
//!
//! The server is rmcp's, in this process and as a child process over pipes. A call has a short result or one of 64 KiB.
//! No handler is called: the bench measures the inspection of messages, which all traffic pays for.
#![allow(clippy::indexing_slicing, clippy::expect_used, reason = "a bench fails by panicking")]

#[path = "../../taskcell/benches/common/measure.rs"]
#[allow(
    dead_code,
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "shared with other benches"
)]
mod measure;

use std::time::Instant;

use measure::median;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleClient, RoleServer, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ErrorData, ServerHandler, ServiceExt};
use taskcell::protocol::types::RpcError;
use taskcell::{Handlers, NativeHandler};
use taskcell_rmcp::Adapter;
use tokio::process::Command;

type Failure = Box<dyn std::error::Error>;
type Client = RunningService<RoleClient, ()>;

const ROUNDS: usize = 201;
const PER_ROUND: u32 = 100;
/// Argument that makes this program the server.
const SERVE: &str = "serve";

fn main() -> Result<(), Failure> {
    let is = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if is(SERVE) {
        return runtime.block_on(async {
            Echo.serve(rmcp::transport::stdio()).await?.waiting().await?;
            Ok(())
        });
    }
    // `cargo test` runs this without `--bench`; there is nothing to test here.
    if is("--bench") { runtime.block_on(compare()) } else { Ok(()) }
}

/// Server whose tools answer with as many bytes as their names say.
#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let size = request.name.parse().map_err(|_| ErrorData::invalid_params("a number of bytes", None))?;
        Ok(CallToolResult::success(vec![ContentBlock::text("x".repeat(size))]).into())
    }
}

/// Creates an adapter with handlers of all kinds that have tasks, so that it declares and inspects as much as possible.
fn adapter() -> Result<Adapter, Failure> {
    let nothing = || RpcError::new(-1, "nothing");
    let handlers = Handlers::default()
        .native(NativeHandler::sampling(move |_context, _request| async move { Err(nothing()) }))?
        .native(NativeHandler::elicitation(move |_context, _request| async move { Err(nothing()) }))?
        .native(NativeHandler::roots(move |_context| async move { Err(nothing()) }))?;
    Ok(Adapter::new(handlers.managed()))
}

/// Connects to a server in this process.
async fn in_process(adapter: Option<&Adapter>) -> Result<Client, Failure> {
    let (client, server) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move {
        if let Ok(running) = Echo.serve(server).await {
            let _ = running.waiting().await;
        }
    });
    let (read, write) = tokio::io::split(client);
    Ok(match adapter {
        Some(adapter) => ().serve(adapter.stdio(read, write)).await?,
        None => ().serve((read, write)).await?,
    })
}

/// Connects to a server in a process of its own.
async fn child_process(adapter: Option<&Adapter>) -> Result<Client, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(SERVE);
    Ok(match adapter {
        Some(adapter) => ().serve(adapter.child_process(command)?).await?,
        None => ().serve(TokioChildProcess::new(command)?).await?,
    })
}

async fn compare() -> Result<(), Failure> {
    println!("µs of a tools/call, median of {ROUNDS} rounds of {PER_ROUND}; the adapter is to add less than 5 %:");
    println!("{:<28} {:>10} {:>10} {:>10}", "", "rmcp", "adapter", "added");
    let adapter = adapter()?;
    let rows = [
        ("in this process, short", [in_process(None).await?, in_process(Some(&adapter)).await?], "8"),
        ("in this process, 64 KiB", [in_process(None).await?, in_process(Some(&adapter)).await?], "65536"),
        ("child process, short", [child_process(None).await?, child_process(Some(&adapter)).await?], "8"),
        ("child process, 64 KiB", [child_process(None).await?, child_process(Some(&adapter)).await?], "65536"),
    ];
    for (name, clients, tool) in rows {
        let [alone, with] = medians(&clients, tool).await?;
        println!("{name:<28} {alone:>10.1} {with:>10.1} {:>9.1}%", (with / alone - 1.0) * 100.0);
        for client in clients {
            client.cancel().await?;
        }
    }
    Ok(())
}

async fn medians(clients: &[Client; 2], tool: &'static str) -> Result<[f64; 2], Failure> {
    let mut samples = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        // The first transport in a round finds warm caches, so the order changes.
        for turn in 0..2 {
            let contender = (round + turn) % 2;
            let start = Instant::now();
            for _ in 0..PER_ROUND {
                clients[contender].call_tool(CallToolRequestParams::new(tool)).await?;
            }
            samples[contender].push(start.elapsed().as_secs_f64() * 1e6 / f64::from(PER_ROUND));
        }
    }
    Ok(samples.map(median))
}
