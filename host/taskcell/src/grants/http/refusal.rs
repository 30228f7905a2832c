//! Why a request was not sent, or its response not given: what the guest is told, and the log.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use wasmtime_wasi_http::Error;

use super::resolve::Unresolved;
use crate::telemetry::limit_hit;
use crate::text::one_line;

/// Refusal by the policy.
#[derive(Debug)]
pub(super) enum Refused {
    /// No rule allows it.
    Rule,
    /// The address is none, or deceives.
    Uri,
    /// The name leads only to addresses that may not be connected to.
    Address(String),
    /// The cell has asked too often.
    Requests { current: u64, limit: u64 },
    /// The cell asks for too much at once.
    AtOnce { limit: u64 },
    /// The body of the request is too large.
    RequestSize { current: u64, limit: u64 },
    /// The body of the response is too large.
    ResponseSize { current: u64, limit: u64 },
    /// The request took too long.
    Time { limit: Duration },
}

/// Subject of a request, for the log. Paths and queries may hold secrets and are left out.
#[derive(Debug, Clone)]
pub(super) struct About(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    handler: Arc<str>,
    method: String,
    host: String,
}

impl About {
    pub(super) fn new(handler: Arc<str>, method: &str, host: &str) -> Self {
        Self(Arc::new(Inner { handler, method: one_line(method, 20), host: one_line(host, 300) }))
    }

    /// Logs that a request is refused; gives what the guest is told.
    pub(super) fn refused(&self, refused: Refused) -> Error {
        let Inner { handler, method, host } = &*self.0;
        let (why, current, limit, error) = match refused {
            Refused::Rule => ("no rule allows it".to_owned(), None, None, Error::HttpRequestDenied),
            Refused::Uri => ("its address cannot be read".to_owned(), None, None, Error::HttpRequestUriInvalid),
            Refused::Address(why) => (why, None, None, Error::DestinationIpProhibited),
            Refused::Requests { current, limit } => {
                ("one call asks too often".to_owned(), Some(current), Some(limit), Error::HttpRequestDenied)
            }
            Refused::AtOnce { limit } => {
                let current = limit.saturating_add(1);
                let why = "one call asks for too much at once".to_owned();
                (why, Some(current), Some(limit), Error::ConnectionLimitReached)
            }
            Refused::RequestSize { current, limit } => {
                let error = Error::HttpRequestBodySize(Some(limit));
                ("the request is too large".to_owned(), Some(current), Some(limit), error)
            }
            Refused::ResponseSize { current, limit } => {
                let error = Error::HttpResponseBodySize(Some(limit));
                ("the response is too large".to_owned(), Some(current), Some(limit), error)
            }
            Refused::Time { limit } => {
                let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                ("it takes too long".to_owned(), Some(limit), Some(limit), Error::HttpResponseTimeout)
            }
        };
        let handler = &**handler;
        if limit.is_some() {
            limit_hit::count("http");
        }
        tracing::warn!(handler, error.r#type = "http", method, host, current, limit, "a request is refused: {why}");
        error
    }

    /// Logs what went wrong on the way; gives what the guest is told.
    pub(super) fn failed(&self, error: &reqwest::Error) -> Error {
        // What refused a part of it has said so already.
        if let Some(refused) = cause::<Error>(error) {
            return match refused {
                Error::HttpRequestBodySize(size) => Error::HttpRequestBodySize(*size),
                // The guest's own body ended before it was whole.
                _ => Error::HttpProtocolError,
            };
        }
        match cause::<Unresolved>(error) {
            Some(prohibited @ Unresolved::Prohibited(_)) => {
                return self.refused(Refused::Address(prohibited.to_string()));
            }
            Some(Unresolved::None(_)) => {
                self.log(error);
                return Error::DnsError { rcode: None, info_code: None };
            }
            None => self.log(error),
        }
        let system = cause::<io::Error>(error);
        let text = chain(error);
        match system.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
            Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => Error::DestinationUnavailable,
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => Error::ConnectionTerminated,
            // rustls has no type here, only words.
            Some(io::ErrorKind::InvalidData) if text.contains("certificate") => Error::TlsCertificateError,
            Some(io::ErrorKind::InvalidData) if error.is_connect() => Error::TlsProtocolError,
            _ if error.is_timeout() => Error::ConnectionTimeout,
            _ if error.is_connect() => Error::DestinationUnavailable,
            _ if error.is_body() || error.is_decode() => Error::HttpResponseIncomplete,
            _ => Error::HttpProtocolError,
        }
    }

    fn log(&self, error: &reqwest::Error) {
        let Inner { handler, method, host } = &*self.0;
        let (handler, error) = (&**handler, one_line(&chain(error), 500));
        tracing::info!(handler, error.r#type = "http", method, host, error, "a request failed");
    }
}

/// The causes of an error in words, without what reqwest says first: that has the whole address in it.
fn chain(error: &reqwest::Error) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn cause<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source())
}
