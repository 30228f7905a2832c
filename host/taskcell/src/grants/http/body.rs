//! Bodies with a bound: of size, and for a response of time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody};

use super::refusal::{About, Refused};

/// Body that a guest sends.
pub(super) struct Sent {
    body: WasiBody,
    left: u64,
    limit: u64,
    about: About,
}

impl Sent {
    pub(super) fn new(body: WasiBody, limit: u64, about: About) -> Self {
        Self { body, left: limit, limit, about }
    }
}

impl Stream for Sent {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else { return Poll::Ready(None) };
            // Trailers stay here: no rule speaks of them.
            let Ok(data) = frame?.into_data() else { continue };
            let size = data.len() as u64;
            let Some(left) = self.left.checked_sub(size) else {
                let current = self.limit.saturating_sub(self.left).saturating_add(size);
                return Poll::Ready(Some(Err(self.about.refused(Refused::RequestSize { current, limit: self.limit }))));
            };
            self.left = left;
            return Poll::Ready(Some(Ok(data)));
        }
    }
}

/// Body that a server sends. Dropping it closes the connection.
pub(super) struct Received {
    body: reqwest::Body,
    left: u64,
    limit: u64,
    /// When it has to be here.
    deadline: Pin<Box<Sleep>>,
    time: Duration,
    /// Time that the guest waits for each piece.
    pause: Option<(Duration, Pin<Box<Sleep>>)>,
    about: About,
    /// Nothing more comes after an error.
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Received {
    pub(super) fn new(
        body: reqwest::Body,
        limit: u64,
        (deadline, time): (Instant, Duration),
        pause: Option<Duration>,
        about: About,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let deadline = Box::pin(sleep_until(deadline));
        let pause = pause.map(|pause| (pause, Box::pin(sleep(pause))));
        Self { body, left: limit, limit, deadline, time, pause, about, ended: false, _place: place }
    }

    fn frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        // Looked at first: a server that always has a piece ready must not go on for ever.
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(self.about.refused(Refused::Time { limit: self.time }))));
        }
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                if let Some((_, sleep)) = &mut self.pause {
                    ready!(sleep.as_mut().poll(context));
                    return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
                }
                return Poll::Pending;
            }
        };
        if let Some((pause, sleep)) = &mut self.pause
            && let Some(next) = Instant::now().checked_add(*pause)
        {
            sleep.as_mut().reset(next);
        }
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Some(Err(self.about.failed(&error)))),
        };
        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = self.left.checked_sub(size) else {
            let current = self.limit.saturating_sub(self.left).saturating_add(size);
            return Poll::Ready(Some(Err(self.about.refused(Refused::ResponseSize { current, limit: self.limit }))));
        };
        self.left = left;
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(self.frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.ended = true;
            // The connection goes, even if the guest keeps what is left of this.
            self.body = reqwest::Body::default();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}
