//! An MCP server of revision 2026-07-28 whose tools ask the client: the Rust SDK's part of the tests of that revision.
//!
//! It speaks over stdio, or streamable HTTP on the port that the environment names as PORT (with the argument `json`
//! its answers are plain JSON where they can be), and an earlier revision, too, when the client begins with one. What a
//! tool says at its end holds what the client gave. server.py in python-2026 and server.mjs in node-2026 have the same
//! tools; `task` is this one's own: it runs as a task that asks twice.
#![allow(clippy::indexing_slicing, reason = "in a JSON value, what is not there is null")]

use std::sync::Arc;

use anyhow::Result;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ContentBlock, CreateTaskResult,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, GetTaskParams, GetTaskResult, Implementation,
    InputRequest, InputRequests, InputRequiredResult, ListToolsResult, PaginatedRequestParams, PromptMessage,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents, Role, ServerCapabilities,
    ServerConfig, Tool, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler, ServiceExt};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<()> {
    let server = Asking { tasks: Arc::new(TaskManager::new()) };
    if let Ok(port) = std::env::var("PORT") {
        let json = std::env::args().any(|argument| argument == "json");
        return serve_http(server, port.parse()?, json).await;
    }
    server.serve(rmcp::transport::stdio()).await?.waiting().await?;
    Ok(())
}

async fn serve_http(server: Asking, port: u16, json: bool) -> Result<()> {
    let mut config = StreamableHttpServerConfig::default();
    config.json_response = json;
    config.legacy_session_mode = !json;
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(server.clone()), sessions, config);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await?;
    Ok(())
}

#[derive(Clone)]
struct Asking {
    tasks: Arc<TaskManager>,
}

/// An input by what it is on the wire.
fn input(request: Value) -> Result<InputRequest, ErrorData> {
    serde_json::from_value(request).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn form() -> Value {
    let fields = json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    json!({ "method": "elicitation/create", "params": { "mode": "form", "message": "Your name?", "requestedSchema": fields } })
}

fn sampling() -> Value {
    let message = json!({ "role": "user", "content": { "type": "text", "text": "Capital of France?" } });
    json!({ "method": "sampling/createMessage", "params": { "messages": [message], "maxTokens": 20 } })
}

fn page() -> Value {
    json!({ "method": "elicitation/create", "params": {
        "mode": "url", "message": "Sign in", "url": "https://example.com/", "elicitationId": "",
    } })
}

fn roots() -> Value {
    json!({ "method": "roots/list" })
}

fn asks<const N: usize>(inputs: [(&str, Value); N], state: Option<String>) -> Result<InputRequiredResult, ErrorData> {
    let inputs = inputs.into_iter().map(|(key, request)| Ok((key.to_owned(), input(request)?)));
    let inputs: InputRequests = inputs.collect::<Result<_, ErrorData>>()?;
    Ok(InputRequiredResult::new(Some(inputs).filter(|inputs| !inputs.is_empty()), state))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("nothing")
}

fn said(text: String) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

/// Asks for a name, and then for what the model says of it.
async fn ask_twice(context: TaskContext) -> Result<CallToolResult, TaskExit> {
    let name = context.request_input("who", input(form())?).await?;
    context.set_status_message("now for the model");
    let city = context.request_input("capital", input(sampling())?).await?;
    let text = format!("{}, {}", word(&name["content"]["name"]), word(&city["content"]["text"]));
    Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
}

impl ServerHandler for Asking {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_prompts().enable_resources().enable_tasks().build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("rmcp-2026", "1"))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({ "type": "object" }).as_object().cloned().unwrap_or_default();
        let tools = ["three", "rounds", "stateless", "task"];
        Ok(ListToolsResult::with_all_items(tools.map(|name| Tool::new(name, "Asks the client", schema.clone())).into()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let state = request.request_state.clone();
        let given = request.input_responses.map(|given| json!(given));
        Ok(match (&*request.name, &given, state.as_deref()) {
            ("three", None, _) => asks([("who", form()), ("capital", sampling()), ("dirs", roots())], None)?.into(),
            ("three", Some(given), _) => said(format!(
                "{}, {}, {}",
                word(&given["who"]["content"]["name"]),
                word(&given["capital"]["content"]["text"]),
                word(&given["dirs"]["roots"][0]["uri"]),
            )),
            ("rounds", None, None) => asks([("who", form())], Some("waiting".to_owned()))?.into(),
            ("rounds", Some(given), Some("waiting")) => {
                asks([], Some(format!("known {}", word(&given["who"]["content"]["name"]))))?.into()
            }
            ("rounds", None, Some(state)) => asks([("page", page())], Some(format!("paged {state}")))?.into(),
            ("rounds", Some(given), Some(state)) => said(format!("{state}, {}", word(&given["page"]["action"]))),
            ("stateless", None, None) => asks([("dirs", roots())], None)?.into(),
            ("stateless", Some(given), state) => {
                said(format!("{}, {}", word(&given["dirs"]["roots"][0]["uri"]), state.unwrap_or("None")))
            }
            ("task", ..) if context.client_capabilities().is_some_and(|client| client.supports_tasks()) => {
                let options = TaskOptions::new().with_poll_interval_ms(20);
                let task = self.tasks.spawn(options, |context| Box::pin(ask_twice(context)));
                CreateTaskResult::new(task).into()
            }
            (name, ..) => return Err(ErrorData::invalid_params(format!("no such tool: {name}"), None)),
        })
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let Some(given) = request.input_responses.map(|given| json!(given)) else {
            return Ok(GetPromptResponse::InputRequired(asks([("who", form())], None)?));
        };
        let text = format!("Hello {}", word(&given["who"]["content"]["name"]));
        Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).into())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let Some(given) = request.input_responses.map(|given| json!(given)) else {
            return Ok(ReadResourceResponse::InputRequired(asks([("who", form())], None)?));
        };
        let what = request.uri.trim_start_matches("asks://").to_owned();
        let text = format!("{what} of {}", word(&given["who"]["content"]["name"]));
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, request.uri)]).into())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.tasks.get_task(&request.task_id).map(GetTaskResult::new)
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }
}
