//! Sending end of a stream of lines.

use async_trait::async_trait;
use bytes::{Buf, Bytes, buf::Chain};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

use crate::transport::{Frame, Sender, TransportError};

/// Sender that writes each frame as a line.
///
/// There is no queue: a frame is written by its sender, and further senders wait in order. So what waits is what the
/// senders hold, and a peer that does not read stops them.
pub(super) struct LineWriter<W> {
    state: Mutex<State<W>>,
}

struct State<W> {
    /// Stream; none once it is closed.
    stream: Option<W>,
    /// Rest of the frame that is being written. It is left over when the sender of the frame is dropped meanwhile.
    rest: Chain<Bytes, Bytes>,
}

impl<W> LineWriter<W> {
    pub(super) fn new(stream: W) -> Self {
        Self { state: Mutex::new(State { stream: Some(stream), rest: line(Bytes::new(), b"") }) }
    }
}

fn line(frame: Frame, end: &'static [u8]) -> Chain<Bytes, Bytes> {
    frame.chain(Bytes::from_static(end))
}

impl<W: AsyncWrite + Unpin> State<W> {
    /// Writes the rest of a frame.
    async fn finish(&mut self) -> Result<(), TransportError> {
        let Some(stream) = &mut self.stream else {
            return Err(TransportError::Ended("the connection is closed".to_owned()));
        };
        let written = async {
            stream.write_all_buf(&mut self.rest).await?;
            stream.flush().await
        };
        written.await.map_err(|error| TransportError::Ended(format!("no more messages are taken: {error}")))
    }
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin> Sender for LineWriter<W> {
    async fn send(&self, frame: Frame) -> Result<(), TransportError> {
        let mut state = self.state.lock().await;
        if state.rest.has_remaining() {
            state.finish().await?;
        }
        state.rest = line(frame, b"\n");
        state.finish().await
    }

    async fn close(&self) {
        let mut state = self.state.lock().await;
        if state.rest.has_remaining() {
            // A stream that takes no more is as good as closed.
            let _ = state.finish().await;
        }
        if let Some(mut stream) = state.stream.take() {
            let _ = stream.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_frame_is_written_whole_also_when_its_sender_is_dropped() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let writer = LineWriter::new(ours);
        assert!(writer.send(Bytes::from_static(b"0123456789")).now_or_never().is_none(), "the stream has 8 bytes");
        let reading = async {
            let mut all = String::new();
            theirs.read_to_string(&mut all).await.map(|_| all)
        };
        let writing = async {
            writer.send(Bytes::from_static(b"next")).await.unwrap();
            writer.close().await;
        };
        let (all, ()) = tokio::join!(reading, writing);
        assert_eq!(all.unwrap(), "0123456789\nnext\n");
        assert!(writer.send(Bytes::from_static(b"late")).await.is_err());
    }
}
