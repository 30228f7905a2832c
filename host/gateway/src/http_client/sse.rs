//! Parser of server-sent events. [HTML, 9.2.6 Interpreting an event stream]
//!
//! An event is bounded in bytes, and one that is too large is skipped: the stream goes on after it. The parsers that
//! exist as crates bound nothing, and a limit in front of them can only end the stream.

use std::collections::VecDeque;

use crate::transport::Frame;

/// Longest event id that is kept, in bytes. It goes back to the server in a header.
const MAX_ID: usize = 1 << 10;
/// Bytes of an event that is too large which tell its message.
const BEGINNING: usize = 4 << 10;
/// Mark that a stream may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Name, where it is not `message`.
    pub(super) name: Option<String>,
    /// Data, if the event has any.
    pub(super) data: Option<Vec<u8>>,
    /// Id of the event; empty where the event takes the id back.
    pub(super) id: Option<String>,
    /// Time in milliseconds to wait before a new connection.
    pub(super) retry: Option<u64>,
}

/// Piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A complete event.
    Event(Event),
    /// An event above the limit, with the first bytes of its data.
    TooLarge(Frame),
}

/// Parser of one stream.
#[derive(Debug)]
pub(super) struct Parser {
    max: usize,
    /// Bytes of a line that has not ended.
    line: Vec<u8>,
    event: Event,
    /// Whether the event has any field.
    begun: bool,
    /// Whether the event is above the limit.
    over: bool,
    /// First bytes of an event above the limit.
    beginning: Vec<u8>,
    /// Whether the last byte was a carriage return, which a line feed may follow.
    after_return: bool,
    first: bool,
}

impl Parser {
    /// Creates a parser of events up to `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            line: Vec::new(),
            event: Event::default(),
            begun: false,
            over: false,
            beginning: Vec::new(),
            after_return: false,
            first: true,
        }
    }

    /// Reads bytes, and adds the pieces that they complete.
    pub(super) fn read(&mut self, mut bytes: &[u8], pieces: &mut VecDeque<Piece>) {
        while let Some(next) = bytes.first() {
            if std::mem::take(&mut self.after_return) && *next == b'\n' {
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.add(part);
            let Some(ended_by) = rest.first() else { return };
            self.after_return = *ended_by == b'\r';
            bytes = rest.get(1..).unwrap_or_default();
            self.end_line(pieces);
        }
    }

    /// Adds a part of a line, unless the event is above the limit.
    fn add(&mut self, part: &[u8]) {
        if !self.over {
            let data = self.event.data.as_ref().map_or(0, Vec::len);
            self.over = data.saturating_add(self.line.len()).saturating_add(part.len()) > self.max;
            if self.over {
                let lines = [self.event.data.as_deref().unwrap_or_default(), &self.line, part].concat();
                self.beginning = lines.into_iter().take(BEGINNING).collect();
                (self.line, self.event.data) = (Vec::new(), None);
            }
        }
        if !self.over {
            self.line.extend_from_slice(part);
        } else if self.line.is_empty() {
            // Only whether the line is empty matters.
            self.line.extend(part.first());
        }
    }

    fn end_line(&mut self, pieces: &mut VecDeque<Piece>) {
        let line = std::mem::take(&mut self.line);
        let line = match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if self.first => rest,
            _ => &line,
        };
        self.first = false;
        if !line.is_empty() {
            if !self.over {
                self.field(line);
            }
            return;
        }
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.over) {
            pieces.push_back(Piece::TooLarge(std::mem::take(&mut self.beginning).into()));
        } else if self.begun {
            pieces.push_back(Piece::Event(event));
        }
        self.begun = false;
    }

    fn field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = || String::from_utf8_lossy(value).into_owned();
        match name {
            b"data" => match &mut self.event.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.event.data = Some(value.to_vec()),
            },
            b"event" => self.event.name = Some(text()).filter(|name| !name.is_empty() && name != "message"),
            // An id that no header can carry is none. [HTML, 9.2.4 The `Last-Event-ID` header]
            b"id" if value.len() > MAX_ID || value.iter().any(|byte| byte.is_ascii_control()) => {}
            b"id" => self.event.id = Some(text()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.event.retry = Some(text().parse().unwrap_or(u64::MAX));
            }
            // Comments have an empty name. Other fields are ignored.
            _ => return,
        }
        self.begun = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: Option<&str>, data: Option<&str>, id: Option<&str>, retry: Option<u64>) -> Piece {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let data = data.map(|data| data.as_bytes().to_vec());
        Piece::Event(Event { name: owned(name), data, id: owned(id), retry })
    }

    fn read(text: &[u8], step: usize, max: usize) -> Vec<Piece> {
        let (mut parser, mut pieces) = (Parser::new(max), VecDeque::new());
        text.chunks(step).for_each(|bytes| parser.read(bytes, &mut pieces));
        pieces.into()
    }

    #[test]
    fn a_stream_is_read_however_it_is_cut() {
        let data = |data: &str| event(None, Some(data), None, None);
        #[rustfmt::skip]
        let table: [(&str, Vec<Piece>); 16] = [
            ("",                                              vec![]),
            ("data: a\n\n",                                   vec![data("a")]),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\n",         vec![data("a"), data("b"), data("c")]),
            ("\u{feff}data: a\n\n",                           vec![data("a")]),
            ("data:a\ndata: b\ndata:  c\n\n",                 vec![data("a\nb\n c")]),
            ("event: message\ndata: a\n\n",                   vec![data("a")]),
            ("event: ping\ndata: a\n\n",                      vec![event(Some("ping"), Some("a"), None, None)]),
            ("id: 7\ndata:\n\n",                              vec![event(None, Some(""), Some("7"), None)]),
            ("id: 7\nretry: 1500\n\n",                        vec![event(None, None, Some("7"), Some(1_500))]),
            ("id\ndata: a\n\n",                               vec![event(None, Some("a"), Some(""), None)]),
            ("id: a\u{0}b\ndata: a\n\n",                      vec![data("a")]),
            ("retry: soon\nretry: -1\nretry:\ndata: a\n\n",   vec![data("a")]),
            (": a comment\n\n:\n\n",                          vec![]),
            ("unknown: x\nnothing\ndata: a\n\n",              vec![data("a")]),
            ("\n\n\ndata: a\n\n\n",                           vec![data("a")]),
            ("data: a\n\ndata: it never ends\n",              vec![data("a")]),
        ];
        for (text, expected) in table {
            for step in [1, 2, 3, 1_000] {
                assert_eq!(read(text.as_bytes(), step, 100), expected, "{text:?} by {step}");
            }
        }
    }

    #[test]
    fn an_event_that_is_too_large_is_skipped_alone() {
        let long = "x".repeat(200);
        let lines = "data: yyyyyyyyyy\n".repeat(20);
        for (text, beginning) in
            [(format!("data: {long}\n\ndata: b\n\n"), "data: xx"), (format!("{lines}\ndata: b\n\n"), "yyyyyyyyyy\ny")]
        {
            for step in [1, 7, 1_000] {
                let pieces = read(text.as_bytes(), step, 100);
                let [Piece::TooLarge(found), rest] = &pieces[..] else { panic!("{pieces:?}") };
                assert!(found.starts_with(beginning.get(..6).unwrap().as_bytes()), "{found:?} by {step}");
                assert_eq!(*rest, event(None, Some("b"), None, None), "by {step}");
            }
        }
        // What is kept of it is bounded, too.
        let mut parser = Parser::new(100);
        for _ in 0..1_000 {
            parser.read(&[b'x'; 1_000], &mut VecDeque::new());
        }
        assert!(parser.line.len() + parser.beginning.len() <= BEGINNING + 1);
    }
}
