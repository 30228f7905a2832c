//! Application that uses rmcp, with a `ClientHandler` of its own and handlers beside it. It calls a tool of a server; a
//! component or the application answers the server's requests meanwhile.
//!
//!     rmcp HANDLER.wasm TOOL ARGUMENTS http://127.0.0.1:3001/mcp
//!     rmcp HANDLER.wasm trigger-sampling-request '{"prompt":"hi"}' -- \
//!         npx -y @modelcontextprotocol/server-everything stdio

use std::error::Error;
use std::path::Path;

use process_wrap::tokio::{CommandWrap, ProcessGroup};
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, CustomRequest, CustomResult, Implementation,
};
use rmcp::service::{RequestContext, RoleClient};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ErrorData, ServiceExt};
use serde_json::json;
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers};
use taskcell_rmcp::Adapter;
use tokio::process::Command;

/// `ClientHandler` of the application, which answers requests that the component does not export.
struct Application;

impl ClientHandler for Application {
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleClient>,
    ) -> Result<CustomResult, ErrorData> {
        Ok(CustomResult(json!({ "greeting": format!("hello, {}", request.method) })))
    }

    fn get_info(&self) -> ClientConfig {
        // The adapter adds the capabilities of the component.
        ClientConfig::new(ClientCapabilities::default(), Implementation::new("example", "1"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (component, (tool, with), server) =
        match arguments.as_slice() {
            [component, tool, with, dashes, command @ ..] if dashes == "--" => {
                (component, (tool, with), Server::Command(command))
            }
            [component, tool, with, url] => (component, (tool, with), Server::Url(url)),
            _ => return Err(
                "usage: rmcp HANDLER.wasm TOOL ARGUMENTS (URL | -- COMMAND...), the tool's arguments as a JSON object"
                    .into(),
            ),
        };
    println!("{}", call(component.as_ref(), (tool, with), server).await?);
    Ok(())
}

/// Address of the server.
enum Server<'a> {
    Url(&'a str),
    Command(&'a [String]),
}

/// Calls a tool and returns its result.
async fn call(component: &Path, (tool, with): (&str, &str), server: Server<'_>) -> Result<String, Box<dyn Error>> {
    let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(serde_json::from_str(with)?);
    // The lines below are the application's addition; without them the transport would be rmcp's own.
    let engine = Engine::new(EngineOptions::default())?;
    let handler = Handler::from_file(&engine, component, Grants::default()).await?;
    let adapter = Adapter::new(Handlers::new([handler])?);
    let client = match server {
        Server::Url(url) => {
            // reqwest is built here without a provider of cryptography. An error means that there is one.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let config = StreamableHttpClientTransportConfig::with_uri(url);
            Application.serve(adapter.http(reqwest::Client::new(), config)).await?
        }
        Server::Command(command) => {
            let (program, arguments) = command.split_first().ok_or("no command")?;
            let mut command = Command::new(program);
            command.args(arguments);
            let mut command = CommandWrap::from(command);
            // Processes that a launcher starts end with it.
            command.wrap(ProcessGroup::leader());
            Application.serve(adapter.child_process(command)?).await?
        }
    };
    let result = client.call_tool(request).await?;
    client.cancel().await?;
    Ok(serde_json::to_string_pretty(&result)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskcell_test_support::{guests::build_guest, provision::repository};

    /// Server as a shell script: it asks for a message and for a greeting before it answers a call.
    const SERVER: &str = r#"
        say() { printf '%s\n' "{\"jsonrpc\":\"2.0\",$1}"; }
        read -r initialize
        case "$initialize" in *'"sampling":{}'*) ;; *) exit 1;; esac
        say '"id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}'
        read -r initialized; read -r call
        say '"id":1,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}],"maxTokens":10}'
        read -r sampled
        case "$sampled" in *'You said: hi'*) ;; *) exit 1;; esac
        say '"id":2,"method":"example/greet"'
        read -r greeted
        case "$greeted" in *'hello, example/greet'*) ;; *) exit 1;; esac
        say '"id":1,"result":{"content":[{"type":"text","text":"both were answered"}]}'
    "#;

    #[tokio::test]
    async fn each_is_answered_by_whom_it_is_for() {
        let component = build_guest(&repository().join("guest-examples/rust-minimal")).unwrap();
        let server = ["sh", "-c", SERVER].map(str::to_owned);
        let result = call(&component, ("any", "{}"), Server::Command(&server)).await.unwrap();
        assert!(result.contains("both were answered"), "{result}");
    }
}
