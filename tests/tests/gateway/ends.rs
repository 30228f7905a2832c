//! A gateway between two ends that a test holds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use taskcell::{Handlers, NativeHandler};
use taskcell_gateway::{
    Connection, Connector, Frame, GatewayError, GatewayOptions, Receiver, Sender, TransportError, serve,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest time to wait for what must come.
const SOON: Duration = Duration::from_secs(20);
/// Time in which nothing comes where nothing must.
const A_WHILE: Duration = Duration::from_millis(150);

/// One end of a connection, held by the test.
pub(crate) struct End {
    to: mpsc::UnboundedSender<Result<Frame, TransportError>>,
    from: mpsc::UnboundedReceiver<Frame>,
}

impl End {
    /// Sends a text as it is.
    pub(crate) fn send(&self, text: &str) {
        self.to.send(Ok(Frame::copy_from_slice(text.as_bytes()))).unwrap();
    }

    /// Tells the gateway of an error of the connection.
    pub(crate) fn fail(&self, error: TransportError) {
        self.to.send(Err(error)).unwrap();
    }

    /// The next text, as it is.
    pub(crate) async fn next(&mut self) -> String {
        let frame = timeout(SOON, self.from.recv()).await.expect("nothing comes").expect("the connection ended");
        String::from_utf8(frame.to_vec()).unwrap()
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Value {
        let text = self.next().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Asserts that nothing comes.
    pub(crate) async fn nothing(&mut self) {
        if let Ok(Some(frame)) = timeout(A_WHILE, self.from.recv()).await {
            panic!("{}", String::from_utf8_lossy(&frame));
        }
    }
}

struct ChannelSender(Mutex<Option<mpsc::UnboundedSender<Frame>>>);

#[async_trait]
impl Sender for ChannelSender {
    async fn send(&self, frame: Frame) -> Result<(), TransportError> {
        let sent = self.0.lock().unwrap().as_ref().map(|to| to.send(frame));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(TransportError::Ended("it ended".to_owned())) }
    }

    async fn close(&self) {
        self.0.lock().unwrap().take();
    }
}

struct ChannelReceiver(mpsc::UnboundedReceiver<Result<Frame, TransportError>>);

#[async_trait]
impl Receiver for ChannelReceiver {
    async fn next(&mut self) -> Option<Result<Frame, TransportError>> {
        self.0.recv().await
    }
}

fn connection() -> (Connection, End) {
    let (to, theirs) = mpsc::unbounded_channel();
    let (ours, from) = mpsc::unbounded_channel();
    let sender = Arc::new(ChannelSender(Mutex::new(Some(ours))));
    (Connection { sender, receiver: Box::new(ChannelReceiver(theirs)) }, End { to, from })
}

/// Servers that are started one after the other.
struct Servers(Mutex<VecDeque<Connection>>);

#[async_trait]
impl Connector for Servers {
    async fn connect(&self) -> Result<Connection, TransportError> {
        let server = self.0.lock().unwrap().pop_front();
        server.ok_or_else(|| TransportError::Connect("there is no such server".to_owned()))
    }

    fn name(&self) -> &str {
        "fake"
    }
}

/// A gateway with its client, its server, and the server that is started after that one.
pub(crate) struct Through {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) later: Option<End>,
    pub(crate) notices: Arc<Mutex<Vec<String>>>,
    pub(crate) gateway: JoinHandle<Result<(), GatewayError>>,
}

impl Through {
    pub(crate) fn new(mut options: GatewayOptions) -> Self {
        let (of_client, client) = connection();
        let (of_server, server) = connection();
        let (of_later, later) = connection();
        let notices = Arc::<Mutex<Vec<String>>>::default();
        options.notice = Arc::new({
            let notices = Arc::clone(&notices);
            move |line: &str| notices.lock().unwrap().push(line.to_owned())
        });
        let servers = Arc::new(Servers(Mutex::new([of_server, of_later].into())));
        let gateway = tokio::spawn(serve(of_client, servers, options));
        Self { client, server, later: Some(later), notices, gateway }
    }

    /// Initializes with these capabilities of the client. Returns what the server hears of them.
    pub(crate) async fn initialize(&mut self, capabilities: Value) -> Value {
        self.client.send(&initialize("a client", capabilities));
        let declared = self.server.message().await["params"]["capabilities"].clone();
        self.server.send(INITIALIZED);
        assert_eq!(self.client.next().await, INITIALIZED);
        self.client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        assert_eq!(self.server.message().await["method"], "notifications/initialized");
        declared
    }

    /// Calls the tool `go` with this id.
    pub(crate) async fn call(&mut self, id: u32, token: Option<&str>) {
        let meta = token.map_or_else(|| json!({}), |token| json!({ "progressToken": token }));
        let params = json!({ "name": "go", "_meta": meta });
        self.client.send(&request(id.into(), "tools/call", params));
        let call = self.server.message().await;
        assert_eq!((&call["method"], &call["id"]), (&json!("tools/call"), &json!(id)));
    }

    pub(crate) fn has_notice(&self, words: &str) -> bool {
        self.notices.lock().unwrap().iter().any(|line| line.contains(words))
    }
}

/// The answer of a server to `initialize`, with odd spacing that must stay.
pub(crate) const INITIALIZED: &str = r#"{"result":{"protocolVersion":"2025-11-25", "capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"fake","version":"1"}},"jsonrpc":"2.0","id":0}"#;

pub(crate) fn initialize(name: &str, capabilities: Value) -> String {
    let info = json!({ "name": name, "version": "1" });
    request(
        0.into(),
        "initialize",
        json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info }),
    )
}

pub(crate) fn request(id: Value, method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// A question of a server for a form.
pub(crate) fn form(id: Value) -> String {
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    request(id, "elicitation/create", json!({ "message": "Who?", "requestedSchema": schema }))
}

/// Handlers for roots alone, which are told by their name.
pub(crate) fn roots(name: &'static str) -> Handlers {
    use taskcell::protocol::types::{ListRootsResult, Root};

    let root = move || Root { uri: format!("file:///{name}"), name: None, meta: None };
    let handler = NativeHandler::roots(move |_| {
        let roots = vec![root()];
        async move { Ok(ListRootsResult { roots, meta: None }) }
    });
    Handlers::default().native(handler).unwrap()
}

/// Adds a handler of elicitation that accepts with no content after a while.
pub(crate) fn with_slow_form(handlers: Handlers, time: Duration) -> Handlers {
    use taskcell::protocol::types::{ElicitAction, ElicitResult};

    let handler = NativeHandler::elicitation(move |_, _| async move {
        tokio::time::sleep(time).await;
        Ok(ElicitResult { action: ElicitAction::Accept(Some(Vec::new())), meta: None })
    });
    handlers.native(handler).unwrap()
}
