//! `taskcell run --url`: the program over streamable HTTP.

use serde_json::{Value, json};
use taskcell_test_support::cli::{Ran, command, names};
use taskcell_test_support::scripted_http::{HttpAsked, HttpReply, ScriptedHttp};

use super::{request, usual};

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

/// Runs the program beside the server of the test.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = command(PROGRAM);
    command.args(arguments).envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Server whose tool asks for a message on the call's stream, and is done when the answer has come.
pub(super) async fn sampling() -> ScriptedHttp {
    ScriptedHttp::start(|asked, nth| match (asked.message().as_str(), asked.json()["id"].as_str()) {
        ("tools/call", _) => {
            let params = json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": "hi" } }], "maxTokens": 9 });
            let answer = asked.result(&json!({ "content": [{ "type": "text", "text": "asked" }] }));
            HttpReply::event(&request("s-1", "sampling/createMessage", &params))
                .pause(std::time::Duration::from_millis(500))
                .text(format!("data: {answer}\n\n"))
        }
        _ => usual(asked, nth),
    })
    .await
    .unwrap()
}

fn answer_to_sampling(asked: &[HttpAsked]) -> Option<Value> {
    asked.iter().map(HttpAsked::json).find(|message| message["id"] == "s-1")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_called_and_its_questions_are_answered() {
    let server = sampling().await;
    let ran = run(&["run", "--json", "--url", &server.url(), "--tool", "echo"], &[]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document = ran.json().unwrap();
    assert_eq!(document["server"]["name"], "scripted");
    assert_eq!(document["requests"][0]["kind"], "sampling");
    assert_eq!(document["result"]["content"][0]["text"], "asked");
    let answer = answer_to_sampling(&server.asked()).unwrap();
    assert_eq!(answer["result"]["content"]["text"], "Scripted answer to: hi");
    assert_eq!(server.log().last().unwrap(), "DELETE session-0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_recorded() {
    let (server, folder) = (sampling().await, tempfile::tempdir().unwrap());
    let place = folder.path().display().to_string();
    let ran = run(&["record", &place, "--url", &server.url(), "--tool", "echo"], &[]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(names(folder.path()).unwrap(), ["001-sampling-createMessage"]);
}

/// Revision 2026-07-28 alone: the server refuses `initialize`, asks in a result, and gets its header.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_the_later_revision_is_answered() {
    let server = ScriptedHttp::start(|asked, nth| {
        let params = &asked.json()["params"];
        match asked.message().as_str() {
            "initialize" => HttpReply::body(400, "application/json", json!({
                "jsonrpc": "2.0", "id": asked.json()["id"],
                "error": { "code": -32022, "message": "Unsupported", "data": { "supported": ["2026-07-28"] } },
            }).to_string()),
            "server/discover" => HttpReply::json(&asked.result(&json!({ "supportedVersions": ["2026-07-28"], "resultType": "complete" }))),
            "tools/list" => HttpReply::json(&asked.result(&json!({ "resultType": "complete", "tools": [{ "name": "echo", "inputSchema": {
                "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": "Region" } },
            } }] }))),
            "tools/call" if params["inputResponses"].is_null() => HttpReply::event(&asked.result(&json!({
                "resultType": "input_required", "inputRequests": { "where": { "method": "roots/list" } },
            }))),
            "tools/call" => HttpReply::event(&asked.result(&json!({
                "resultType": "complete", "content": [{ "type": "text", "text": params["inputResponses"]["where"]["roots"][0]["uri"] }],
            }))),
            _ => usual(asked, nth),
        }
    })
    .await
    .unwrap();
    let url = server.url();
    let ran = run(&["run", "--url", &url, "--tool", "echo", "--args", r#"{"region":"eu"}"#], &[]).await;
    assert_eq!((ran.code, ran.stdout.trim()), (Some(0), "file:///workspace"), "{ran:?}");
    let calls: Vec<_> = server.asked().into_iter().filter(|asked| asked.message() == "tools/call").collect();
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert_eq!((call.header("mcp-name"), call.header("mcp-param-region")), ("echo", "eu"), "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_go_to_the_server_and_into_no_text() {
    let server = ScriptedHttp::start(usual).await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from-file\n").unwrap();
    let (url, path) = (server.url(), file.path().display().to_string());
    let variables = [("MY_TOKEN", "from-variable"), ("MY_KEY", "a-key")];
    #[rustfmt::skip]
    let table: [(&[&str], &str, &str); 3] = [
        (&["--token-env", "MY_TOKEN"],                          "authorization", "Bearer from-variable"),
        (&["--token-file", &path],                              "authorization", "Bearer from-file"),
        (&["--header-env", "X-Key=MY_KEY", "--header", "X-A: b"], "x-key",       "a-key"),
    ];
    for (flags, name, value) in table {
        let before = server.asked().len();
        let ran = run(&[&["-vv", "run", "--url", &url], flags].concat(), &variables).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let asked = server.asked();
        assert!(asked.len() > before && asked[before..].iter().all(|asked| asked.header(name) == value), "{name}");
        assert!(!["from-variable", "from-file", "a-key"].iter().any(|secret| ran.stderr.contains(secret)), "{ran:?}");
        assert!(ran.stderr.contains(name), "{ran:?}");
    }
}

/// Flags, and what the error says. The program ends with exit code 2 before it connects to anything.
#[tokio::test(flavor = "multi_thread")]
async fn flags_that_cannot_be_are_refused() {
    #[rustfmt::skip]
    let table: [(&[&str], &str); 14] = [
        (&[],                                                                   "required"),
        (&["--url", "http://127.0.0.1:9/mcp", "--", "server"],                  "cannot be used with"),
        (&["--token-env", "MY_TOKEN", "--", "server"],                          "cannot be used with"),
        (&["--url", "http://127.0.0.1:9/mcp", "--strict"],                      "cannot be used with"),
        (&["--url", "127.0.0.1:9/mcp"],                                         "--url"),
        (&["--url", "ftp://127.0.0.1/"],                                        "http://"),
        (&["--url", "https://me:word@127.0.0.1/"],                              "header"),
        (&["--url", "http://192.0.2.1/mcp", "--token-env", "MY_TOKEN"],         "--insecure"),
        (&["--url", "http://127.0.0.1:9/mcp", "--token-env", "MY_NOTHING"],     "MY_NOTHING"),
        (&["--url", "http://127.0.0.1:9/mcp", "--token-env", "MY_EMPTY"],       "MY_EMPTY"),
        (&["--url", "http://127.0.0.1:9/mcp", "--token-file", "/no/such/file"], "/no/such/file"),
        (&["--url", "http://127.0.0.1:9/mcp", "--header", "X-Key"],             "NAME: VALUE"),
        (&["--url", "http://127.0.0.1:9/mcp", "--header", "Accept: text/html"], "the transport's own"),
        (&["--url", "http://127.0.0.1:9/mcp", "--header-env", "X-Key"],         "NAME=VARIABLE"),
    ];
    for (flags, part) in table {
        let ran = run(&[&["run"], flags].concat(), &[("MY_TOKEN", "secret"), ("MY_EMPTY", "")]).await;
        assert_eq!(ran.code, Some(2), "{flags:?}: {ran:?}");
        assert!(ran.stderr.contains(part) && !ran.stderr.contains("secret"), "{flags:?}: {ran:?}");
    }
}

/// Answer to `initialize`, and what the last line says.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_none_ends_the_run_with_what_to_do() {
    type Row = (fn(&HttpAsked) -> HttpReply, &'static str);
    let rows: [Row; 4] = [
        (|_| HttpReply::body(200, "text/html", "<html>"), "web page"),
        (|_| HttpReply::status(401), "--token-env"),
        (|_| HttpReply::body(404, "text/plain", "Not Found"), "/mcp"),
        (|asked| HttpReply::json(&asked.error(-32600, "No")), "refused initialize: -32600 No"),
    ];
    for (reply, part) in rows {
        let server = ScriptedHttp::start(move |asked, nth| match asked.message().as_str() {
            "initialize" | "server/discover" => reply(asked),
            _ => usual(asked, nth),
        })
        .await
        .unwrap();
        let ran = run(&["run", "--url", &server.url()], &[]).await;
        let last = ran.stderr.lines().last().unwrap_or_default();
        assert!(ran.code == Some(2) && last.contains(part), "{ran:?}");
    }
}
