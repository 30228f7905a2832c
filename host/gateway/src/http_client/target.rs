//! Server that is reached by a URL, and the credentials that it gets.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{self, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use url::{Host, Url};

/// Default bound on one message of the server, in bytes.
const MESSAGE_SIZE: usize = 16 << 20;
/// Default time to connect.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Default time in which a server may be silent while it is waited for: longer than a person takes to answer.
const IDLE_TIME: Duration = Duration::from_secs(60 * 60);

/// Headers that belong to HTTP or to the transport. Names with the prefix `mcp-` are the transport's, too.
const RESERVED: [HeaderName; 10] = [
    header::ACCEPT,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Error in the description of a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The URL cannot be read.
    #[error("the URL cannot be read: {0}")]
    Url(#[from] url::ParseError),
    /// The URL is of another scheme.
    #[error("a server's URL begins with http:// or https://, not with {0}:")]
    Scheme(String),
    /// The URL holds a name or a password.
    #[error("the URL holds a name or a password, which logs would show: take them out, and send them in a header")]
    UserInfo,
    /// A header cannot be sent, or the transport sends it itself.
    #[error("the header {name} {why}")]
    Header {
        /// Name of the header.
        name: String,
        /// Fault of the header. The value is not part of it.
        why: &'static str,
    },
    /// Credentials would cross the network in clear text.
    #[error(
        "credentials for {0} would cross the network in clear text: use https://, or allow it where the network is trusted"
    )]
    Insecure(String),
}

impl TargetError {
    /// Stable word for the error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::Scheme(_) => "scheme",
            Self::UserInfo => "user_info",
            Self::Header { .. } => "header",
            Self::Insecure(_) => "insecure",
        }
    }
}

/// MCP endpoint of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads a URL. Its fragment is dropped, for it is never sent.
    ///
    /// # Errors
    /// When the text is no URL of HTTP, or holds a name or a password.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let mut url = Url::parse(text.trim())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme(url.scheme().chars().take(20).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::UserInfo);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The whole URL. The query may hold secrets.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Host of the server.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The URL for people and logs, without its query.
    pub fn name(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.into()
    }

    /// Whether the server is on this machine, by its address or as `localhost`.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
            None => false,
        }
    }
}

/// Headers that a server gets with each request. Their values appear in no log, no error and no `Debug` text.
#[derive(Debug, Clone, Default)]
pub struct Credentials(HeaderMap);

impl Credentials {
    /// Adds a header.
    ///
    /// # Errors
    /// When the name or the value is none of HTTP, or the transport sends the header itself.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), TargetError> {
        let wrong = |why| TargetError::Header { name: name.chars().take(60).collect(), why };
        let parsed = HeaderName::try_from(name.trim()).map_err(|_| wrong("has no name that HTTP allows"))?;
        if RESERVED.contains(&parsed) || parsed.as_str().starts_with("mcp-") || parsed == "last-event-id" {
            return Err(wrong("is the transport's own"));
        }
        let value = HeaderValue::try_from(value.trim()).map_err(|_| wrong("has a value that HTTP does not allow"))?;
        self.add(parsed, value);
        Ok(())
    }

    /// Adds a bearer token. [RFC 6750, 2.1]
    ///
    /// # Errors
    /// When the token is empty, or holds a character that no token has.
    pub fn bearer(&mut self, token: &str) -> Result<(), TargetError> {
        let token = token.trim();
        let wrong = |why| TargetError::Header { name: AUTHORIZATION.to_string(), why };
        if token.is_empty() {
            return Err(wrong("would hold an empty token"));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("would hold a token with characters that no token has"));
        }
        let value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| wrong("cannot hold the token"))?;
        self.add(AUTHORIZATION, value);
        Ok(())
    }

    /// Names of the headers, for people.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(HeaderName::as_str)
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.0
    }

    fn add(&mut self, name: HeaderName, mut value: HeaderValue) {
        value.set_sensitive(true);
        self.0.append(name, value);
    }
}

/// Bounds on the connections to a server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Bytes of one message of the server. 16 MiB by default.
    pub message_size: usize,
    /// Time to connect. 10 seconds by default.
    pub connect_time: Duration,
    /// Time in which the server may be silent while it is waited for. 1 hour by default.
    pub idle_time: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { message_size: MESSAGE_SIZE, connect_time: CONNECT_TIME, idle_time: IDLE_TIME }
    }
}

/// Refuses credentials for a server whose connection others can read, unless the operator allows it.
pub(super) fn check(endpoint: &Endpoint, credentials: &Credentials, insecure: bool) -> Result<(), TargetError> {
    let in_clear = endpoint.url().scheme() == "http" && !endpoint.is_loopback();
    if in_clear && !credentials.headers().is_empty() && !insecure {
        return Err(TargetError::Insecure(endpoint.host().to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_on_this_machine_or_in_tls() {
        #[rustfmt::skip]
        let table = [
            ("https://example.com/mcp",       true,  "ok"),
            ("http://example.com/mcp",        false, "ok"),
            ("http://example.com/mcp",        true,  "insecure"),
            ("http://127.0.0.1:9000/mcp",     true,  "ok"),
            ("http://127.1.2.3/mcp",          true,  "ok"),
            ("http://[::1]:9000/mcp",         true,  "ok"),
            ("http://localhost:9000/mcp",     true,  "ok"),
            ("http://localhost.example/mcp",  true,  "insecure"),
            ("http://127.0.0.1.example/mcp",  true,  "insecure"),
            ("http://0.0.0.0/mcp",            true,  "insecure"),
            ("http://192.168.1.2/mcp",        true,  "insecure"),
            ("ftp://example.com",             false, "scheme"),
            ("example.com/mcp",               false, "url"),
            ("https://user:word@example.com", false, "user_info"),
            ("https://token@example.com",     false, "user_info"),
        ];
        for (url, with_token, expected) in table {
            let mut credentials = Credentials::default();
            if with_token {
                credentials.bearer("secret").unwrap();
            }
            let checked = Endpoint::parse(url).and_then(|endpoint| check(&endpoint, &credentials, false));
            assert_eq!(checked.map_or_else(|error| error.kind(), |()| "ok"), expected, "{url}");
        }
        let endpoint = Endpoint::parse("http://example.com/mcp?key=secret#x").unwrap();
        let mut credentials = Credentials::default();
        credentials.header("X-Key", "secret").unwrap();
        assert!(check(&endpoint, &credentials, true).is_ok());
        assert_eq!(endpoint.name(), "http://example.com/mcp");
        assert!(!format!("{credentials:?}").contains("secret"));
    }

    #[test]
    fn a_header_is_one_of_http_and_not_the_transports() {
        #[rustfmt::skip]
        let table = [
            ("X-Api-Key", "a b", true), ("Authorization", "Basic abc", true), ("Origin", "https://example.com", true),
            ("Accept", "*/*", false), ("mcp-session-id", "1", false), ("Mcp-Param-Region", "x", false), ("Host", "h", false),
            ("Last-Event-ID", "1", false), ("a b", "1", false), ("", "1", false), ("X-Key", "a\r\nX-Other: b", false),
        ];
        for (name, value, is_taken) in table {
            let added = Credentials::default().header(name, value);
            assert_eq!(added.is_ok(), is_taken, "{name}: {value}");
            assert!(added.is_ok() || !added.unwrap_err().to_string().contains("X-Other"), "{name}");
        }
        for token in ["", " ", "a b", "a\nb", "é"] {
            assert!(Credentials::default().bearer(token).is_err(), "{token:?}");
        }
    }
}
