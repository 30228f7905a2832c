//! Life of a gateway: both connections, the messages of the server, restarts, the end.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::value::RawValue;
use taskcell::Session;
use taskcell::protocol::code;
use taskcell::protocol::types::RpcError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::error::GatewayError;
use crate::hold::quiet;
use crate::options::GatewayOptions;
use crate::peek::{self, CancelledParams, Peek, ProgressParams, Truncated};
use crate::questions::By;
use crate::relay::{Relay, lock};
use crate::text;
use crate::transport::{Connection, Connector, Frame, Receiver, TransportError};
use crate::upstream::{Opened, Upstream, initialized};

/// Bytes that are read of a client before the server takes them.
const AHEAD: usize = 1 << 20;
/// Bytes that a message of these counts besides its text.
const OVERHEAD: usize = 256;
/// Time for the client's last messages to reach the server, and for the handlers' work to be stored.
const LAST: Duration = Duration::from_secs(1);
/// Time for the end of the server, after which nothing more is passed on.
const END: Duration = Duration::from_secs(5);
/// Time for a server that is started again to answer `initialize`.
const INITIALIZE: Duration = Duration::from_secs(30);

/// Stands between a client and a server until the client ends its connection. Then the server is ended, and what it
/// still sends goes to the client.
///
/// # Errors
/// When the server cannot be started or reached at first. Later the client is told, and the server is started again at
/// the client's next request.
pub async fn serve(
    client: Connection,
    server: Arc<dyn Connector>,
    options: GatewayOptions,
) -> Result<(), GatewayError> {
    let Connection { sender, receiver } = client;
    let relay = Arc::new(Relay::new(options, sender, server));
    let (opened, incoming) = mpsc::channel(1);
    lock(&relay.opened).replace(opened);
    relay.connect().await.map_err(GatewayError::Server)?;
    let mut of_server = pin!(relay.serve_server(incoming));
    tokio::select! {
        () = relay.serve_client(receiver) => {}
        () = &mut of_server => {}
    }
    // No restart from here on.
    drop(lock(&relay.opened).take());
    let closing = async {
        if let Some(upstream) = relay.upstream() {
            relay.end_handlers(&upstream).await;
            upstream.sender.close().await;
        }
    };
    // What the server still sends is passed on meanwhile.
    let _ = timeout(END, async { tokio::join!(closing, of_server) }).await;
    relay.client.close().await;
    Ok(())
}

impl Relay {
    /// Passes the client's messages on until its connection ends.
    ///
    /// The client is read ahead of a server that does not read, as its end must be seen nevertheless.
    async fn serve_client(self: &Arc<Self>, mut receiver: Box<dyn Receiver>) {
        let (ahead, mut waiting) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(AHEAD));
        let receiving = async move {
            while let Some(received) = receiver.next().await {
                let bytes = received.as_ref().map_or(0, |frame| frame.len()).saturating_add(OVERHEAD).min(AHEAD);
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                // The semaphore is never closed.
                let Ok(permit) = Arc::clone(&room).acquire_many_owned(bytes).await else { return };
                if ahead.send((received, permit)).is_err() {
                    return;
                }
            }
        };
        let passing = async {
            while let Some((received, _permit)) = waiting.recv().await {
                match received {
                    Ok(frame) => self.from_client(frame).await,
                    Err(error) if !error.is_final() => self.client_was_too_long(&error).await,
                    Err(error) => self.notice(&format!("the client's messages cannot be read: {error}")),
                }
            }
        };
        let mut passing = pin!(passing);
        tokio::select! {
            () = &mut passing => return,
            () = receiving => {}
        }
        let _ = timeout(LAST, passing).await;
    }

    /// Passes the messages of one server after another on.
    async fn serve_server(self: &Arc<Self>, mut incoming: mpsc::Receiver<Opened>) {
        while let Some(Opened { upstream, mut receiver }) = incoming.recv().await {
            let how = loop {
                match receiver.next().await {
                    Some(Ok(frame)) => self.from_server(&upstream, frame).await,
                    Some(Err(error)) if !error.is_final() => self.server_failed_once(&upstream, &error).await,
                    Some(Err(error)) => break error.to_string(),
                    None => break "the server ended".to_owned(),
                }
            };
            self.server_ended(&upstream, &how).await;
        }
    }

    /// Opens a connection with the server.
    async fn connect(&self) -> Result<Arc<Upstream>, TransportError> {
        let Some(opened) = lock(&self.opened).clone() else {
            return Err(TransportError::Ended("the gateway is closing".to_owned()));
        };
        let Connection { sender, receiver } = self.connector.connect().await?;
        self.backoff.started(Instant::now());
        let upstream = Arc::new(Upstream { sender, session: OnceLock::new() });
        *lock(&self.upstream) = Some(Arc::clone(&upstream));
        // The other side receives until this one drops the channel.
        let _ = opened.send(Opened { upstream: Arc::clone(&upstream), receiver }).await;
        Ok(upstream)
    }

    /// Starts the server again, and brings it to where the last one was. With `initializes` the client does that.
    ///
    /// # Errors
    /// The text for the request that is not answered.
    pub(crate) async fn restart(self: &Arc<Self>, initializes: bool) -> Result<(), String> {
        self.backoff.may_start(Instant::now())?;
        self.notice("the server is started again");
        let upstream = self.connect().await.map_err(|error| {
            self.backoff.ended(&error.to_string(), Instant::now());
            error.to_string()
        })?;
        let initialize = lock(&self.initialize).clone();
        let Some(initialize) = initialize.filter(|_| !initializes) else { return Ok(()) };
        let id = format!("taskcell-{}", uuid::Uuid::new_v4());
        let Peek::Request { id: written, .. } = Peek::at(&initialize) else { return Ok(()) };
        let request = text::splice(&initialize, written.get(), &format!("\"{id}\""));
        let (answer, answered) = oneshot::channel();
        lock(&self.own).insert(id.clone(), answer);
        let exchange = async {
            upstream.sender.send(request).await.map_err(|error| error.to_string())?;
            answered.await.map_err(|_| "it ended".to_owned())
        };
        let answer = timeout(INITIALIZE, exchange).await;
        lock(&self.own).remove(&id);
        let read = match &answer {
            Ok(Ok(answer)) => match Peek::at(answer) {
                Peek::Response { outcome: Ok(result), .. } => initialized(result),
                Peek::Response { outcome: Err(error), .. } => Err(error.get().to_owned()),
                _ => Err("its answer cannot be read".to_owned()),
            },
            Ok(Err(why)) => Err(why.clone()),
            Err(_) => Err(format!("it gave no answer within {} s", INITIALIZE.as_secs())),
        };
        let begun = match read {
            Ok(begun) => begun,
            Err(why) => {
                let why = format!("the server was started again and cannot be initialized: {why}");
                upstream.sender.close().await;
                return Err(why);
            }
        };
        let _ = upstream.sender.send(text::notification("notifications/initialized", &serde_json::json!({}))).await;
        // As at the first start, the server may ask for what its tools need.
        quiet(self.questions.open()).await;
        for method in begun.list_changed {
            self.to_client(text::notification(method, &serde_json::json!({}))).await;
        }
        Ok(())
    }

    /// Takes a message of the server.
    async fn from_server(self: &Arc<Self>, upstream: &Arc<Upstream>, frame: Frame) {
        let passes = match Peek::at(&frame) {
            Peek::Request { id, method, params } => self.server_asks(upstream, &frame, id.get(), &method, params).await,
            Peek::Notification { method, params } => self.server_tells(&method, params),
            Peek::Response { id: Some(id), outcome } => self.server_answered(upstream, &frame, id, outcome),
            Peek::Batch(messages) => {
                for message in messages {
                    if let Peek::Response { id: Some(id), .. } = Peek::at(message.get().as_bytes()) {
                        lock(&self.calls).close(id.get());
                    }
                }
                true
            }
            Peek::Response { id: None, .. } | Peek::Other => true,
        };
        if passes {
            self.to_client(frame).await;
        }
    }

    /// Notes a notification of the server, and says whether it is for the client.
    fn server_tells(&self, method: &str, params: Option<&RawValue>) -> bool {
        match method {
            "notifications/progress" => {
                if let Some(ProgressParams { progress_token, progress }) = peek::read(params) {
                    lock(&self.calls).progressed(progress_token, progress);
                }
                true
            }
            "notifications/cancelled" => {
                let Some(CancelledParams { request_id }) = peek::read(params) else { return true };
                !self.question_cancelled(request_id.get())
            }
            _ => true,
        }
    }

    /// Notes an answer of the server, and says whether it is for the client.
    fn server_answered(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        frame: &Frame,
        id: &RawValue,
        outcome: Result<Option<&RawValue>, &RawValue>,
    ) -> bool {
        let own = id.get().trim_matches('"');
        let own = lock(&self.own).remove(own);
        let call = lock(&self.calls).close(id.get());
        let is_initialize = own.is_some() || call.is_some_and(|call| &*call.method == "initialize");
        if let (true, Ok(result)) = (is_initialize, outcome) {
            self.begin_session(upstream, result);
        }
        match own {
            // The caller may have given up.
            Some(own) => {
                let _ = own.send(frame.clone());
                false
            }
            None => true,
        }
    }

    /// Begins the session of the handlers with a server that answered `initialize`.
    fn begin_session(self: &Arc<Self>, upstream: &Arc<Upstream>, result: Option<&RawValue>) {
        let begun = match initialized(result) {
            Ok(begun) => begun,
            Err(why) => return self.notice(&format!("{why}; handlers answer nothing")),
        };
        let mut options = (self.options.session)(begun.server);
        options.protocol_version = begun.revision;
        let (session, outbox) = Session::new(self.options.handlers.clone(), options);
        if upstream.session.set(Arc::new(session)).is_ok() {
            tokio::spawn(Arc::clone(self).forward(Arc::clone(upstream), outbox));
        }
    }

    /// Answers for a message of the server that was not received: one that is too long, or an exchange that failed.
    async fn server_failed_once(&self, upstream: &Arc<Upstream>, error: &TransportError) {
        self.notice(&format!("the server: {error}"));
        let (beginning, end) = match error {
            TransportError::TooLarge { beginning, end, .. } => (beginning, end),
            TransportError::NotAnswered { id, .. } => {
                let id = String::from_utf8_lossy(id);
                if lock(&self.calls).close(&id).is_some() {
                    self.to_client(text::error(&id, &RpcError::new(code::INTERNAL_ERROR, error.to_string()))).await;
                }
                return;
            }
            _ => return,
        };
        let why = RpcError::new(code::INTERNAL_ERROR, format!("The server: {error}"));
        match peek::truncated(beginning, end) {
            Truncated::Response(id) if lock(&self.calls).close(&id).is_some() => {
                self.to_client(text::error(&id, &why)).await;
            }
            Truncated::Request(id) => {
                let why = RpcError::new(code::INVALID_REQUEST, error.to_string());
                let _ = upstream.sender.send(text::error(&id, &why)).await;
            }
            Truncated::Response(_) | Truncated::Unknown => {}
        }
    }

    /// Ends the work of the handlers for a server.
    async fn end_handlers(&self, upstream: &Arc<Upstream>) {
        for (_, question) in self.questions.take_all(|question| question.by == By::Handler) {
            if let Some(work) = question.work {
                work.abort();
            }
        }
        if let Some(session) = upstream.session.get() {
            let _ = timeout(LAST, session.end()).await;
        }
    }

    /// Answers what the server left open.
    async fn server_ended(&self, upstream: &Arc<Upstream>, how: &str) {
        lock(&self.upstream).take_if(|current| Arc::ptr_eq(current, upstream));
        self.backoff.ended(how, Instant::now());
        lock(&self.own).clear();
        drop(lock(&self.hold).end());
        self.end_handlers(upstream).await;
        // A later server may use the same ids.
        for (id, _) in self.questions.take_all(|_| true) {
            let params = format!(r#"{{"requestId":{id},"reason":"the server ended"}}"#);
            if let Ok(params) = RawValue::from_string(params) {
                self.to_client(text::notification("notifications/cancelled", &params)).await;
            }
        }
        let open = lock(&self.calls).drain();
        if lock(&self.opened).is_none() {
            return;
        }
        self.notice(&format!("{how}; it is started again at the client's next request"));
        for id in open {
            self.to_client(text::error(&id, &RpcError::new(code::INTERNAL_ERROR, how.to_owned()))).await;
        }
    }
}
