//! basic/utilities/cancellation: what is asked of who receives a cancellation. `session.rs` has the tests of the
//! requests themselves; here is what cancellations mean for tasks.

use serde_json::{Value, json};
use taskcell_test_support::conversation::{Conversation, request};
use taskcell_test_support::server::options;

use super::{ELICITATION, SAMPLING, as_task, create, each, form, id, prompt};

fn cancelled(id: &Value) -> Value {
    let params = json!({ "requestId": id, "reason": "no longer wanted" });
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })
}

/// A task is cancelled by `tasks/cancel` alone: the request that made it has been answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_notification_cancels_no_task() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for (number, method, params) in [(1, SAMPLING, prompt("soon")), (2, ELICITATION, form("soon"))] {
            server.send(&request(number, method, &as_task(params)));
            let task = server.answer(number).await.unwrap()["result"]["task"].clone();
            server.handle(&cancelled(&json!(number))).await.unwrap();
            server.handle(&cancelled(&task["taskId"])).await.unwrap();
            let result = server.ask_task("tasks/result", id(&task)).await.unwrap();
            assert!(result.get("result").is_some(), "{result}");
        }
    })
    .await;
}

/// A `tasks/result` that is cancelled gets no answer; the task goes on, and its result can be asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_wait_leaves_the_task_alone() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let task = create(&mut server, SAMPLING, prompt("soon")).await;
        let params = json!({ "taskId": id(&task) });
        // Two ways for the race to go: before the request and after it.
        server.handle(&cancelled(&json!("early"))).await.unwrap();
        server.send(&request("early", "tasks/result", &params));
        let result = server.ask("tasks/result", &params).await.unwrap();
        assert_eq!(result["result"]["content"]["text"], "Scripted answer to: ask soon");
        server.handle(&cancelled(&json!("late"))).await.unwrap();
        let all = server.end().await.unwrap();
        assert!(all.iter().all(|message| message["id"] != "early"), "{all:?}");
    })
    .await;
}
