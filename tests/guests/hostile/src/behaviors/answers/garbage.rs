//! Calls every import of the handler protocol that it has with what makes no sense, and goes on.

use crate::prelude::*;
use crate::wasi::clocks::monotonic_clock::subscribe_duration;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
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
    let options = TaskOptions { poll_interval: Some(0), status_message: Some(long) };
    _ = tasks::create(TaskMetadata { ttl: Some(u32::MAX) }, &options);
    drop(subscribe_duration(u64::MAX));
    Ok(said("good"))
}
