//! Event streams as bodies of responses. [HTML, Server-sent events]

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use super::body::Body;
use super::history::EventId;
use super::session::Event;

/// Pause after which a comment is sent, so that either side notices a connection that is gone.
const ALIVE: Duration = Duration::from_secs(15);

/// State of a body: a text to send before anything else, an event that has come already, and the events to come.
struct Stream {
    opening: Option<Bytes>,
    first: Option<Event>,
    events: Option<UnboundedReceiver<Event>>,
}

/// The body of an event stream. It ends after the last event, or with the session.
///
/// `opening` is the id under which a client resumes a stream of which it got no event yet; revisions before 2025-11-25
/// have no such event.
pub(super) fn body(opening: Option<EventId>, first: Option<Event>, events: UnboundedReceiver<Event>) -> Body {
    let opening = opening.map(|id| Bytes::from(format!("id: {id}\ndata:\n\n")));
    let stream = unfold(Stream { opening, first, events: Some(events) }, |mut stream| async {
        let text = stream.next().await?;
        Some((Ok(Frame::data(text)), stream))
    });
    StreamBody::new(stream).boxed()
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        let event = match self.first.take() {
            Some(first) => first,
            None => match timeout(ALIVE, self.events.as_mut()?.recv()).await {
                Ok(event) => event?,
                Err(_) => return Some(Bytes::from_static(b":\n\n")),
            },
        };
        if event.last {
            self.events = None;
        }
        Some(encoded(&event))
    }
}

/// An event as text. A message may be written over several lines.
fn encoded(event: &Event) -> Bytes {
    let mut text = format!("id: {}\n", event.id).into_bytes();
    text.reserve(event.frame.len().saturating_add(16));
    for line in event.frame.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty()) {
        text.extend_from_slice(b"data: ");
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.push(b'\n');
    text.into()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    fn event(number: u64, text: &'static str, last: bool) -> Event {
        Event { id: EventId { stream: 1, number }, frame: Bytes::from_static(text.as_bytes()), last, _permit: None }
    }

    #[tokio::test]
    async fn a_stream_ends_after_its_last_event() {
        let (sender, events) = unbounded_channel();
        sender.send(event(2, "{\n\"a\":1}\r\n", true)).unwrap();
        let opening = Some(EventId { stream: 1, number: 0 });
        let body = body(opening, Some(event(1, "{}", false)), events).collect().await.unwrap().to_bytes();
        assert_eq!(body, "id: 1-0\ndata:\n\nid: 1-1\ndata: {}\n\nid: 1-2\ndata: {\ndata: \"a\":1}\n\n");
        assert!(sender.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_shows_that_it_is_alive() {
        let (sender, events) = unbounded_channel();
        let mut body = body(None, None, events);
        let start = tokio::time::Instant::now();
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((&frame[..], start.elapsed()), (&b":\n\n"[..], ALIVE));
        drop(sender);
        assert!(body.frame().await.is_none());
    }
}
