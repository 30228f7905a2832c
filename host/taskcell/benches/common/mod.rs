//! Contenders of the benches: the same two requests, answered by native code, by wasmtime alone, and by taskcell.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    reason = "each bench is a crate of its own and uses a part"
)]

pub mod measure;

use std::sync::Arc;

use serde_json::Value;
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, Implementation, RequestContext, Role, RpcError, SamplingContent, Task,
    TaskResult, TaskStatus, TextContent,
};
use taskcell::sandbox::wasmtime_config;
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Limits, Outbox, Session, SessionOptions};
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre, Linker, TypedFunc};
use wasmtime::error::Context;
use wasmtime::{Result, Store};

/// A `tasks/get` of about 105 bytes.
pub const TASKS_GET: &str = include_str!("../peers/tasks-get.json");
/// A `sampling/createMessage` with ten messages, about 4 KiB.
pub const SAMPLING: &str = include_str!("../peers/sampling.json");

/// A guest of the benches, from `tests/guests/`.
pub fn guest(name: &str) -> Result<Vec<u8>> {
    guest_for(name, "wasm32-unknown-unknown")
}

/// A guest of the benches, built for another wasm target.
pub fn guest_for(name: &str, wasm: &str) -> Result<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests").join(name);
    let file = taskcell_test_support::guests::build_guest_for(&folder, wasm);
    Ok(std::fs::read(file.map_err(|error| wasmtime::format_err!("{error:#}"))?)?)
}

pub fn server() -> Implementation {
    Implementation::new("bench", "1")
}

/// A session of taskcell with every limit on.
pub async fn session() -> Result<(Session, Outbox)> {
    let engine = Engine::new(EngineOptions::default())?;
    let handler = Handler::from_bytes(&engine, "bench", guest("bench")?, Grants::default()).await?;
    let mut options = SessionOptions::new(server());
    // A bench asks more often than any server may.
    options.tasks.rate = taskcell::tasks::RateLimit::none();
    Ok(Session::new(Handlers::new([handler])?, options))
}

/// Native contender: parses, answers and serializes in Rust.
pub mod native {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Request<'a, P> {
        id: u64,
        #[serde(borrow)]
        #[allow(dead_code, reason = "a handler would look at it")]
        method: std::borrow::Cow<'a, str>,
        params: P,
    }

    #[derive(serde::Serialize)]
    struct Response<R> {
        jsonrpc: &'static str,
        id: u64,
        result: R,
    }

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct TaskParams {
        task_id: String,
    }

    pub fn tasks_get(request: &[u8]) -> Vec<u8> {
        let request: Request<'_, TaskParams> = serde_json::from_slice(request).expect("a request");
        let result = TaskResult { task: super::task(request.params.task_id), meta: None };
        serde_json::to_vec(&Response { jsonrpc: "2.0", id: request.id, result }).expect("a response")
    }

    pub fn sampling(request: &[u8]) -> Vec<u8> {
        let request: Request<'_, CreateMessageRequest> = serde_json::from_slice(request).expect("a request");
        let result = CreateMessageResult {
            role: Role::Assistant,
            content: vec![SamplingContent::Text(TextContent {
                text: format!("answer to {} messages", request.params.messages.len()),
                annotations: None,
                meta: None,
            })],
            model: "fake-model".to_owned(),
            stop_reason: Some("endTurn".to_owned()),
            meta: None,
        };
        serde_json::to_vec(&Response { jsonrpc: "2.0", id: request.id, result }).expect("a response")
    }
}

fn task(task_id: String) -> Task {
    Task {
        task_id,
        status: TaskStatus::Working,
        status_message: None,
        created_at: "2026-01-01T00:00:00.000Z".to_owned(),
        last_updated_at: "2026-01-01T00:00:00.000Z".to_owned(),
        ttl: Some(60_000),
        poll_interval: Some(300),
    }
}

type Answer<T> = (Result<T, RpcError>,);

/// Floor: the same component and engine settings with wasmtime alone; no JSON, no limits, no session.
pub struct Floor {
    engine: wasmtime::Engine,
    pre: InstancePre<()>,
    get_task: ComponentExportIndex,
    sampling: ComponentExportIndex,
    context: RequestContext,
    task_id: String,
    request: CreateMessageRequest,
}

/// The context of a request.
pub fn context() -> RequestContext {
    RequestContext {
        request_id: "7".to_owned(),
        progress_token: None,
        meta: None,
        server: Arc::new(server()),
        protocol_version: "2025-11-25".into(),
        attempt: 1,
    }
}

impl Floor {
    pub fn new() -> Result<Self> {
        let engine = wasmtime::Engine::new(&wasmtime_config(&Limits::default()))?;
        let component = Component::new(&engine, guest("bench")?)?;
        let find = |interface: &str| {
            let instance = component.get_export_index(None, format!("taskcell:handlers/{interface}@0.1.0").as_str());
            component.get_export_index(instance.as_ref(), "handle").context("no such export")
        };
        let (get_task, sampling) = (find("get-task")?, find("sampling")?);
        let pre = Linker::new(&engine).instantiate_pre(&component)?;
        component.initialize_copy_on_write_image()?;
        let params: Value = serde_json::from_str(SAMPLING)?;
        let context = context();
        let request = serde_json::from_str(&params["params"].to_string())?;
        Ok(Self { engine, pre, get_task, sampling, context, task_id: "0".repeat(36), request })
    }

    fn store(&self) -> Store<()> {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        store
    }

    pub async fn tasks_get(&self) -> Result<TaskResult> {
        let mut store = self.store();
        let instance = self.pre.instantiate_async(&mut store).await?;
        self.warm_tasks_get(&mut store, &instance).await
    }

    pub async fn sampling(&self) -> Result<CreateMessageResult> {
        let mut store = self.store();
        let instance = self.pre.instantiate_async(&mut store).await?;
        self.warm_sampling(&mut store, &instance).await
    }

    /// Creates an instance that stays alive.
    pub async fn warm(&self) -> Result<(Store<()>, Instance)> {
        let mut store = self.store();
        let instance = self.pre.instantiate_async(&mut store).await?;
        Ok((store, instance))
    }

    pub async fn warm_tasks_get(&self, store: &mut Store<()>, instance: &Instance) -> Result<TaskResult> {
        let func = instance.get_func(&mut *store, self.get_task).context("no function")?;
        // SAFETY: the guest is built from tests/guests/bench against the WIT that these types mirror.
        #[expect(unsafe_code, reason = "the floor is what the host does, which checks types once")]
        let func: TypedFunc<(&RequestContext, &str), Answer<TaskResult>> = unsafe { TypedFunc::new_unchecked(func) };
        let (answer,) = func.call_async(store, (&self.context, &self.task_id)).await?;
        answer.map_err(|error| wasmtime::format_err!("{}", error.message))
    }

    pub async fn warm_sampling(&self, store: &mut Store<()>, instance: &Instance) -> Result<CreateMessageResult> {
        let func = instance.get_func(&mut *store, self.sampling).context("no function")?;
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "the floor is what the host does, which checks types once")]
        let func: TypedFunc<(&RequestContext, &CreateMessageRequest), Answer<CreateMessageResult>> =
            unsafe { TypedFunc::new_unchecked(func) };
        let (answer,) = func.call_async(store, (&self.context, &self.request)).await?;
        answer.map_err(|error| wasmtime::format_err!("{}", error.message))
    }
}
