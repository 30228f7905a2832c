//! The first poll of a future, apart from the rest.
//!
//! Most requests are answered in it. What only a request that waits needs, a timer and a place where a cancellation
//! finds it, is set up after it.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// Polls a future once.
pub(crate) async fn first_poll<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}
