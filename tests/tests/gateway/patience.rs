//! Questions that take longer than the client waits for its call.

use std::time::Duration;

use serde_json::json;
use taskcell_gateway::GatewayOptions;

use super::ends::{Through, form, roots, with_slow_form};

fn options(handler: u64, patience: u64) -> GatewayOptions {
    let mut options = GatewayOptions::new(with_slow_form(roots("x"), Duration::from_millis(handler)));
    options.patience = Duration::from_millis(patience);
    options.progress = Duration::from_millis(50);
    options
}

/// A call with a progress token is kept alive: the values grow above those of the server.
#[tokio::test]
async fn a_client_with_a_token_hears_that_its_call_waits() {
    let mut through = Through::new(options(1_000, 200));
    through.initialize(json!({})).await;
    through.call(1, Some("t")).await;
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":5}}"#;
    through.server.send(progress);
    assert_eq!(through.client.next().await, progress);
    through.server.send(&form(1.into()));
    let mut last = 5.0;
    for _ in 0..3 {
        let told = through.client.message().await;
        assert_eq!(
            (&told["method"], &told["params"]["progressToken"]),
            (&json!("notifications/progress"), &json!("t"))
        );
        let value = told["params"]["progress"].as_f64().unwrap();
        assert!(value > last && value < 6.0, "{told}");
        last = value;
    }
    assert_eq!(through.server.message().await["result"]["action"], "accept", "the question was not given up");
}

/// Without a token the server hears `cancel`, and the answer counts when the question comes again, once.
#[tokio::test]
async fn an_answer_that_comes_too_late_is_kept_for_the_next_call() {
    let mut through = Through::new(options(600, 100));
    through.initialize(json!({})).await;
    through.call(1, None).await;
    through.server.send(&form(1.into()));
    assert_eq!(through.server.message().await["result"]["action"], "cancel");
    assert!(through.has_notice("the answer is kept"));
    // The call comes again, and its question joins the one that the handler still has.
    let mut id = 2;
    let action = loop {
        through.server.send(&form(id.into()));
        let answer = through.server.message().await;
        assert_eq!(answer["id"], id);
        id += 1;
        if answer["result"]["action"] != "cancel" {
            break answer["result"]["action"].clone();
        }
    };
    assert_eq!(action, "accept");
    // It is given out once: a person who agreed to one call did not agree to the next.
    through.server.send(&form(id.into()));
    assert_eq!(through.server.message().await["result"]["action"], "cancel");
}

/// A question outside of any call holds nothing up.
#[tokio::test]
async fn a_question_of_no_call_takes_its_time() {
    let mut through = Through::new(options(400, 50));
    through.initialize(json!({})).await;
    through.server.send(&form(1.into()));
    assert_eq!(through.server.message().await["result"]["action"], "accept");
}
