//! Reader of bounded lines from another process's stream.
//!
//! The codecs of tokio-util stop at bytes that are not UTF-8, or drop a long line. A server's log contains both, and
//! closing the pipe would kill the server by SIGPIPE.

use tokio::io::AsyncRead;
use tokio_util::bytes::{Buf, BytesMut};
use tokio_util::codec::{Decoder, FramedRead};

/// Longest line of messages that is read, in bytes. The bound lies above a session's limit for messages, so that the
/// session answers oversized messages.
pub(crate) const MAX_LINE: usize = 16 << 20;
/// Length in bytes from which a line is moved out of the buffer, so that the buffer does not keep that much memory.
const LARGE: usize = 64 << 10;

/// Stream of the lines of `R`.
pub(crate) type Lines<R> = FramedRead<R, LineCodec>;

/// Treatment of a line longer than the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Reading fails.
    Fails,
    /// The rest of the line is dropped.
    IsCut,
}

/// Decoder that splits a stream into lines.
pub(crate) struct LineCodec {
    /// Bytes that end a line.
    ends: &'static [u8],
    max: usize,
    over: Over,
    /// Number of bytes at the start of the buffer that are known to hold no line end.
    scanned: usize,
    /// Whether the decoder is dropping the rest of a line that was cut.
    skipping: bool,
}

/// Reason why no more lines can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// A line is longer than [`MAX_LINE`].
    #[error("a line of more than {} bytes", MAX_LINE)]
    TooLong,
    /// Reading from the stream failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads messages, one per line. A line above [`MAX_LINE`] is an error.
pub(crate) fn messages<R: AsyncRead>(stream: R) -> Lines<R> {
    FramedRead::new(stream, LineCodec::new(b"\n", MAX_LINE, Over::Fails))
}

/// Reads a log meant for people: a carriage return also ends a line, and lines are cut after `max` bytes.
pub(crate) fn log<R: AsyncRead>(stream: R, max: usize) -> Lines<R> {
    FramedRead::new(stream, LineCodec::new(b"\r\n", max, Over::IsCut))
}

/// Returns the next line that is not blank; `None` at the end.
///
/// # Errors
/// [`LineError`].
pub(crate) async fn next<R: AsyncRead + Unpin>(lines: &mut Lines<R>) -> Result<Option<Vec<u8>>, LineError> {
    use futures_util::StreamExt;
    while let Some(line) = lines.next().await {
        let line = line?;
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

impl LineCodec {
    fn new(ends: &'static [u8], max: usize, over: Over) -> Self {
        Self { ends, max, over, scanned: 0, skipping: false }
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

impl Decoder for LineCodec {
    type Item = Vec<u8>;
    type Error = LineError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<u8>>, LineError> {
        loop {
            let unseen = buffer.get(self.scanned..).unwrap_or_default();
            let end = unseen.iter().position(|byte| self.ends.contains(byte));
            let end = end.map(|end| end.saturating_add(self.scanned));
            if self.skipping {
                let Some(end) = end else {
                    buffer.clear();
                    return Ok(None);
                };
                buffer.advance(end.saturating_add(1));
                (self.scanned, self.skipping) = (0, false);
                continue;
            }
            return match end {
                Some(end) if end <= self.max => Ok(Some(self.take(buffer, end, true))),
                None if buffer.len() <= self.max => {
                    self.scanned = buffer.len();
                    Ok(None)
                }
                _ if self.over == Over::Fails => Err(LineError::TooLong),
                _ => {
                    self.skipping = true;
                    Ok(Some(self.take(buffer, self.max, false)))
                }
            };
        }
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<u8>>, LineError> {
        if let Some(line) = self.decode(buffer)? {
            return Ok(Some(line));
        }
        // The last line may lack a line end.
        let length = buffer.len();
        Ok((length > 0).then(|| self.take(buffer, length, false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut lines: Lines<&[u8]>) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(line) = next(&mut lines).await.unwrap() {
            all.push(String::from_utf8_lossy(&line).into_owned());
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
    async fn a_message_may_not_be_longer_than_the_bound() {
        let text = vec![b'x'; MAX_LINE + 1];
        assert!(matches!(next(&mut messages(&text[..])).await, Err(LineError::TooLong)));
    }
}
