//! Rules of a handler's outgoing requests; the first rule that a request fits applies.

use std::net::IpAddr;

use http::Method;
use url::{Host, Url};

/// Methods that no rule can allow: a tunnel would pass by all rules, and an echo shows what the host adds.
const NEVER: &[&str] = &["CONNECT", "TRACE"];

/// A host that a handler may ask, and for what. What several rules allow is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRule {
    host: Pattern,
    /// Whether plain `http` is meant, and not `https`. Default no.
    pub plain: bool,
    /// The port; that of the scheme if none.
    pub port: Option<u16>,
    methods: Vec<Method>,
    /// Whether the host's name may lead to a private address: this machine, a network of one's own. Default no. Where
    /// the host is written as an address, that address is meant, whatever it is.
    pub private: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// This host.
    Exactly(Host),
    /// Hosts with this ending, which begins with a dot.
    Below(String),
}

impl HttpRule {
    /// A rule for a host: a name, a name after `*.` for all names below it, or an address. It allows GET and HEAD by
    /// `https`.
    ///
    /// # Errors
    /// Why this is no host.
    pub fn new(host: &str) -> Result<Self, String> {
        let (below, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host),
        };
        let why = || {
            "a host is a name such as \"api.example.com\", \"*.example.com\" for all below one, or an address such as \
             \"192.0.2.1\" or \"[2001:db8::1]\"; scheme, port and path do not belong to it"
                .to_owned()
        };
        let address = name.parse().ok().map(|address| match address {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        });
        let host = address.or_else(|| Host::parse(without_last_point(name)).ok()).ok_or_else(why)?;
        let host = match (host, below) {
            (Host::Domain(name), true) if !name.contains('*') => Pattern::Below(format!(".{name}")),
            (Host::Domain(name), false) if !name.contains('*') => Pattern::Exactly(Host::Domain(name)),
            (host @ (Host::Ipv4(_) | Host::Ipv6(_)), false) => Pattern::Exactly(host),
            _ => return Err(why()),
        };
        Ok(Self { host, plain: false, port: None, methods: vec![Method::GET, Method::HEAD], private: false })
    }

    /// The rule with these methods instead of GET and HEAD.
    ///
    /// # Errors
    /// What is no method, or one that no rule can allow: CONNECT and TRACE.
    pub fn methods<'a>(mut self, methods: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let method = |name: &str| match Method::from_bytes(name.as_bytes()) {
            Ok(method) if !NEVER.iter().any(|never| never.eq_ignore_ascii_case(name)) => Ok(method),
            Ok(_) => Err(format!("{name} cannot be allowed")),
            Err(_) => Err("this is no method; methods are written as they are sent, such as \"GET\"".to_owned()),
        };
        self.methods = methods.into_iter().map(method).collect::<Result<_, _>>()?;
        Ok(self)
    }

    fn allows(&self, url: &Url, host: &Host<&str>, method: &Method) -> bool {
        let (scheme, port) = if self.plain { ("http", 80) } else { ("https", 443) };
        let is_host = match (&self.host, host) {
            (Pattern::Exactly(wanted), found) => wanted == found,
            (Pattern::Below(end), Host::Domain(found)) => {
                found.strip_suffix(end.as_str()).is_some_and(|start| !start.is_empty())
            }
            (Pattern::Below(_), _) => false,
        };
        is_host
            && url.scheme() == scheme
            && url.port_or_known_default() == Some(self.port.unwrap_or(port))
            && self.methods.contains(method)
    }
}

impl std::fmt::Display for HttpRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for method in &self.methods {
            write!(f, "{method} ")?;
        }
        f.write_str(if self.plain { "http://" } else { "https://" })?;
        match &self.host {
            Pattern::Exactly(host) => write!(f, "{host}")?,
            Pattern::Below(end) => write!(f, "*{end}")?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(if self.private { ", private addresses, too" } else { "" })
    }
}

/// Where an allowed request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed {
    /// Whether private addresses may be connected to.
    pub(super) private: bool,
}

/// Decision of the rules on a request.
pub(super) fn allowed(rules: &[HttpRule], url: &Url, method: &Method) -> Option<Allowed> {
    let host = url.host()?;
    let mut fitting = rules.iter().filter(|rule| rule.allows(url, &host, method)).peekable();
    fitting.peek()?;
    Some(Allowed { private: fitting.any(|rule| rule.private) })
}

/// The address of a request, as a browser would read it, with the host in one spelling: lower case, punycode, the
/// numbers of an address as such, no point at the end.
pub(super) fn target(uri: &http::Uri) -> Option<Url> {
    let mut url = Url::parse(&uri.to_string()).ok()?;
    // A name before the host is there to deceive, or is a password, which has its own header.
    if !url.username().is_empty() || url.password().is_some() || uri.authority()?.as_str().contains('@') {
        return None;
    }
    if let Some(Host::Domain(name)) = url.host()
        && name.ends_with('.')
    {
        let name = without_last_point(name).to_owned();
        url.set_host(Some(&name)).ok()?;
    }
    Some(url)
}

fn without_last_point(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(host: &str) -> HttpRule {
        HttpRule::new(host).unwrap()
    }

    fn may(rule: &HttpRule, method: &str, uri: &str) -> bool {
        let Ok(uri) = uri.parse() else { return false };
        let Some(url) = target(&uri) else { return false };
        allowed(std::slice::from_ref(rule), &url, &method.parse().unwrap()).is_some()
    }

    #[test]
    fn a_rule_allows_what_it_says_in_every_spelling() {
        let mut plain = rule("127.0.0.1");
        (plain.plain, plain.port) = (true, Some(3000));
        let mut port = rule("api.example.com");
        port.port = Some(8443);
        let post = rule("api.example.com").methods(["POST"]).unwrap();
        #[rustfmt::skip]
        let table = [
            (rule("api.example.com"), "GET",  "https://api.example.com/a?b", true),
            (rule("api.example.com"), "HEAD", "https://api.example.com/", true),
            (rule("api.example.com"), "get",  "https://api.example.com/", false),
            (rule("api.example.com"), "POST", "https://api.example.com/", false),
            (rule("api.example.com"), "GET",  "http://api.example.com/", false),
            (rule("api.example.com"), "GET",  "https://api.example.com:443/", true),
            (rule("api.example.com"), "GET",  "https://api.example.com:80/", false),
            (rule("api.example.com"), "GET",  "https://API.Example.COM./", true),
            (rule("API.example.com."), "GET", "https://api.example.com/", true),
            (rule("api.example.com"), "GET",  "https://example.com/", false),
            (rule("api.example.com"), "GET",  "https://evilapi.example.com/", false),
            (rule("api.example.com"), "GET",  "https://api.example.com.evil.test/", false),
            (rule("api.example.com"), "GET",  "https://api.example.com@evil.test/", false),
            (rule("api.example.com"), "GET",  "https://evil.test@api.example.com/", false),
            (rule("api.example.com"), "GET",  "https://:@api.example.com/", false),
            (port.clone(),            "GET",  "https://api.example.com:8443/", true),
            (port,                    "GET",  "https://api.example.com/", false),
            (post.clone(),            "POST", "https://api.example.com/", true),
            (post,                    "GET",  "https://api.example.com/", false),
            (rule("*.example.com"),   "GET",  "https://a.example.com/", true),
            (rule("*.example.com"),   "GET",  "https://a.b.example.com/", true),
            (rule("*.example.com"),   "GET",  "https://example.com/", false),
            (rule("*.example.com"),   "GET",  "https://.example.com/", false),
            (rule("*.example.com"),   "GET",  "https://aexample.com/", false),
            (rule("bücher.example"),  "GET",  "https://xn--bcher-kva.example/", true),
            (rule("xn--bcher-kva.example"), "GET", "https://xn--bcher-kva.example/", true),
            (plain.clone(),           "GET",  "http://127.0.0.1:3000/", true),
            (plain.clone(),           "GET",  "http://2130706433:3000/", true),
            (plain.clone(),           "GET",  "http://0x7f.1:3000/", true),
            (plain.clone(),           "GET",  "http://127.0.0.1.:3000/", true),
            (plain.clone(),           "GET",  "https://127.0.0.1:3000/", false),
            (plain.clone(),           "GET",  "http://127.0.0.2:3000/", false),
            (plain.clone(),           "GET",  "http://localhost:3000/", false),
            (plain,                   "GET",  "http://[::ffff:127.0.0.1]:3000/", false),
            (rule("::1"),             "GET",  "https://[0:0::1]/", true),
            (rule("[::1]"),           "GET",  "https://[::1]/", true),
        ];
        for (rule, method, uri, expected) in table {
            assert_eq!(may(&rule, method, uri), expected, "{method} {uri} by {rule:?}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for host in
            ["", "*", "*.", "*.*.com", "a.*.com", "*.10.0.0.1", "https://a.test", "a.test:80", "a.test/b", "a b"]
        {
            assert!(HttpRule::new(host).is_err(), "{host}");
        }
        for method in ["CONNECT", "connect", "TRACE", "", "G E T"] {
            assert!(rule("a.test").methods([method]).is_err(), "{method}");
        }
    }
}
