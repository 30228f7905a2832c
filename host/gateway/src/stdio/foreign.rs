//! Lines on a server's stdout that are no messages: banners, debug prints, output of package managers.

use memchr::memmem;
use taskcell::text::one_line;

use super::process::Notice;

/// Number of skipped lines that are reported.
const SHOWN: u64 = 5;
/// Characters of a skipped line that are quoted.
const MAX_QUOTE: usize = 200;

/// Filter that skips foreign lines.
pub(super) struct ForeignLines {
    notice: Notice,
    skipped: u64,
}

impl ForeignLines {
    pub(super) fn new(notice: Notice) -> Self {
        Self { notice, skipped: 0 }
    }

    /// Whether a line is skipped. The first ones are reported.
    pub(super) fn skips(&mut self, line: &[u8]) -> bool {
        if is_message(line) {
            return false;
        }
        self.skipped = self.skipped.saturating_add(1);
        if self.skipped <= SHOWN {
            let quoted = one_line(&String::from_utf8_lossy(line), MAX_QUOTE);
            (self.notice)(&format!("skipped a line of the server's stdout (a server logs on stderr): {quoted:?}"));
        } else if self.skipped == SHOWN.saturating_add(1) {
            (self.notice)("more such lines are skipped and not shown");
        }
        true
    }
}

/// Whether a line is meant to be a message: an object or a batch that names JSON-RPC. Whether it is a correct one is
/// for its receiver to judge.
fn is_message(line: &[u8]) -> bool {
    matches!(line.trim_ascii_start().first(), Some(b'{' | b'[')) && memmem::find(line, b"\"jsonrpc\"").is_some()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn messages_are_told_from_foreign_lines() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,          true),
            (r#" {"result":{},"jsonrpc":"2.0","id":1}"#,         true),
            (r#"[{"jsonrpc":"2.0","method":"ping","id":1}]"#,    true),
            // Broken, but meant as one: the client shall see it.
            (r#"{"jsonrpc":"2.0","id":1,"resu"#,                 true),
            ("starting server on \"jsonrpc\"",                   false),
            (r#"{"level":"info","message":"started"}"#,          false),
            ("[info] started",                                   false),
            ("\u{1b}[32mok\u{1b}[0m",                            false),
            ("", false), ("{}", false),
        ];
        for (line, expected) in rows {
            assert_eq!(is_message(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn only_the_first_ones_are_reported() {
        let reported = Arc::new(Mutex::new(Vec::new()));
        let notice: Notice = {
            let reported = Arc::clone(&reported);
            Arc::new(move |line: &str| reported.lock().unwrap().push(line.to_owned()))
        };
        let mut lines = ForeignLines::new(notice);
        assert!((0..100).all(|_| lines.skips(b"hello\x1b")));
        let reported = reported.lock().unwrap();
        assert_eq!(reported.len(), 6);
        assert!(reported[0].ends_with("\"hello\u{fffd}\""), "{}", reported[0]);
    }
}
