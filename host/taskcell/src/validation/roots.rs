//! Roots that may go out: `file://` URIs that name one place for every reader. [client/roots]
//!
//! A server resolves a root and compares paths with it. A `..` segment, plain or percent-encoded, leaves the folder
//! that the URI begins with, and a control character ends the path early for some readers.

use crate::protocol::types::ListRootsResult;

const SCHEME: &str = "file://";

/// Checks that roots are `file://` URIs [client/roots, Root] without `..` segments and control characters
/// [client/roots, Security Considerations].
///
/// # Errors
/// The index of the root and the reason, without the URI, which may be private.
pub(crate) fn check(result: &ListRootsResult) -> Result<(), String> {
    for (index, root) in result.roots.iter().enumerate() {
        check_uri(&root.uri).map_err(|why| format!("roots[{index}].uri {why}"))?;
    }
    Ok(())
}

fn check_uri(uri: &str) -> Result<(), &'static str> {
    let rest = uri.strip_prefix(SCHEME).ok_or("does not start with `file://`")?;
    if !rest.contains('/') {
        return Err("has no path");
    }
    // Some readers decode before they split the path, others after.
    let rest = decoded(rest).ok_or("has a `%` without two hexadecimal digits")?;
    if rest.chars().any(char::is_control) {
        return Err("holds a control character");
    }
    // On Windows both slashes separate segments; a query or a fragment ends the path.
    if rest.split(['/', '\\', '?', '#']).any(|segment| segment == "..") {
        return Err("holds a `..` segment");
    }
    Ok(())
}

/// Decodes percent-encoding; none where it is malformed.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::types::Root;

    #[test]
    fn which_uris_are_roots() {
        let good: Result<(), &str> = Ok(());
        let cases = [
            ("file:///home/user/projects/myproject", good),
            ("file:///", good),
            ("file:///C:/Users/a%20b", good),
            ("file:///c%3A/x", good),
            ("file://server/share", good),
            ("file:///a/...", good),
            ("file:///a/..b/b..", good),
            ("file:///a.b/.hidden", good),
            ("file:///%C3%A4", good),
            ("file:///ä", good),
            ("file:///a/./b", good),
            ("", Err("does not start with `file://`")),
            ("/home/user", Err("does not start with `file://`")),
            ("http://example.com/", Err("does not start with `file://`")),
            ("file:/home", Err("does not start with `file://`")),
            ("FILE:///home", Err("does not start with `file://`")),
            (" file:///home", Err("does not start with `file://`")),
            ("file://", Err("has no path")),
            ("file://home", Err("has no path")),
            ("file:///a/../b", Err("holds a `..` segment")),
            ("file:///a/..", Err("holds a `..` segment")),
            ("file://../a", Err("holds a `..` segment")),
            ("file:///a/%2e%2E/b", Err("holds a `..` segment")),
            ("file:///a/.%2e/b", Err("holds a `..` segment")),
            ("file:///a%2f..%2fb", Err("holds a `..` segment")),
            ("file:///a\\..\\b", Err("holds a `..` segment")),
            ("file:///a%5c..", Err("holds a `..` segment")),
            ("file:///a/..?x", Err("holds a `..` segment")),
            ("file:///a/..#x", Err("holds a `..` segment")),
            ("file:///a?/../b", Err("holds a `..` segment")),
            ("file:///a%00b", Err("holds a control character")),
            ("file:///a\0b", Err("holds a control character")),
            ("file:///a%0ab", Err("holds a control character")),
            ("file:///a\nb", Err("holds a control character")),
            ("file:///a%7f", Err("holds a control character")),
            ("file:///a%c2%85", Err("holds a control character")),
            ("file:///a%", Err("has a `%` without two hexadecimal digits")),
            ("file:///a%2", Err("has a `%` without two hexadecimal digits")),
            ("file:///a%zz", Err("has a `%` without two hexadecimal digits")),
            ("file:///a%+1", Err("has a `%` without two hexadecimal digits")),
        ];
        for (uri, expected) in cases {
            assert_eq!(check_uri(uri), expected, "{uri:?}");
        }
    }

    #[test]
    fn the_root_is_named_and_its_uri_is_not() {
        let root = |uri: &str| Root { uri: uri.to_owned(), name: None, meta: None };
        let roots = |uris: &[&str]| ListRootsResult { roots: uris.iter().copied().map(root).collect(), meta: None };
        assert_eq!(check(&roots(&[])), Ok(()));
        assert_eq!(check(&roots(&["file:///a", "file:///a"])), Ok(()));
        let fault = check(&roots(&["file:///a", "file:///secret/.."])).unwrap_err();
        assert_eq!(fault, "roots[1].uri holds a `..` segment");
    }
}
