//! The application: what it answers itself, and the handlers that it has.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rmcp::ClientHandler;
use rmcp::ErrorData;
use rmcp::model::{
    CancelledNotificationParam, ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult,
    CustomRequest, CustomResult, ElicitRequestParams, ElicitResult, ElicitationAction, Implementation, ListRootsResult,
    LoggingMessageNotificationParam, Root, SamplingMessage,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use serde_json::{Value, json};
use taskcell::protocol::types::{self, Role, SamplingContent, TextContent};
use taskcell::{Handlers, NativeHandler};
use tokio::sync::watch;

/// The application's own handler. It takes everything, and says that it was it.
#[derive(Clone, Default)]
pub(crate) struct Own {
    seen: Arc<Mutex<Vec<String>>>,
}

impl Own {
    /// The notifications that came to it.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn see(&self, what: String) {
        self.seen.lock().unwrap().push(what);
    }
}

impl ClientHandler for Own {
    async fn create_message(
        &self,
        _params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        Ok(CreateMessageResult::new(SamplingMessage::assistant_text("own"), "own".to_owned()))
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(vec![Root::new("file:///own")]))
    }

    async fn create_elicitation(
        &self,
        _request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let content = json!({ "name": "own" });
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(content))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleClient>,
    ) -> Result<CustomResult, ErrorData> {
        Ok(CustomResult(json!({ "own": request.method })))
    }

    async fn on_cancelled(&self, params: CancelledNotificationParam, _context: NotificationContext<RoleClient>) {
        self.see(format!("cancelled {}", json!(params.request_id)));
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.see(format!("log {}", params.data));
    }

    fn get_info(&self) -> ClientConfig {
        let capabilities: ClientCapabilities = serde_json::from_value(own_capabilities()).unwrap();
        ClientConfig::new(capabilities, Implementation::new("application", "1"))
    }
}

/// What the application declares.
pub(crate) fn own_capabilities() -> Value {
    json!({
        "experimental": { "own": {} },
        "roots": { "listChanged": true },
        "sampling": { "context": {} },
        "elicitation": { "form": {} },
    })
}

/// The handlers: sampling, whose word is what it was asked, and with `slow` in it none at all.
#[derive(Clone)]
pub(crate) struct Sampler {
    /// How many calls are running.
    running: watch::Sender<usize>,
    calls: Arc<AtomicUsize>,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { running: watch::Sender::new(0), calls: Arc::default() }
    }
}

struct Running(watch::Sender<usize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

impl Sampler {
    /// Plain sampling, and tasks around it by the host.
    pub(crate) fn handlers(&self) -> Handlers {
        let sampler = self.clone();
        let native = NativeHandler::sampling(move |context, request| {
            let sampler = sampler.clone();
            async move {
                sampler.calls.fetch_add(1, Ordering::SeqCst);
                sampler.running.send_modify(|running| *running += 1);
                let _running = Running(sampler.running.clone());
                let text = said(&request);
                context.report(0.5, Some(1.0), None);
                if text.contains("slow") {
                    std::future::pending::<()>().await;
                }
                Ok(types::CreateMessageResult {
                    role: Role::Assistant,
                    content: vec![SamplingContent::Text(TextContent {
                        text: format!("{text}, {}", context.request.attempt),
                        annotations: None,
                        meta: None,
                    })],
                    model: "handlers".to_owned(),
                    stop_reason: None,
                    meta: None,
                })
            }
        });
        Handlers::default().native(native).unwrap().managed()
    }

    /// Waits until so many calls are running.
    pub(crate) async fn until_running(&self, count: usize) {
        let mut running = self.running.subscribe();
        taskcell_test_support::conversation::soon(running.wait_for(|running| *running == count))
            .await
            .unwrap()
            .unwrap();
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn said(request: &types::CreateMessageRequest) -> String {
    let content = request.messages.iter().flat_map(|message| &message.content);
    let texts = content.filter_map(|content| match content {
        SamplingContent::Text(content) => Some(content.text.clone()),
        _ => None,
    });
    texts.collect()
}
