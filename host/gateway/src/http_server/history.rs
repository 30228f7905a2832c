//! Events of a session that a client may ask for again after its connection broke.
//! [2025-11-25, basic/transports, Resumability and Redelivery]

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;

use crate::transport::Frame;

/// Bytes of kept events of one session, beside the newest event.
const BYTES: usize = 1 << 20;
/// Time for which an event is kept.
const AGE: Duration = Duration::from_secs(5 * 60);
/// Bytes that an event counts besides its message.
const OVERHEAD: usize = 96;

/// Id of an event: its stream, and its number there. Number 0 is the event that opens a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) stream: u64,
    pub(super) number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.number)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (stream, number) = text.split_once('-').ok_or(())?;
        Ok(Self { stream: stream.parse().map_err(drop)?, number: number.parse().map_err(drop)? })
    }
}

/// Kept event.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) id: EventId,
    pub(super) frame: Frame,
    /// Whether it is the response that ends its stream.
    pub(super) last: bool,
    at: Instant,
}

/// Kept events of a session, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    events: VecDeque<Kept>,
    bytes: usize,
}

impl History {
    /// Keeps an event, and forgets those that are too old or too many.
    pub(super) fn keep(&mut self, id: EventId, frame: Frame, last: bool) {
        self.bytes = self.bytes.saturating_add(size(&frame));
        self.events.push_back(Kept { id, frame, last, at: Instant::now() });
        while self.events.len() > 1
            && let Some(oldest) = self.events.front()
            && (self.bytes > BYTES || oldest.at.elapsed() > AGE)
        {
            self.bytes = self.bytes.saturating_sub(size(&oldest.frame));
            self.events.pop_front();
        }
    }

    /// The events of a stream after one of them; none when an event between was forgotten.
    pub(super) fn after(&self, id: EventId) -> Option<Vec<Kept>> {
        let later = |event: &&Kept| event.id.stream == id.stream && event.id.number > id.number;
        let events: Vec<_> = self.events.iter().filter(later).cloned().collect();
        let next = id.number.checked_add(1)?;
        events.first().is_none_or(|first| first.id.number == next).then_some(events)
    }
}

fn size(frame: &Frame) -> usize {
    frame.len().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(history: &History, stream: u64, number: u64) -> Option<Vec<u64>> {
        let events = history.after(EventId { stream, number })?;
        Some(events.into_iter().map(|event| event.id.number).collect())
    }

    #[test]
    fn events_are_found_by_stream_and_number() {
        let mut history = History::default();
        for (stream, number) in [(1, 1), (2, 1), (1, 2), (1, 3), (2, 2)] {
            history.keep(EventId { stream, number }, Frame::from_static(b"{}"), false);
        }
        assert_eq!(numbers(&history, 1, 0), Some(vec![1, 2, 3]));
        assert_eq!(numbers(&history, 1, 2), Some(vec![3]));
        assert_eq!(numbers(&history, 2, 2), Some(vec![]));
        assert_eq!(numbers(&history, 7, 0), Some(vec![]));
        assert_eq!(numbers(&history, 1, u64::MAX), None);
    }

    #[tokio::test(start_paused = true)]
    async fn old_and_surplus_events_are_forgotten_and_a_gap_is_told() {
        let mut history = History::default();
        let large = Frame::from(vec![b' '; 400 << 10]);
        for number in 1..=4 {
            history.keep(EventId { stream: 1, number }, large.clone(), false);
        }
        assert!(history.bytes <= BYTES);
        assert_eq!(numbers(&history, 1, 2), Some(vec![3, 4]));
        assert_eq!(numbers(&history, 1, 1), None, "event 2 is gone");
        tokio::time::advance(AGE + Duration::from_secs(1)).await;
        history.keep(EventId { stream: 2, number: 1 }, Frame::from_static(b"{}"), true);
        assert_eq!(history.events.len(), 1);
        // One message may be larger than all that is kept.
        history.keep(EventId { stream: 3, number: 1 }, Frame::from(vec![b' '; 2 << 20]), true);
        assert_eq!(numbers(&history, 3, 0), Some(vec![1]));
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = EventId { stream: 3, number: 14 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "3", "3-", "-3", "3-x", "3-1-1", "99999999999999999999-1"] {
            assert_eq!(text.parse::<EventId>(), Err(()), "{text}");
        }
    }
}
