//! Checks that every request passes, whatever its path and method: host, origin, token.
//!
//! A page in a browser reaches loopback addresses, too. It sends its own origin, or after a rebinding of its name that
//! name as host; neither is a loopback form, so neither gets in. [2025-11-25, basic/transports, Security Warning]

use std::sync::Arc;

use http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};

use super::HttpServerOptions;
use super::refusal::Refusal;
use super::token::Token;

/// Names under which a program reaches a loopback address.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Hosts and tokens that are let in.
pub(super) struct Guard {
    hosts: Vec<String>,
    tokens: Vec<Token>,
}

impl Guard {
    pub(super) fn new(options: &HttpServerOptions) -> Self {
        let hosts = LOOPBACK.into_iter().map(str::to_owned).chain(options.hosts.iter().map(|host| host.to_lowercase()));
        Self { hosts: hosts.collect(), tokens: options.tokens.clone() }
    }

    /// Checks the head of a request. Returns the name of the token that it shows, if tokens are asked for.
    ///
    /// # Errors
    /// The response that refuses it.
    pub(super) fn check(&self, head: &Parts) -> Result<Option<Arc<str>>, Refusal> {
        self.check_host(head)?;
        self.check_origin(&head.headers)?;
        self.check_token(head)
    }

    fn check_host(&self, head: &Parts) -> Result<(), Refusal> {
        let host = match one(&head.headers, HOST)? {
            Some(host) => host,
            None => head.uri.authority().map(|authority| authority.as_str()).unwrap_or_default(),
        };
        if self.knows(host) {
            return Ok(());
        }
        let message = format!("{host:?} is no host of this gateway; use 127.0.0.1, or name the host in its settings");
        Err(Refusal::new(StatusCode::FORBIDDEN, message))
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(origin) = one(headers, ORIGIN)? else { return Ok(()) };
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if host.is_some_and(|host| self.knows(host)) {
            return Ok(());
        }
        Err(Refusal::new(StatusCode::FORBIDDEN, format!("pages of {origin:?} may not use this gateway")))
    }

    /// Whether a host with its port, if it has one, is let in.
    fn knows(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => name,
            _ => host,
        };
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    fn check_token(&self, head: &Parts) -> Result<Option<Arc<str>>, Refusal> {
        // A query ends in logs and histories. [RFC 6750, section 2.3]
        if head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("access_token="))) {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "a token belongs in the header Authorization"));
        }
        if self.tokens.is_empty() {
            return Ok(None);
        }
        let header = one(&head.headers, AUTHORIZATION)?.unwrap_or_default();
        let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        match token.and_then(|(_, secret)| Token::find(&self.tokens, secret.trim())) {
            Some(name) => Ok(Some(name)),
            None => {
                let message = "this gateway wants a token: send the header `Authorization: Bearer TOKEN`";
                Err(Refusal::new(StatusCode::UNAUTHORIZED, message))
            }
        }
    }
}

/// The value of a header that may come once.
///
/// # Errors
/// When it comes twice, where two readers may take different ones, or is no text.
pub(super) fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Refusal> {
    let bad = |what| Refusal::new(StatusCode::BAD_REQUEST, format!("the header {name} {what}"));
    let mut values = headers.get_all(&name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad("comes twice"));
    }
    value.to_str().map(Some).map_err(|_| bad("is no text"))
}

/// Whether the path of a request is that of MCP.
pub(super) fn is_endpoint(uri: &Uri) -> bool {
    matches!(uri.path(), "/mcp" | "/mcp/")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn checked(tokens: &[(&str, &str)], headers: &[(&str, &str)], path: &str) -> Result<Option<Arc<str>>, u16> {
        let mut options = HttpServerOptions::new(([127, 0, 0, 1], 0).into());
        options.tokens = tokens.iter().map(|(name, secret)| Token::new(name, secret).unwrap()).collect();
        options.hosts = vec!["gateway.example".to_owned()];
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Guard::new(&options).check(&head).map_err(|refusal| refusal.status())
    }

    #[test]
    fn hosts_and_origins_of_strangers_are_refused() {
        type Headers = &'static [(&'static str, &'static str)];
        #[rustfmt::skip]
        let rows: &[(Headers, Result<(), u16>)] = &[
            (&[("host", "127.0.0.1:8765")],                                            Ok(())),
            (&[("host", "localhost")],                                                 Ok(())),
            (&[("host", "LOCALHOST:1")],                                               Ok(())),
            (&[("host", "[::1]:8765")],                                                Ok(())),
            (&[("host", "gateway.example")],                                           Ok(())),
            (&[("host", "127.0.0.1:1"), ("origin", "http://localhost:3000")],          Ok(())),
            (&[("host", "127.0.0.1:1"), ("origin", "https://[::1]")],                  Ok(())),
            (&[("host", "127.0.0.1:1"), ("origin", "https://gateway.example")],        Ok(())),
            (&[],                                                                      Err(403)),
            (&[("host", "evil.example")],                                              Err(403)),
            (&[("host", "127.0.0.1.evil.example")],                                    Err(403)),
            (&[("host", "localhost:x")],                                               Err(403)),
            (&[("host", "0.0.0.0:8765")],                                              Err(403)),
            (&[("host", "127.0.0.1"), ("host", "evil.example")],                       Err(400)),
            (&[("host", "127.0.0.1"), ("origin", "https://evil.example")],             Err(403)),
            (&[("host", "127.0.0.1"), ("origin", "null")],                             Err(403)),
            (&[("host", "127.0.0.1"), ("origin", "file://localhost")],                 Err(403)),
            (&[("host", "127.0.0.1"), ("origin", "http://localhost.evil.example")],    Err(403)),
            (&[("host", "127.0.0.1"), ("origin", "http://localhost@evil.example")],    Err(403)),
            (&[("host", "127.0.0.1"), ("origin", "http://evil.example?localhost")],    Err(403)),
            (&[("host", "127.0.0.1"), ("origin", "")],                                 Err(403)),
        ];
        for (headers, expected) in rows {
            for path in ["/mcp", "/", "/other"] {
                assert_eq!(checked(&[], headers, path).map(drop), *expected, "{headers:?}");
            }
        }
    }

    #[test]
    fn a_token_is_taken_from_its_header_alone() {
        let other = "f".repeat(32);
        let tokens = [("one", SECRET), ("two", &other[..])];
        let bearer = |secret: &str| format!("Bearer {secret}");
        #[rustfmt::skip]
        let rows = [
            (Some(bearer(SECRET)),            "/mcp",                                       Ok(Some("one"))),
            (Some(bearer(&other)),            "/mcp",                                       Ok(Some("two"))),
            (Some(format!("bearer  {SECRET}")), "/mcp",                                     Ok(Some("one"))),
            (Some(bearer(&SECRET[1..])),      "/mcp",                                       Err(401)),
            (Some(format!("Basic {SECRET}")), "/mcp",                                       Err(401)),
            (Some(SECRET.to_owned()),         "/mcp",                                       Err(401)),
            (None,                            "/mcp",                                       Err(401)),
            (None,                            "/mcp?access_token=0123456789abcdef0123456789abcdef", Err(400)),
            (Some(bearer(SECRET)),            "/mcp?a=b&access_token=x",                    Err(400)),
        ];
        for (header, path, expected) in rows {
            let mut headers = vec![("host", "127.0.0.1")];
            headers.extend(header.as_deref().map(|header| ("authorization", header)));
            let found = checked(&tokens, &headers, path);
            assert_eq!(found.as_ref().map(|name| name.as_deref()), expected.as_ref().copied(), "{header:?} {path}");
        }
    }
}
