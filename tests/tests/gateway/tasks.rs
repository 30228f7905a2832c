//! Tasks of the client and of the handlers, side by side.

use serde_json::{Value, json};
use taskcell_gateway::GatewayOptions;

use super::ends::{Through, request, roots, with_slow_form};

fn ask(method: &str, id: &str, params: Value) -> String {
    request(id.into(), method, params)
}

/// A client that takes sampling as a task, and handlers that take elicitation as one.
async fn both() -> Through {
    let handlers = with_slow_form(roots("x"), std::time::Duration::ZERO).managed();
    let mut through = Through::new(GatewayOptions::new(handlers));
    let requests = json!({ "sampling": { "createMessage": {} } });
    let declared = through
        .initialize(json!({ "sampling": {}, "tasks": { "list": {}, "cancel": {}, "requests": requests } }))
        .await;
    let requests = json!({ "sampling": { "createMessage": {} }, "elicitation": { "create": {} } });
    assert_eq!(declared["tasks"], json!({ "list": {}, "cancel": {}, "requests": requests }));
    through
}

/// Requests about a task go to the side that made it.
#[tokio::test]
async fn requests_about_a_task_find_its_maker() {
    let mut through = both().await;
    let sampling = ask("sampling/createMessage", "s", json!({ "maxTokens": 1, "messages": [], "task": {} }));
    through.server.send(&sampling);
    assert_eq!(through.client.next().await, sampling);
    let created = r#"{"jsonrpc":"2.0","id":"s","result":{"task":{"taskId":"of-client","status":"working"}}}"#;
    through.client.send(created);
    assert_eq!(through.server.next().await, created);

    let schema = json!({ "type": "object", "properties": {} });
    let form = json!({ "message": "Who?", "requestedSchema": schema, "task": { "ttl": 60_000 } });
    through.server.send(&ask("elicitation/create", "e", form));
    let created = through.server.message().await;
    let own = created["result"]["task"]["taskId"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();

    let get = ask("tasks/get", "1", json!({ "taskId": "of-client" }));
    through.server.send(&get);
    assert_eq!(through.client.next().await, get);
    through.server.send(&ask("tasks/result", "2", json!({ "taskId": own })));
    loop {
        let message = through.server.message().await;
        if message["id"] == "2" {
            assert_eq!(message["result"]["action"], "accept", "{message}");
            break;
        }
        assert_eq!(message["method"], "notifications/tasks/status");
    }
    through.client.nothing().await;
}

/// A list has the handlers' pages, then the client's.
#[tokio::test]
async fn lists_are_merged() {
    let mut through = both().await;
    through.server.send(&ask("tasks/list", "1", json!({})));
    let page = through.server.message().await;
    let next = page["result"]["nextCursor"].as_str().unwrap_or_else(|| panic!("{page}")).to_owned();
    assert_eq!(page["result"]["tasks"], json!([]));
    through.server.send(&ask("tasks/list", "2", json!({ "cursor": next })));
    let asked = through.client.message().await;
    assert_eq!((&asked["id"], &asked["params"]), (&json!("2"), &json!({})));
    through.client.send(r#"{"jsonrpc":"2.0","id":"2","result":{"tasks":[{"taskId":"x"}],"nextCursor":"abc"}}"#);
    let page = through.server.message().await;
    assert_eq!(page["result"]["tasks"][0]["taskId"], "x");
    through.server.send(&ask("tasks/list", "3", json!({ "cursor": page["result"]["nextCursor"] })));
    assert_eq!(through.client.message().await["params"]["cursor"], "abc");
    through.client.send(r#"{"jsonrpc":"2.0","id":"3","result":{"tasks":[]}}"#);
    assert!(through.server.message().await["result"].get("nextCursor").is_none());
}
