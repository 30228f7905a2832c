//! The course of a task: from the request that makes it to its end.

use super::*;

const RELATED: &str = "io.modelcontextprotocol/related-task";

/// How a task ends.
struct Course {
    method: &'static str,
    params: Value,
    end: &'static str,
}

fn courses() -> Vec<Course> {
    let prompt = |text: &str| json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": text } }], "maxTokens": 10 });
    let form = |message: &str| json!({ "message": message, "requestedSchema": { "type": "object", "properties": { "name": { "type": "string" } } } });
    let ends = [
        ("hi", "completed"),
        ("ask", "completed"),
        ("reject", "failed"),
        ("trap", "failed"),
        ("ask refuse", "failed"),
        ("ask slow", "cancelled"),
    ];
    let both = |(word, end): (&str, &'static str)| {
        [
            Course { method: SAMPLING, params: prompt(word), end },
            Course { method: ELICITATION, params: form(word), end },
        ]
    };
    ends.into_iter().flat_map(both).collect()
}

/// Goes each course, and sees what is told of it on the way.
pub(super) async fn run(handlers: &Handlers) {
    let mut differences = Differences::default();
    for course in courses() {
        course.go(handlers, &mut differences).await;
    }
    pages(handlers, &mut differences).await;
    differences.none();
}

/// A task as it is shown.
fn task(status: &str, message: &str) -> Value {
    json!({
        "taskId": "*", "status": status, "statusMessage": message, "createdAt": "*", "lastUpdatedAt": "*",
        "ttl": 60_000, "pollInterval": 100,
    })
}

impl Course {
    async fn go(&self, handlers: &Handlers, differences: &mut Differences) {
        let what = |step: &str| format!("{} {}: {step}", self.method, self.params);
        let mut server = conversation(handlers);
        let mut params = self.params.clone();
        params["task"] = json!({ "ttl": 60_000 });
        params["_meta"] = json!({ "progressToken": "t" });
        let created = outcome(server.ask(self.method, &params).await.unwrap());
        differences.check(&what("made"), &json!({ "result": { "task": task("working", "begun") } }), &created);
        let id = created["result"]["task"]["taskId"].clone();
        let this = json!({ "taskId": id });

        if self.end == "cancelled" {
            // The work waits by then: it has told of itself.
            while !server.seen().iter().any(|message| message["method"] == "notifications/progress") {
                server.next().await.unwrap();
            }
            let found = outcome(server.ask("tasks/get", &this).await.unwrap());
            differences.check(&what("waits"), &json!({ "result": task("working", "begun") }), &found);
            let found = outcome(server.ask("tasks/cancel", &this).await.unwrap());
            differences.check(
                &what("cancelled"),
                &json!({ "result": task("cancelled", "*") }),
                &without_message(found),
            );
        }
        let result = outcome(server.ask("tasks/result", &this).await.unwrap());
        differences.check(&what("result"), &self.result(&mut server, &this).await, &result);
        let found = outcome(server.ask("tasks/get", &this).await.unwrap());
        differences.check(&what("ended"), &json!({ "result": task(self.end, "*") }), &without_message(found.clone()));
        let list = outcome(server.ask("tasks/list", &json!({})).await.unwrap());
        differences.check(&what("listed"), &json!({ "result": { "tasks": [found["result"]] } }), &list);
        let again = outcome(server.ask("tasks/cancel", &this).await.unwrap());
        differences.check(&what("final"), &json!({ "error": { "code": -32602, "message": "*" } }), &again);

        let all = server.end().await.unwrap();
        let told = |method: &str| all.iter().filter(|message| message["method"] == method).collect::<Vec<_>>();
        let progress = told("notifications/progress");
        let half = json!({
            "progressToken": "t", "progress": 1, "total": 2, "message": "half", "_meta": { RELATED: { "taskId": id } },
        });
        differences.check(
            &what("progress"),
            &json!([half]),
            &progress.iter().map(|told| told["params"].clone()).collect(),
        );
        let last = told("notifications/tasks/status").last().map(|told| told["params"].clone());
        differences.check(
            &what("told"),
            &json!({ "taskId": id, "status": self.end }),
            &named(&last.unwrap_or_default()),
        );
    }

    /// What the same request gives without a task; for a cancelled one an error that says so.
    async fn result(&self, server: &mut Conversation, task: &Value) -> Value {
        if self.end == "cancelled" {
            return json!({ "error": { "code": -32603, "message": "Task was cancelled" } });
        }
        let mut plain = outcome(server.ask(self.method, &self.params).await.unwrap());
        if let Some(result) = plain.get_mut("result") {
            result["_meta"] = json!({ RELATED: task });
        }
        plain
    }
}

/// The end of a task is told in words of the host's.
fn without_message(mut answer: Value) -> Value {
    answer["result"]["statusMessage"] = json!("*");
    answer
}

fn named(told: &Value) -> Value {
    json!({ "taskId": told["taskId"], "status": told["status"] })
}

/// A cursor that was given leads to the next page.
async fn pages(handlers: &Handlers, differences: &mut Differences) {
    let mut options = options();
    options.tasks.page = 2;
    let mut server = Conversation::new(handlers.clone(), options);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(server.create("ask slow").await.unwrap());
    }
    let list =
        |page: &Value| page["result"]["tasks"].as_array().unwrap().iter().map(|task| task["taskId"].clone()).collect();
    let first = server.ask("tasks/list", &json!({})).await.unwrap();
    differences.check("the first page", &json!(ids[..2]), &list(&first));
    let second = server.ask("tasks/list", &json!({ "cursor": first["result"]["nextCursor"] })).await.unwrap();
    differences.check("the second page", &json!(ids[2..]), &list(&second));
    assert_eq!(second["result"].get("nextCursor"), None, "{second}");
}
