//! A guest that reaches out as it is told: each line of the last message is a step on its keys and values or a request
//! to a server, and each line of its answer says what came of it.

use exports::taskcell::handlers::sampling::Guest;
use taskcell::handlers::types::*;
use wasi::http::outgoing_handler::handle;
use wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme, http_error_code,
};
use wasi::io::streams::StreamError;
use wasi::keyvalue::store::{Bucket, Error};
use wasi::keyvalue::{atomics, batch, store};

wit_bindgen::generate!({
    inline: "
        package taskcell:http-and-keyvalue;
        world http-and-keyvalue {
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
            import wasi:http/outgoing-handler@0.2.6;
            export taskcell:handlers/sampling@0.1.0;
        }
    ",
    path: "../../../wit",
    world: "taskcell:http-and-keyvalue/http-and-keyvalue",
    generate_all,
});

struct Handler;

/// What the steps so far have made.
#[derive(Default)]
struct State {
    bucket: Option<Bucket>,
    fields: Vec<(String, String)>,
    first_byte: Option<u64>,
    pause: Option<u64>,
    held: Vec<IncomingBody>,
    waiting: Vec<FutureIncomingResponse>,
}

impl Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        let said =
            request.messages.into_iter().flat_map(|message| message.content).filter_map(|content| match content {
                SamplingContent::Text(content) => Some(content.text),
                _ => None,
            });
        let mut state = State::default();
        let script = said.last().unwrap_or_default();
        let told: Vec<_> = script.lines().map(|line| state.step(line).unwrap_or_else(|error| error)).collect();
        let text = TextContent { text: told.join("\n"), annotations: None, meta: None };
        Ok(CreateMessageResult {
            role: Role::Assistant,
            content: vec![SamplingContent::Text(text)],
            model: "none".into(),
            stop_reason: None,
            meta: None,
        })
    }
}

impl State {
    fn step(&mut self, line: &str) -> Result<String, String> {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["open", name] => self.bucket = Some(store::open(name).map_err(failed)?),
            ["get", key] => {
                let value = self.bucket()?.get(key).map_err(failed)?;
                return Ok(value.map_or("none".into(), |value| String::from_utf8_lossy(&value).into_owned()));
            }
            ["set", key, value] => self.bucket()?.set(key, value.as_bytes()).map_err(failed)?,
            ["fill", key, size] => self.bucket()?.set(key, &vec![b'x'; number(size)?]).map_err(failed)?,
            ["drip", count, size] => return self.drip(number(count)?, number(size)?),
            ["delete", key] => self.bucket()?.delete(key).map_err(failed)?,
            ["exists", key] => return Ok(self.bucket()?.exists(key).map_err(failed)?.to_string()),
            ["add", key, delta] => {
                let delta = delta.parse().map_err(|_| "no number")?;
                return Ok(atomics::increment(self.bucket()?, key, delta).map_err(failed)?.to_string());
            }
            ["list"] => return self.list(),
            ["get-many", ref keys @ ..] => {
                let keys: Vec<_> = keys.iter().map(|key| key.to_string()).collect();
                let found = batch::get_many(self.bucket()?, &keys).map_err(failed)?;
                let found = found.iter().map(|pair| match pair {
                    Some((key, value)) => format!("{key}={}", String::from_utf8_lossy(value)),
                    None => "none".into(),
                });
                return Ok(found.collect::<Vec<_>>().join(" "));
            }
            ["get-often", key, count] => {
                let keys = vec![key.to_owned(); number(count)?];
                return Ok(batch::get_many(self.bucket()?, &keys).map_err(failed)?.len().to_string());
            }
            ["set-many", ref pairs @ ..] => {
                let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
                let pairs: Vec<_> = pairs.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).collect();
                batch::set_many(self.bucket()?, &pairs).map_err(failed)?;
            }
            ["delete-many", ref keys @ ..] => {
                let keys: Vec<_> = keys.iter().map(|key| key.to_string()).collect();
                batch::delete_many(self.bucket()?, &keys).map_err(failed)?;
            }
            ["field", name, value] => self.fields.push((name.to_owned(), value.to_owned())),
            ["first-byte", time] => self.first_byte = Some(number(time)? as u64 * 1_000_000),
            ["pause", time] => self.pause = Some(number(time)? as u64 * 1_000_000),
            ["send", method, url] => return self.send(method, url, None, true),
            ["send", method, url, size] => return self.send(method, url, Some(number(size)?), true),
            ["hold", method, url] => return self.send(method, url, None, false),
            ["begin", method, url] => {
                let waiting = self.begin(method, url, None)?;
                self.waiting.push(waiting);
            }
            _ => return Err(format!("no such step: {line}")),
        }
        Ok("done".into())
    }

    fn bucket(&mut self) -> Result<&Bucket, String> {
        if self.bucket.is_none() {
            self.bucket = Some(store::open("").map_err(failed)?);
        }
        self.bucket.as_ref().ok_or_else(|| "no bucket".into())
    }

    /// Sets key after key until one is refused.
    fn drip(&mut self, count: usize, size: usize) -> Result<String, String> {
        for index in 0..count {
            if let Err(error) = self.bucket()?.set(&format!("drip-{index}"), &vec![b'x'; size]) {
                return Ok(format!("{index} set, then {}", failed(error)));
            }
        }
        Ok(format!("{count} set"))
    }

    fn list(&mut self) -> Result<String, String> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.bucket()?.list_keys(cursor).map_err(failed)?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys.join(" "));
            }
        }
    }

    fn begin(&self, method: &str, url: &str, size: Option<usize>) -> Result<FutureIncomingResponse, String> {
        let fields = Fields::new();
        for (name, value) in &self.fields {
            fields.append(name, value.as_bytes()).map_err(|error| format!("field {name}: {error:?}"))?;
        }
        let request = OutgoingRequest::new(fields);
        let method = match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "CONNECT" => Method::Connect,
            other => Method::Other(other.into()),
        };
        request.set_method(&method).map_err(|()| "no method")?;
        let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
        request.set_scheme(Some(&scheme)).map_err(|()| "no scheme")?;
        request.set_authority(Some(authority)).map_err(|()| "no authority")?;
        request.set_path_with_query(Some(path)).map_err(|()| "no path")?;
        let options = RequestOptions::new();
        options.set_first_byte_timeout(self.first_byte).map_err(|()| "no time")?;
        options.set_between_bytes_timeout(self.pause).map_err(|()| "no time")?;
        let body = size.map(|size| request.body().map(|body| (body, size))).transpose().map_err(|()| "no body")?;
        let response = handle(request, Some(options)).map_err(|error| code(&error))?;
        if let Some((body, size)) = body {
            // What goes wrong here is told by the response.
            let _ = write(body, size);
        }
        Ok(response)
    }

    fn send(&mut self, method: &str, url: &str, size: Option<usize>, read: bool) -> Result<String, String> {
        let future = self.begin(method, url, size)?;
        future.subscribe().block();
        let response = future.get().and_then(Result::ok).ok_or("no response")?.map_err(|error| code(&error))?;
        let fields: Vec<_> = response.headers().entries();
        let location = fields.iter().find(|(name, _)| name == "location");
        let location = location.map_or(String::new(), |(_, value)| format!(" to {}", String::from_utf8_lossy(value)));
        let status = response.status();
        let body = response.consume().map_err(|()| "no body")?;
        if !read {
            self.held.push(body);
            return Ok(format!("{status}{location}"));
        }
        let stream = body.stream().map_err(|()| "no stream")?;
        let mut bytes = Vec::new();
        loop {
            match stream.blocking_read(1 << 16) {
                Ok(some) => bytes.extend(some),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(error)) => {
                    let code = http_error_code(&error).as_ref().map_or(error.to_debug_string(), code);
                    return Err(format!("{status} then {code}"));
                }
            }
        }
        let text =
            if bytes.len() > 200 { bytes.len().to_string() } else { String::from_utf8_lossy(&bytes).into_owned() };
        Ok(format!("{status}{location} {text}"))
    }
}

fn write(body: OutgoingBody, mut size: usize) -> Option<()> {
    let stream = body.write().ok()?;
    while size > 0 {
        let step = size.min(4096);
        stream.blocking_write_and_flush(&vec![b'y'; step]).ok()?;
        size -= step;
    }
    drop(stream);
    OutgoingBody::finish(body, None).ok()
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("no number: {text}"))
}

fn failed(error: Error) -> String {
    match error {
        Error::NoSuchStore => "no such store".into(),
        Error::AccessDenied => "access denied".into(),
        Error::Other(why) => format!("refused: {why}"),
    }
}

fn code(error: &ErrorCode) -> String {
    format!("error {error:?}").replace("ErrorCode::", "")
}

export!(Handler);
