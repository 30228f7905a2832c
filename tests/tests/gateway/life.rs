//! The end of a server, its restart, and the end of a client.

use std::time::Duration;

use serde_json::json;
use taskcell_gateway::{GatewayOptions, TransportError};

use super::ends::{INITIALIZED, Through, form, request, roots, with_slow_form};

#[tokio::test]
async fn a_server_that_ends_is_started_again_at_the_next_call() {
    let mut through = Through::new(GatewayOptions::new(roots("handler")));
    let declared = through.initialize(json!({ "elicitation": {} })).await;
    through.call(1, None).await;
    // A question that the client has is withdrawn.
    through.server.send(&form("q".into()));
    through.client.next().await;
    through
        .server
        .fail(TransportError::Ended("the server ended (exit status: 3); its last words: Error: x".to_owned()));
    let cancelled = through.client.message().await;
    assert_eq!(
        (&cancelled["method"], &cancelled["params"]["requestId"]),
        (&json!("notifications/cancelled"), &json!("q"))
    );
    let error = through.client.message().await;
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(1), &json!(-32603)), "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("Error: x"), "{error}");

    // The next request starts it, and comes after its initialization.
    let list = request(2.into(), "tools/list", json!({}));
    through.client.send(&list);
    through.server = through.later.take().unwrap();
    let replayed = through.server.message().await;
    assert_eq!((&replayed["method"], &replayed["params"]["capabilities"]), (&json!("initialize"), &declared));
    let id = replayed["id"].as_str().unwrap();
    assert!(id.starts_with("taskcell-"), "{replayed}");
    through.server.send(&INITIALIZED.replace(r#""id":0"#, &format!(r#""id":"{id}""#)));
    assert_eq!(through.server.message().await["method"], "notifications/initialized");
    // As at the first start, what the server asks now is answered before the request.
    through.server.send(&request("start".into(), "roots/list", json!({})));
    assert_eq!(through.server.message().await["id"], "start");
    assert_eq!(through.server.next().await, list);
    // The client hears of its lists, and nothing of the initialization.
    assert_eq!(through.client.message().await["method"], "notifications/tools/list_changed");
    through.client.nothing().await;
    through.server.send(&request(1.into(), "roots/list", json!({})));
    assert_eq!(through.server.message().await["result"]["roots"][0]["uri"], "file:///handler");
}

#[tokio::test]
async fn a_server_that_cannot_be_started_again_is_an_error_of_each_call() {
    let mut through = Through::new(GatewayOptions::new(roots("handler")));
    through.initialize(json!({})).await;
    through.server.fail(TransportError::Ended("it ended".to_owned()));
    // A request that comes before the end is noticed is answered with the end itself.
    while !through.has_notice("it is started again") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    through.client.send(&request(1.into(), "tools/list", json!({})));
    through.server = through.later.take().unwrap();
    assert_eq!(through.server.message().await["method"], "initialize");
    through.server.fail(TransportError::Ended("it ended again".to_owned()));
    let error = through.client.message().await;
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(1), &json!(-32603)), "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("cannot be initialized"), "{error}");
    // The second end has a pause.
    through.client.send(&request(2.into(), "ping", json!({})));
    let error = through.client.message().await;
    assert!(error["error"]["message"].as_str().unwrap().contains("can be started again in"), "{error}");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_everything() {
    let mut through = Through::new(GatewayOptions::new(with_slow_form(roots("x"), Duration::from_secs(600))));
    through.initialize(json!({})).await;
    through.server.send(&form(1.into()));
    let Through { client, server, gateway, .. } = through;
    drop(client);
    drop(server);
    gateway.await.unwrap().unwrap();
}
