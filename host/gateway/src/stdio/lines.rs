//! Reader of bounded lines from another process's stream.
//!
//! The codecs of tokio-util stop at bytes that are not UTF-8, or drop a long line. A server's log contains both, and
//! closing the pipe would kill the server by SIGPIPE.

use tokio::io::AsyncRead;
use tokio_util::bytes::{Buf, BytesMut};
use tokio_util::codec::{Decoder, FramedRead};

/// Longest line of messages that is read, in bytes. The bound lies above a session's limit for messages, so that the
/// session answers oversized messages.
pub const MAX_LINE: usize = 16 << 20;
/// Bytes that are kept of the end of a line that is too long. The id of a response may stand there.
const TAIL: usize = 512;
/// Length in bytes from which a line is moved out of the buffer, so that the buffer does not keep that much memory.
const LARGE: usize = 64 << 10;

/// Stream of the lines of `R`.
pub type Lines<R> = FramedRead<R, LineCodec>;

/// Line of a stream, without the byte that ended it.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The text, up to the bound.
    pub text: Vec<u8>,
    /// Last bytes of the line, when it is longer than the bound and the bytes before them were dropped.
    pub cut: Option<Vec<u8>>,
}

impl Line {
    /// Returns the text of a line within the bound.
    ///
    /// # Errors
    /// [`LineError::TooLong`] for a longer line.
    pub fn whole(self) -> Result<Vec<u8>, LineError> {
        if self.cut.is_some() { Err(LineError::TooLong) } else { Ok(self.text) }
    }
}

/// Decoder that splits a stream into lines.
#[derive(Debug)]
pub struct LineCodec {
    /// Bytes that end a line.
    ends: &'static [u8],
    max: usize,
    /// Number of bytes at the start of the buffer that are known to hold no line end.
    scanned: usize,
    /// Line that is too long, whose rest is being dropped.
    skipping: Option<Line>,
}

/// Reason why no more lines can be read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// A line is longer than [`MAX_LINE`].
    #[error("a line of more than {} bytes", MAX_LINE)]
    TooLong,
    /// Reading from the stream failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads messages, one per line.
pub fn messages<R: AsyncRead>(stream: R) -> Lines<R> {
    FramedRead::new(stream, LineCodec::new(b"\n", MAX_LINE))
}

/// Reads a log meant for people: a carriage return also ends a line, and lines are cut after `max` bytes.
pub(super) fn log<R: AsyncRead>(stream: R, max: usize) -> Lines<R> {
    FramedRead::new(stream, LineCodec::new(b"\r\n", max))
}

/// Returns the next line that is not blank; `None` at the end.
///
/// # Errors
/// When reading fails.
pub async fn next<R: AsyncRead + Unpin>(lines: &mut Lines<R>) -> std::io::Result<Option<Line>> {
    use futures_util::StreamExt;
    while let Some(line) = lines.next().await {
        let line = line?;
        if !line.text.trim_ascii().is_empty() || line.cut.is_some() {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

impl LineCodec {
    fn new(ends: &'static [u8], max: usize) -> Self {
        Self { ends, max, scanned: 0, skipping: None }
    }

    /// Takes `length` bytes from the buffer as a line, and drops the byte after it if `ended`.
    fn take(&mut self, buffer: &mut BytesMut, length: usize, ended: bool) -> Vec<u8> {
        self.scanned = 0;
        if length < LARGE {
            let line = buffer.split_to(length).to_vec();
            buffer.advance(usize::from(ended));
            return line;
        }
        let rest = buffer.get(length.saturating_add(usize::from(ended))..).unwrap_or_default();
        let rest = BytesMut::from(rest);
        buffer.truncate(length);
        std::mem::replace(buffer, rest).into()
    }
}

/// Keeps the last bytes of a line that is being dropped.
fn keep_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
    let over = tail.len().saturating_add(bytes.len()).saturating_sub(TAIL);
    tail.drain(..over.min(tail.len()));
    tail.extend_from_slice(bytes);
}

impl Decoder for LineCodec {
    type Item = Line;
    type Error = std::io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Line>, Self::Error> {
        loop {
            let unseen = buffer.get(self.scanned..).unwrap_or_default();
            let end = unseen.iter().position(|byte| self.ends.contains(byte));
            let end = end.map(|end| end.saturating_add(self.scanned));
            if let Some(Line { cut: Some(tail), .. }) = &mut self.skipping {
                let length = end.unwrap_or(buffer.len());
                keep_tail(tail, buffer.get(..length).unwrap_or_default());
                buffer.advance(length.saturating_add(usize::from(end.is_some())));
                self.scanned = 0;
                return Ok(end.and_then(|_| self.skipping.take()));
            }
            match end {
                Some(end) if end <= self.max => {
                    return Ok(Some(Line { text: self.take(buffer, end, true), cut: None }));
                }
                None if buffer.len() <= self.max => {
                    self.scanned = buffer.len();
                    return Ok(None);
                }
                _ => self.skipping = Some(Line { text: self.take(buffer, self.max, false), cut: Some(Vec::new()) }),
            }
        }
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Line>, Self::Error> {
        if let Some(line) = self.decode(buffer)? {
            return Ok(Some(line));
        }
        if let Some(line) = self.skipping.take() {
            return Ok(Some(line));
        }
        // The last line may lack a line end.
        let length = buffer.len();
        Ok((length > 0).then(|| Line { text: self.take(buffer, length, false), cut: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut lines: Lines<&[u8]>) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(line) = next(&mut lines).await.unwrap() {
            all.push(String::from_utf8_lossy(&line.text).into_owned());
        }
        all
    }

    #[tokio::test]
    async fn a_log_is_read_whatever_is_in_it() {
        let long = "x".repeat(20);
        #[rustfmt::skip]
        let table: [(&[u8], &[&str]); 8] = [
            (b"",                        &[]),
            (b"one\ntwo\n",              &["one", "two"]),
            (b"one\r\n\r\n \ntwo",       &["one", "two"]),
            (b"10 %\r20 %\rdone\n",      &["10 %", "20 %", "done"]),
            (b"caf\xe9\nnext\n",         &["caf\u{fffd}", "next"]),
            (b"\xff\xfe\x00\n",          &["\u{fffd}\u{fffd}\0"]),
            (&[long.as_bytes(), b"\nnext"].concat(), &["xxxxxxxx", "next"]),
            (&[long.as_bytes(), long.as_bytes()].concat(), &["xxxxxxxx"]),
        ];
        for (bytes, expected) in table {
            assert_eq!(read(log(bytes, 8)).await, expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[tokio::test]
    async fn large_lines_are_whole() {
        let large = "y".repeat(3 * LARGE);
        let text = format!("{large}\nsmall\n{large}\r\n{large}");
        let expected = [large.as_str(), "small", &format!("{large}\r"), &large];
        assert_eq!(read(messages(text.as_bytes())).await, expected);
    }

    #[tokio::test]
    async fn a_line_over_the_bound_is_cut_and_the_next_one_is_whole() {
        for end in ["\nnext", "\nnext\n"] {
            let text = format!("{}{}tail{end}", "x".repeat(MAX_LINE), "y".repeat(3 * TAIL));
            let mut lines = messages(text.as_bytes());
            let line = next(&mut lines).await.unwrap().unwrap();
            let tail = line.cut.as_deref().unwrap();
            assert_eq!((line.text.len(), tail.len(), &tail[TAIL - 5..]), (MAX_LINE, TAIL, b"ytail".as_slice()));
            assert!(matches!(line.whole(), Err(LineError::TooLong)));
            assert_eq!(next(&mut lines).await.unwrap().unwrap().whole().unwrap(), b"next");
        }
    }
}
