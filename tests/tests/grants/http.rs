//! The grant `http`: what a handler may ask, what it may not, and what bounds it. Servers are on loopback, and names
//! lead where the test says.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use taskcell::grants::{Http, HttpLimits, HttpRule, MemoryKeyValue, Resolver};
use taskcell::{Grants, Handler, Handlers, Session, SessionOptions};
use taskcell_test_support::cli;
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{cells, engine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

fn http_and_keyvalue() -> PathBuf {
    build_guest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/http_and_keyvalue")).unwrap()
}

/// A server on loopback that keeps to HTTP only as far as a test needs.
struct Server {
    port: u16,
    /// Each request as it came, and `closed` when its connection was closed by the client.
    events: mpsc::UnboundedReceiver<String>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, told.clone()));
            }
        });
        Self { port, events }
    }

    async fn event(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(30), self.events.recv()).await.unwrap().unwrap()
    }

    /// Whether nobody has come.
    fn is_untouched(&mut self) -> bool {
        self.events.try_recv().is_err()
    }
}

async fn serve(mut stream: TcpStream, told: mpsc::UnboundedSender<String>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    told.send(request.clone()).unwrap();
    let whole = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = match path.as_str() {
        "/ok" => whole("hello"),
        "/large" => whole(&"z".repeat(5_000)),
        "/exact" => whole(&"z".repeat(1_000)),
        "/redirect" => "HTTP/1.1 302 Found\r\nlocation: http://evil.test/\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/cut" => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_owned(),
        "/nonsense" => "what is this\r\n\r\n".to_owned(),
        "/fields" => format!("HTTP/1.1 200 OK\r\nx-long: {}\r\ncontent-length: 0\r\n\r\n", "f".repeat(1 << 20)),
        "/mute" => String::new(),
        "/drip" | "/stall" | "/endless" => chunked.to_owned(),
        _ => whole(&request),
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    match path.as_str() {
        "/endless" | "/drip" => {
            // A piece again and again, until nobody takes it.
            let piece =
                if path == "/drip" { "1\r\nx\r\n".to_owned() } else { format!("64\r\n{}\r\n", "x".repeat(100)) };
            while stream.write_all(piece.as_bytes()).await.is_ok() {
                let pause = if path == "/drip" { 20 } else { 0 };
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            let _ = told.send("closed".to_owned());
        }
        "/mute" | "/stall" => {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            let _ = told.send("closed".to_owned());
        }
        "/cut" | "/nonsense" => {}
        _ => {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    }
}

/// Names that lead where a test says; a list of several is gone through, one at each look-up.
struct Names(Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>);

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap();
        let found = names.get_mut(host).ok_or(io::ErrorKind::NotFound)?;
        Ok(if found.len() > 1 { found.remove(0) } else { found[0].clone() })
    }
}

fn names(names: &[(&str, &[&str])]) -> Arc<Names> {
    let lists = |list: &str| list.split(' ').map(|address| address.parse().unwrap()).collect();
    let names = names.iter().map(|(name, found)| ((*name).to_owned(), found.iter().map(|list| lists(list)).collect()));
    Arc::new(Names(Mutex::new(names.collect())))
}

/// A rule for plain HTTP on a server's port.
fn plain(host: &str, port: u16) -> HttpRule {
    let mut rule = HttpRule::new(host).unwrap();
    (rule.plain, rule.port) = (true, Some(port));
    rule
}

fn private(mut rule: HttpRule) -> HttpRule {
    rule.private = true;
    rule
}

fn small() -> HttpLimits {
    let mut limits = HttpLimits::default();
    (limits.request_size, limits.response_size, limits.requests, limits.at_once) = (1_000, 1_000, 5, 2);
    limits
}

async fn session(http: Http) -> Session {
    let mut grants = Grants::default();
    grants.keyvalue = Some(Arc::new(MemoryKeyValue::default()));
    grants.http = Some(http);
    let handler = Handler::from_file(&engine(cells(20)).unwrap(), &http_and_keyvalue(), grants).await.unwrap();
    let server = serde_json::from_value(json!({ "name": "test", "version": "1" })).unwrap();
    Session::new(Handlers::new([handler]).unwrap(), SessionOptions::new(server)).0
}

fn message(script: &str) -> Value {
    let content = json!({ "type": "text", "text": script });
    let params = json!({ "messages": [{ "role": "user", "content": content }], "maxTokens": 1 });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": params })
}

async fn run(session: &Session, script: &str) -> String {
    let answer = session.answer(message(script).to_string().as_bytes()).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let text = answer["result"]["content"]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    text.replace('\n', "|")
}

/// What the rules allow goes out, once, as it is; all else is refused before anybody is connected to.
#[tokio::test]
async fn only_what_a_rule_allows_goes_out() {
    let mut server = Server::start().await;
    let port = server.port;
    let rules = [
        plain("127.0.0.1", port),
        private(plain("*.rule.test", port)),
        plain("127.0.0.1", port).methods(["POST", "M-SEARCH"]).unwrap(),
        HttpRule::new("127.0.0.1").unwrap(),
    ];
    let lead = names(&[("a.rule.test", &["127.0.0.1"]), ("rule.test", &["127.0.0.1"]), ("localhost", &["127.0.0.1"])]);
    let session = session(Http::with_resolver(rules, HttpLimits::default(), lead)).await;
    let allowed = [
        ("GET", format!("http://127.0.0.1:{port}/ok"), "200 hello"),
        ("HEAD", format!("http://127.0.0.1:{port}/ok"), "200 "),
        ("GET", format!("http://0x7f000001:{port}/ok"), "200 hello"),
        ("GET", format!("http://2130706433:{port}/ok"), "200 hello"),
        ("GET", format!("http://127.1.:{port}/ok"), "200 hello"),
        ("GET", format!("http://A.Rule.TEST.:{port}/ok"), "200 hello"),
        ("POST", format!("http://127.0.0.1:{port}/ok"), "200 hello"),
        ("M-SEARCH", format!("http://127.0.0.1:{port}/ok"), "200 hello"),
        // The guest is shown where it leads, and has to ask for that itself.
        ("GET", format!("http://127.0.0.1:{port}/redirect"), "302 to http://evil.test/ "),
    ];
    for (method, url, expected) in allowed {
        assert_eq!(run(&session, &format!("send {method} {url}")).await, expected, "{method} {url}");
        let request = server.event().await.to_lowercase();
        assert!(request.starts_with(&method.to_lowercase()), "{request}");
        let host = if url.contains("ule") {
            format!("host: a.rule.test:{port}\r\n")
        } else {
            format!("host: 127.0.0.1:{port}\r\n")
        };
        assert_eq!(request.matches("host: ").count(), 1, "{request}");
        assert!(request.contains(&host), "{request}");
    }
    let denied = [
        ("DELETE", format!("http://127.0.0.1:{port}/ok")),
        ("get", format!("http://127.0.0.1:{port}/ok")),
        ("CONNECT", format!("http://127.0.0.1:{port}/ok")),
        ("POST", format!("http://a.rule.test:{port}/ok")),
        ("GET", format!("https://127.0.0.1:{port}/ok")),
        ("GET", "http://127.0.0.1/ok".to_owned()),
        ("GET", format!("http://127.0.0.2:{port}/ok")),
        ("GET", format!("http://[::ffff:127.0.0.1]:{port}/ok")),
        ("GET", format!("http://[::1]:{port}/ok")),
        ("GET", format!("http://localhost:{port}/ok")),
        ("GET", format!("http://rule.test:{port}/ok")),
        ("GET", format!("http://evilrule.test:{port}/ok")),
        ("GET", format!("http://a.rule.test.evil.test:{port}/ok")),
        ("GET", format!("http://xn--rule-test-d5a:{port}/ok")),
        ("GET", "https://example.com/".to_owned()),
    ];
    for (method, url) in denied {
        assert_eq!(run(&session, &format!("send {method} {url}")).await, "error HttpRequestDenied", "{method} {url}");
    }
    for url in [format!("http://a.rule.test@127.0.0.1:{port}/ok"), format!("http://u:p@a.rule.test:{port}/ok")] {
        assert_eq!(run(&session, &format!("send GET {url}")).await, "error HttpRequestUriInvalid", "{url}");
    }
    assert!(server.is_untouched());
}

/// A name leads nowhere that is not public, whatever it said a moment ago, unless its rule says so.
#[tokio::test]
async fn names_lead_to_no_private_address() {
    let mut server = Server::start().await;
    let port = server.port;
    let not_public = [
        "127.0.0.1",
        "127.8.9.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "::127.0.0.1",
        "127.0.0.1 ::1 10.0.0.1",
    ];
    for address in not_public {
        let lead = names(&[("name.test", &[address])]);
        let session = session(Http::with_resolver([plain("name.test", port)], HttpLimits::default(), lead)).await;
        let told = run(&session, &format!("send GET http://name.test:{port}/ok")).await;
        assert_eq!(told, "error DestinationIpProhibited", "{address}");
    }
    assert!(server.is_untouched());

    // With its rule's leave, to a private one but to none that is special; an address that is not allowed is left out.
    let lead = names(&[("one.test", &["169.254.0.1 127.0.0.1"]), ("two.test", &["169.254.169.254"])]);
    let rules = ["one.test", "two.test", "three.test"].map(|name| private(plain(name, port)));
    let session_of_private = session(Http::with_resolver(rules, HttpLimits::default(), lead)).await;
    let steps = format!(
        "send GET http://one.test:{port}/ok\nsend GET http://two.test:{port}/ok\nsend GET http://three.test:{port}/"
    );
    let told = run(&session_of_private, &steps).await;
    assert!(told.starts_with("200 hello|error DestinationIpProhibited|error DnsError"), "{told}");

    // A name that is private at the second look, or at the first.
    for lists in [&["203.0.113.9", "127.0.0.1"], &["127.0.0.1", "203.0.113.9"]] {
        let lead = names(&[("rebind.test", lists)]);
        let session = session(Http::with_resolver([plain("rebind.test", port)], HttpLimits::default(), lead)).await;
        let step = format!("send GET http://rebind.test:{port}/ok");
        let told = run(&session, &format!("{step}\n{step}")).await;
        assert_eq!(told, "error DestinationIpProhibited|error DestinationIpProhibited");
    }
    server.event().await;
    assert!(server.is_untouched());
}

/// Sizes, counts and times, each told as what it is.
#[tokio::test]
async fn each_bound_is_kept() {
    let server = Server::start().await;
    let port = server.port;
    let session_with = async |limits| {
        session(Http::new([plain("127.0.0.1", port), plain("127.0.0.1", port).methods(["POST"]).unwrap()], limits))
            .await
    };
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let session = session_with(small()).await;
    let table = [
        (format!("send GET {}", at("/exact")), "200 1000"),
        (format!("send GET {}", at("/large")), "error HttpResponseBodySize(Some(1000))"),
        (format!("send HEAD {}", at("/large")), "200 "),
        (format!("send GET {}", at("/endless")), "200 then error HttpResponseBodySize(Some(1000))"),
        (format!("send POST {} 1000", at("/ok")), "200 hello"),
        (format!("send POST {} 1001", at("/mute")), "error HttpRequestBodySize(Some(1000))"),
        (format!("send POST {} 100000", at("/mute")), "error HttpRequestBodySize(Some(1000))"),
        (
            format!("field content-length 1001\nsend POST {} 1001", at("/ok")),
            "done|error HttpRequestBodySize(Some(1000))",
        ),
        (format!("send GET {}", at("/cut")), "200 then error HttpResponseIncomplete"),
        (format!("send GET {}", at("/nonsense")), "error HttpProtocolError"),
        (format!("send GET {}", at("/fields")), "error HttpProtocolError"),
        // Requests of one cell, those that were refused with them.
        (
            format!("{}send GET {}", "send GET http://other.test/\n".repeat(5), at("/ok")),
            "error HttpRequestDenied|error HttpRequestDenied|error HttpRequestDenied|error HttpRequestDenied|error HttpRequestDenied|error HttpRequestDenied",
        ),
        (
            format!("{}send GET {}", format!("send GET {}\n", at("/ok")).repeat(5), at("/ok")),
            "200 hello|200 hello|200 hello|200 hello|200 hello|error HttpRequestDenied",
        ),
        // At once, and the next cell has its own.
        (format!("hold GET {0}\nbegin GET {0}\nsend GET {0}", at("/ok")), "200|done|error ConnectionLimitReached"),
        (format!("send GET {0}\nsend GET {0}\nsend GET {0}", at("/ok")), "200 hello|200 hello|200 hello"),
    ];
    for (script, expected) in table {
        assert_eq!(run(&session, &script).await, expected, "{script}");
    }
    // Fields of the connection are not the guest's.
    for name in [
        "host",
        "Connection",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "keep-alive",
        "expect",
    ] {
        let told = run(&session, &format!("field {name} x\nsend GET {}", at("/ok"))).await;
        assert!(told.starts_with("done|field ") && told.ends_with("HeaderError::Forbidden"), "{name}: {told}");
    }
    // Time, with the guest's own wish where that is less.
    let mut limits = HttpLimits::default();
    limits.time = Duration::from_millis(300);
    let session = session_with(limits).await;
    for (path, expected) in [
        ("/mute", "error HttpResponseTimeout"),
        ("/stall", "200 then error HttpResponseTimeout"),
        ("/drip", "200 then error HttpResponseTimeout"),
    ] {
        assert_eq!(run(&session, &format!("send GET {}", at(path))).await, expected, "{path}");
    }
    let session = session_with(HttpLimits::default()).await;
    let script =
        format!("first-byte 50\nsend GET {}\nfirst-byte 20000\npause 50\nsend GET {}", at("/mute"), at("/stall"));
    assert_eq!(
        run(&session, &script).await,
        "done|error HttpResponseTimeout|done|done|200 then error ConnectionReadTimeout"
    );
}

/// What goes wrong on the way has its name, and a server without TLS is not talked to in the clear.
#[tokio::test]
async fn failures_have_names() {
    let mut server = Server::start().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = free.local_addr().unwrap().port();
    drop(free);
    let mut tls = HttpRule::new("127.0.0.1").unwrap();
    tls.port = Some(server.port);
    let session = session(Http::new([plain("127.0.0.1", closed), tls], HttpLimits::default())).await;
    let told = run(&session, &format!("send GET http://127.0.0.1:{closed}/")).await;
    assert_eq!(told, "error ConnectionRefused");
    let pending = message(&format!("send GET https://127.0.0.1:{}/", server.port)).to_string();
    // The server waits for a request that never comes, so the time of this test is the client's to end.
    let answer = tokio::time::timeout(Duration::from_millis(500), session.answer(pending.as_bytes())).await;
    assert!(answer.is_err() && server.is_untouched());
}

/// A request that is cancelled takes its connection with it, before the response and in the middle of it; so does a
/// cell that just ends.
#[tokio::test]
async fn a_dropped_cell_drops_its_connections() {
    let mut server = Server::start().await;
    let at = |path: &str| format!("http://127.0.0.1:{}{path}", server.port);
    let urls = ["/mute", "/stall"].map(at);
    let held = at("/stall");
    let session = session(Http::new([plain("127.0.0.1", server.port)], HttpLimits::default())).await;
    for url in urls {
        let request = message(&format!("send GET {url}")).to_string();
        tokio::select! {
            _ = session.answer(request.as_bytes()) => panic!("it has no end"),
            _ = server.event() => {}
        }
        assert_eq!(server.event().await, "closed", "{url}");
    }
    assert_eq!(run(&session, &format!("hold GET {held}")).await, "200");
    server.event().await;
    assert_eq!(server.event().await, "closed");
}

/// The table of the configuration: what it allows, what `inspect` says of it, a line for each refusal, and no proxy.
#[test]
fn the_configuration_grants_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("taskcell.toml");
    let write = |table: &str| {
        let handler =
            format!("[[handler]]\npath = '{}'\n[handler.keyvalue]\nfile = 'kv.db'\n", http_and_keyvalue().display());
        std::fs::write(&config, format!("{handler}{table}")).unwrap();
    };
    let config = config.to_str().unwrap();
    let table = "[handler.http]\nallow = ['api.example.com', { host = '127.0.0.1', port = PORT, scheme = 'http' }]\nresponse-size = '1KiB'";
    write(&table.replace("PORT", &server.port.to_string()));
    let ask = |script: &str| {
        let params = message(script)["params"].to_string();
        let mut command = cli::command(PROGRAM);
        // A proxy that nobody listens at: whoever asked it would fail.
        command.envs(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:9")));
        let output = command.args(["call", "--config", config, "sampling/createMessage", &params]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let text = answer["result"]["content"]["text"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (text, String::from_utf8(output.stderr).unwrap())
    };
    let url = format!("http://127.0.0.1:{}", server.port);
    let (told, log) =
        ask(&format!("send GET {url}/ok\nsend GET {url}/large\nsend GET https://other.test/secret?key=1"));
    assert_eq!(told, "200 hello\nerror HttpResponseBodySize(Some(1024))\nerror HttpRequestDenied");
    let lines: Vec<_> = log.lines().filter(|line| line.contains("error.type=\"http\"")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains("current=5000") && lines[0].contains("limit=1024"), "{log}");
    assert!(lines[1].contains("other.test") && !lines[1].contains("secret"), "{log}");

    let ran = cli::run(PROGRAM, &["inspect", "--config", config]).unwrap();
    for words in [
        &format!("grant http granted: {config}:5:1") as &str,
        "GET HEAD https://api.example.com; GET HEAD http://127.0.0.1:",
        "1024\n",
    ] {
        assert!(ran.stdout.contains(words), "{words} is not in {ran:?}");
    }
    write("");
    let ran = cli::run(PROGRAM, &["call", "--config", config, "ping"]).unwrap();
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("`http` would allow it; add a table [handler.http] to the handler at"), "{ran:?}");

    let wrong = [
        ("allow = ['https://a.test']", ":6:10: ", "a host is a name"),
        ("allow = [{ host = '*' }]", ":6:19: ", "a host is a name"),
        ("allow = [{ host = 'a.test', methods = ['CONNECT'] }]", ":6:39: ", "CONNECT cannot be allowed"),
        ("allow = [{ host = 'a.test', methods = [] }]", ":6:39: ", "allows nothing"),
        ("allow = [{ host = 'a.test', port = 0 }]", ":6:36: ", "no port 0"),
        ("allow = [{ host = 'a.test', scheme = 'ftp' }]", ":6:", "unknown variant `ftp`"),
        ("allow = [{ host = 'a.test', adresses = 'x' }]", ":6:", "unknown field `adresses`"),
        ("", ":5:1: ", "missing field `allow`"),
        ("allow = []\ntime = '0s'", ":7:8: ", "is not between 1ms and"),
        ("allow = []\nredirects = true", ":7:1: ", "unknown field `redirects`"),
    ];
    for (lines, place, why) in wrong {
        write(&format!("[handler.http]\n{lines}"));
        let ran = cli::run(PROGRAM, &["call", "--config", config, "ping"]).unwrap();
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{ran:?}");
        assert!(ran.stderr.contains(place) && ran.stderr.contains(why), "{lines}: {ran:?}");
    }
}
