//! A page that a server asks the person to visit. [client/elicitation, Safe URL Handling]
//!
//! The shown address is exactly what would be opened: as a browser reads it, with every non-ASCII character escaped and
//! the host in punycode. Nothing is fetched.

use url::Url;

use taskcell::protocol::types::RpcError;

/// Bytes allowed in an address. A longer one would not fit on the screen as a whole.
const MAX_ADDRESS: usize = 1_500;

/// Checked address of a page.
#[derive(Debug)]
pub(crate) struct Page(Url);

impl Page {
    /// Reads an address.
    ///
    /// # Errors
    /// -32602 when the text is not the address of a web page, or is too long to show.
    pub(crate) fn new(address: &str) -> Result<Self, RpcError> {
        let refuse = |why: &str| RpcError::invalid_params(format!("Invalid params: url: {why}"));
        let url = Url::parse(address).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("only web pages (https, http) are offered"));
        }
        if url.as_str().len() > MAX_ADDRESS {
            return Err(refuse(&format!("more than {MAX_ADDRESS} bytes, too long to be shown")));
        }
        Ok(Self(url))
    }

    /// The whole address, in ASCII.
    pub(crate) fn address(&self) -> &str {
        self.0.as_str()
    }

    /// The host that would be visited.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Lists what looks suspicious in the address.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &'static str> {
        let punycode = self.host().split('.').any(|label| label.starts_with("xn--"));
        let user = !self.0.username().is_empty() || self.0.password().is_some();
        let numbers = !matches!(self.0.host(), Some(url::Host::Domain(_)));
        let all = [
            (self.0.scheme() == "http", "the connection is not encrypted"),
            (punycode, "the host has characters of other scripts (xn--), which may look like those of another host"),
            (user, "the text before @ is not the host"),
            (numbers, "the host is a number, not a name"),
        ];
        all.into_iter().filter_map(|(is_so, warning)| is_so.then_some(warning))
    }

    /// Passes the address to the system's opener, without waiting for it.
    pub(crate) fn open(&self) -> std::io::Result<()> {
        open::that_detached(self.address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_opened() {
        let table = [
            ("https://example.com/a?b=c#d", "https://example.com/a?b=c#d", "example.com", 0),
            ("https://EXAMPLE.com", "https://example.com/", "example.com", 0),
            ("http://example.com/", "http://example.com/", "example.com", 1),
            // The first letter is Cyrillic.
            ("https://\u{430}pple.com/", "https://xn--pple-43d.com/", "xn--pple-43d.com", 1),
            ("https://good.com@evil.com/", "https://good.com@evil.com/", "evil.com", 1),
            ("https://evil.com\\@good.com/", "https://evil.com/@good.com/", "evil.com", 0),
            ("https:evil.com", "https://evil.com/", "evil.com", 0),
            ("https://example.com/\u{202e}gpj", "https://example.com/%E2%80%AEgpj", "example.com", 0),
            ("https://example.com/a\u{1b}[2J\nb#\u{9b}", "https://example.com/a%1B[2Jb#%C2%9B", "example.com", 0),
            ("https://0x7f.1/", "https://127.0.0.1/", "127.0.0.1", 1),
            ("https://[::1]:8/", "https://[::1]:8/", "[::1]", 1),
        ];
        for (given, address, host, warnings) in table {
            let page = Page::new(given).unwrap();
            assert_eq!((page.address(), page.host(), page.warnings().count()), (address, host, warnings), "{given}");
            assert!(page.address().bytes().all(|byte| byte.is_ascii_graphic()), "{given}");
        }
    }

    #[test]
    fn what_is_no_web_page_is_refused() {
        let long = format!("https://example.com/{}", "x".repeat(MAX_ADDRESS));
        for given in ["", "example.com", "/a", "file:///etc/passwd", "javascript:alert(1)", "https://", "-h", &long] {
            assert_eq!(Page::new(given).unwrap_err().code, -32602, "{given}");
        }
    }
}
