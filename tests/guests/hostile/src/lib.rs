//! A guest that does what hosts fear, and what is hard to see from outside. The text of the last message says which
//! of it; any other text gets a good answer.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use exports::taskcell::handlers::{augmented_sampling, background, cancel_task, get_task, get_task_result, sampling};
use taskcell::handlers::progress;
use taskcell::handlers::tasks::{self, TaskOptions};
use taskcell::handlers::types::*;
use wasi::cli::exit::exit;
use wasi::clocks::monotonic_clock::{now, subscribe_duration};

wit_bindgen::generate!({
    inline: "
        package taskcell:hostile;
        package wasi:cli@0.2.6 {
            interface exit { exit: func(status: result); }
        }
        world hostile {
            import taskcell:handlers/tasks@0.1.0;
            import taskcell:handlers/progress@0.1.0;
            import wasi:clocks/monotonic-clock@0.2.6;
            import wasi:cli/exit@0.2.6;
            export taskcell:handlers/sampling@0.1.0;
            export taskcell:handlers/augmented-sampling@0.1.0;
            export taskcell:handlers/get-task@0.1.0;
            export taskcell:handlers/get-task-result@0.1.0;
            export taskcell:handlers/cancel-task@0.1.0;
            export taskcell:handlers/background@0.1.0;
        }
    ",
    path: "../../../wit",
    world: "taskcell:hostile/hostile",
    generate_all,
});

/// More than any limit for messages and host calls that a test sets.
const BIG: usize = 1 << 20;
/// What those who take memory bit by bit take at once.
const BIT: usize = 64 << 10;
/// Nanoseconds that one who computes and waits in turn takes for each.
const TURN: u64 = 2_000_000;
/// More memory than a cell can have.
const ALL: usize = 1 << 30;

struct Handler;

impl sampling::Guest for Handler {
    fn handle(context: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        behave(&context, last_text(&request))
    }
}

impl augmented_sampling::Guest for Handler {
    fn handle(
        _: RequestContext,
        task: TaskMetadata,
        request: CreateMessageRequest,
    ) -> Result<CreateTaskResult, RpcError> {
        let behaviour = last_text(&request).to_owned();
        let task = create(task)?;
        if behaviour == "spawn-thousands" {
            let input = TaskInput::Sampling(request);
            for _ in 0..5_000 {
                tasks::spawn(&create(TaskMetadata { ttl: None })?.task_id, &input)?;
            }
            return Err(error("all were spawned"));
        }
        if behaviour == "create-then-wait" {
            wait(&task)?;
        }
        if behaviour == "done-at-once" {
            tasks::update(&task.task_id, TaskStatus::Working, Some("begun"))?;
            let task = tasks::complete(&task.task_id, &TaskOutput::Sampling(said("good")))?;
            return Ok(CreateTaskResult { task, meta: None });
        }
        let input = TaskInput::Sampling(request);
        tasks::spawn(&task.task_id, &input)?;
        let mut answer = CreateTaskResult { task, meta: None };
        match behaviour.as_str() {
            "spawn-then-fail" => return Err(error("changed my mind")),
            "spawn-then-trap" => trap(),
            "spawn-then-bad-meta" => answer.meta = Some("[1]".to_owned()),
            "spawn-twice" => tasks::spawn(&answer.task.task_id, &input)?,
            "spawn-unknown" => tasks::spawn("unknown", &input)?,
            _ => {}
        }
        Ok(answer)
    }
}

impl background::Guest for Handler {
    fn run(context: RequestContext, task: Task, input: TaskInput) -> Result<TaskOutput, RpcError> {
        let TaskInput::Sampling(request) = &input else { return Err(error("no such work was spawned")) };
        tasks::update(&task.task_id, TaskStatus::Working, Some("begun"))?;
        match last_text(request) {
            // Work of a request that failed should not run. Should it, this task tells of it.
            behaviour if behaviour.starts_with("spawn-") => {
                create(TaskMetadata { ttl: None }).and(Err(error("it ran")))
            }
            "more-work" => {
                tasks::spawn(&create(TaskMetadata { ttl: None })?.task_id, &input)?;
                Ok(TaskOutput::Sampling(said("it was spawned")))
            }
            "end-twice" => {
                tasks::complete(&task.task_id, &TaskOutput::Sampling(said("first")))?;
                tasks::fail(&task.task_id, &error("second"))?;
                Ok(TaskOutput::Sampling(said("third")))
            }
            "progress-after-end" => {
                progress::report(1.0, None, None);
                tasks::complete(&task.task_id, &TaskOutput::Sampling(said("good")))?;
                progress::report(2.0, None, None);
                Err(error("the task has ended"))
            }
            "progress-for-ever" => {
                for step in 0..u64::MAX {
                    progress::report(step as f64, None, None);
                }
                Err(error("for ever is over"))
            }
            behaviour @ ("asks-input" | "waits-for-input") => {
                tasks::update(&task.task_id, TaskStatus::InputRequired, Some("waiting"))?;
                if behaviour == "waits-for-input" {
                    wait(&task)?;
                }
                tasks::update(&task.task_id, TaskStatus::Working, Some("going on"))?;
                Ok(TaskOutput::Sampling(said("good")))
            }
            "wait-own" => wait(&task),
            "custom" => Ok(TaskOutput::Custom(
                "{\"of\":\n\"mine\",\"_meta\":{\"kept\":1.50},\"role\":\"assistant\",\"model\":\"m\",\"content\":[]}"
                    .to_owned(),
            )),
            "custom-list" => Ok(TaskOutput::Custom("[1]".to_owned())),
            "named-another" => {
                tasks::update(&task.task_id, TaskStatus::Working, Some("another's"))?;
                wait(&task)
            }
            behaviour => behave(&context, behaviour).map(TaskOutput::Sampling),
        }
    }
}

impl get_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        let mut task = tasks::get(&task_id)?;
        if task.status_message.as_deref() == Some("another's") {
            task.task_id = "another".to_owned();
        }
        Ok(TaskResult { task, meta: None })
    }
}

impl get_task_result::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskOutput, RpcError> {
        tasks::wait_for_result(&task_id)
    }
}

impl cancel_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        Ok(TaskResult { task: tasks::cancel(&task_id)?, meta: None })
    }
}

fn behave(context: &RequestContext, behaviour: &str) -> Result<CreateMessageResult, RpcError> {
    let mut answer = said("good");
    match behaviour {
        "loop" => loop {
            black_box(());
        },
        "loop-host" => loop {
            _ = tasks::get("unknown");
        },
        "recurse" => answer = said(&recurse().to_string()),
        "grow" => answer = said(&black_box(vec![1u8; ALL]).len().to_string()),
        "drip" => loop {
            black_box(vec![1u8; BIT].leak());
        },
        "grow-refused" => {
            let refused = Vec::<u8>::new().try_reserve_exact(black_box(ALL)).is_err();
            answer = said(if refused { "refused" } else { "granted" });
        }
        "trap" => trap(),
        "panic" => panic!("on purpose"),
        "big" => answer = said(&"x".repeat(BIG)),
        "big-error" => return Err(error(&"x".repeat(BIG))),
        "big-host-call" => {
            let task = create(TaskMetadata { ttl: None })?;
            tasks::update(&task.task_id, TaskStatus::Working, Some(&"x".repeat(BIG)))?;
        }
        "bad-meta" => answer.meta = Some("[1]".to_owned()),
        "bad-json" => answer.meta = Some("{".to_owned()),
        "two-json" => answer.meta = Some("{} {}".to_owned()),
        "newline-json" => answer.meta = Some("{\r\n  \"a\":\n    \"b\\n\"\n}".to_owned()),
        "deep-json" => answer.meta = Some(format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64))),
        "nan" => answer.content = vec![text("good", Some(f64::NAN))],
        "infinite" => answer.content = vec![text("good", Some(f64::INFINITY))],
        "refuse" => return Err(RpcError { data: Some("{\"why\": [1.50]}".to_owned()), ..error("I would rather not") }),
        "bad-error" => return Err(RpcError { data: Some("no JSON".to_owned()), ..error("refused") }),
        "newline-error" => return Err(RpcError { data: Some("[\n1\n]".to_owned()), ..error("two\nlines") }),
        "wait" => {
            wait(&create(TaskMetadata { ttl: None })?)?;
        }
        "alternate" => loop {
            let begun = now();
            while now() - begun < TURN {
                black_box(());
            }
            subscribe_duration(TURN).block();
        },
        "leak" => loop {
            std::mem::forget(subscribe_duration(TURN));
        },
        "exit" => exit(Ok(())),
        "many" => answer.content = vec![text("", None); 4_000],
        "negative" => answer.content = vec![text("good", Some(-1.0))],
        "beyond-integers" => answer.content = vec![text("good", Some(9_007_199_254_740_993.0))],
        "control" => {
            answer = said("\0\u{1b}[31m\r\n\u{7f}\u{2028}");
            answer.model = "\u{1b}]0;title\u{7}".to_owned();
        }
        "surrogate" => answer.meta = Some("{\"a\":\"\\ud800\"}".to_owned()),
        "deepest-json" => answer.meta = Some(format!("{{\"a\":{}", "[".repeat(BIG))),
        "lowest-code" => return Err(RpcError { code: i32::MIN, ..error("the least there is") }),
        "create-for-ever" => {
            let refused = (0..1_000).filter(|_| create(TaskMetadata { ttl: None }).is_err()).count();
            answer = said(&format!("{refused} were refused"));
        }
        "garbage" => garbage(),
        behaviour if behaviour.starts_with("finish ") => {
            let task = behaviour.trim_start_matches("finish ");
            tasks::complete(task, &TaskOutput::Sampling(said("another's result")))?;
        }
        "progress" => {
            for step in [1.0, 1.0, 0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -3.0, 1.5, 2.0] {
                progress::report(step, Some(f64::NAN), Some("a\nb"));
            }
        }
        "context" => {
            let RequestContext { request_id, progress_token, meta, server, protocol_version, attempt } = context;
            let token = match progress_token {
                Some(ProgressToken::Text(text)) => text.clone(),
                Some(ProgressToken::Number(number)) => number.to_string(),
                None => "none".to_owned(),
            };
            answer =
                said(&format!("{request_id} {token} {} {} {protocol_version} {attempt}", server.name, server.version));
            answer.meta.clone_from(meta);
        }
        _ => {}
    }
    Ok(answer)
}

/// Calls itself until the stack is used up. What follows the inner call keeps this from becoming a loop, and no local
/// has an address: the part of the stack that lies in memory is not to end first.
fn recurse() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    if CALLS.fetch_add(1, Relaxed) == u64::MAX {
        return 1;
    }
    recurse().wrapping_mul(3).rotate_left(7)
}

/// Calls every import with what makes no sense.
fn garbage() {
    let long = "x".repeat(BIT);
    for id in ["", "\0", "../../etc/passwd", "' OR 1=1 --", "\u{1b}[2J", &long] {
        _ = tasks::get(id);
        _ = tasks::list(Some(id));
        _ = tasks::update(id, TaskStatus::Completed, Some(id));
        _ = tasks::complete(id, &TaskOutput::Custom(id.to_owned()));
        _ = tasks::fail(id, &RpcError { code: i32::MIN, message: id.to_owned(), data: Some(id.to_owned()) });
        _ = tasks::cancel(id);
        _ = tasks::wait_for_result(id);
        _ = tasks::spawn(id, &TaskInput::Custom(id.to_owned()));
        progress::report(f64::NAN, Some(f64::NEG_INFINITY), Some(id));
    }
    _ = tasks::create(
        TaskMetadata { ttl: Some(u32::MAX) },
        &TaskOptions { poll_interval: Some(0), status_message: Some(long) },
    );
    drop(subscribe_duration(u64::MAX));
}

fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

/// Waits for a task that nobody works on.
fn wait(task: &Task) -> Result<TaskOutput, RpcError> {
    tasks::wait_for_result(&task.task_id)
}

fn create(metadata: TaskMetadata) -> Result<Task, RpcError> {
    tasks::create(metadata, &TaskOptions { poll_interval: None, status_message: None })
}

fn said(what: &str) -> CreateMessageResult {
    CreateMessageResult {
        role: Role::Assistant,
        content: vec![text(what, None)],
        model: "hostile".to_owned(),
        stop_reason: Some("endTurn".to_owned()),
        meta: None,
    }
}

fn text(text: &str, priority: Option<f64>) -> SamplingContent {
    let annotations = priority.map(|_| Annotations { audience: None, priority, last_modified: None });
    SamplingContent::Text(TextContent { text: text.to_owned(), annotations, meta: None })
}

fn error(message: &str) -> RpcError {
    RpcError { code: -7, message: message.to_owned(), data: None }
}

fn last_text(request: &CreateMessageRequest) -> &str {
    match request.messages.last().and_then(|message| message.content.last()) {
        Some(SamplingContent::Text(content)) => &content.text,
        _ => "",
    }
}

export!(Handler);
