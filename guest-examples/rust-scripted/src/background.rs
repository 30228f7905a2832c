//! Background work: what a task gives is what the plain request would have given, a while later.

use crate::bindings::exports::taskcell::handlers::background::Guest;
use crate::bindings::taskcell::handlers::types::{RequestContext, RpcError, Task, TaskInput, TaskOutput, TaskStatus};
use crate::bindings::taskcell::handlers::{progress, tasks};
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::script::Answer;
use crate::{Handler, elicitation, sampling, settings};

/// JSON-RPC's code for invalid params.
const INVALID_PARAMS: i32 = -32602;

/// Progress is told in two steps: begun and done.
const STEPS: f64 = 2.0;

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

impl Guest for Handler {
    fn run(context: RequestContext, task: Task, input: TaskInput) -> Result<TaskOutput, RpcError> {
        let script = settings::script()?;
        match input {
            TaskInput::Sampling(request) => {
                let answer = sampling::answer(script, &request, context.attempt);
                take_time(&task, answer, "The model is thinking").map(TaskOutput::Sampling)
            }
            TaskInput::Elicitation(request) => {
                let answer = elicitation::answer(&script, request);
                take_time(&task, answer, "The user is typing").map(TaskOutput::Elicitation)
            }
            TaskInput::Custom(_) => {
                Err(RpcError { code: INVALID_PARAMS, message: "This handler spawns no custom work".into(), data: None })
            }
        }
    }
}

/// Gives the answer after its delay, and tells how far the work is meanwhile.
fn take_time<T>(task: &Task, answer: Answer<T>, status: &str) -> Result<T, RpcError> {
    tasks::update(&task.task_id, TaskStatus::Working, Some(status))?;
    progress::report(1.0, Some(STEPS), Some(status));
    let delay = u64::from(answer.delay_ms) * NANOSECONDS_PER_MILLISECOND;
    monotonic_clock::subscribe_duration(delay).block();
    progress::report(STEPS, Some(STEPS), Some("Done"));
    answer.outcome
}
