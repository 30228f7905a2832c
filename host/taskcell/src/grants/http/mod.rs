//! Grant `http`: asking servers, through `wasi:http`.
//!
//! The interfaces are wasmtime-wasi-http's. What goes out is sent here, by reqwest, and only what a rule allows: the
//! host decides from the address that is connected to, not from the name, follows no redirect (the guest sees it, and
//! asks again under the same rules), uses no proxy of the environment, and keeps no connection from one request to the
//! next. A body is streamed both ways within its bound.
//!
//! | file | knows |
//! |---|---|
//! | `rules` | which request may go out |
//! | `addresses`, `resolve` | which address may be connected to |
//! | `send` | one request |
//! | `body` | bodies with a bound |
//! | `refusal` | what the guest is told, and the log |

mod addresses;
mod body;
mod refusal;
mod resolve;
mod rules;
mod send;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::WasiView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, IoError};
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::{Error, WasiHttp, WasiHttpView};

pub use resolve::Resolver;
pub use rules::HttpRule;
pub(super) use send::Outgoing;

use crate::grants::CellState;

/// Policy for a handler's outgoing requests: allowed servers and limits. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    shared: Arc<Shared>,
}

struct Shared {
    rules: Vec<HttpRule>,
    limits: HttpLimits,
    resolver: Arc<dyn Resolver>,
    /// The clients for public addresses, and for private ones, too.
    clients: [OnceLock<Result<reqwest::Client, String>>; 2],
}

/// Limits of a handler's requests. All are on by default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// Time that a request may take, from sending it to the end of its response. Default 30 seconds.
    pub time: Duration,
    /// Bytes of a request's body. Default 1 MiB.
    pub request_size: u64,
    /// Bytes of a response's body. Default 4 MiB.
    pub response_size: u64,
    /// Requests of one cell. Default 100.
    pub requests: u64,
    /// Requests of one cell at once: until their responses are read, or dropped. Default 8.
    pub at_once: u32,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), request_size: 1 << 20, response_size: 4 << 20, requests: 100, at_once: 8 }
    }
}

impl Http {
    /// Allows what these rules allow; nothing without any.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = HttpRule>, limits: HttpLimits) -> Self {
        Self::with_resolver(rules, limits, Arc::new(resolve::System))
    }

    /// Policy with a resolver other than the system's. Its addresses are checked as always.
    #[must_use]
    pub fn with_resolver(
        rules: impl IntoIterator<Item = HttpRule>,
        limits: HttpLimits,
        resolver: Arc<dyn Resolver>,
    ) -> Self {
        let clients = [const { OnceLock::new() }; 2];
        Self { shared: Arc::new(Shared { rules: rules.into_iter().collect(), limits, resolver, clients }) }
    }

    /// Allowed servers.
    #[must_use]
    pub fn rules(&self) -> &[HttpRule] {
        &self.shared.rules
    }

    /// Limits of requests.
    #[must_use]
    pub fn limits(&self) -> &HttpLimits {
        &self.shared.limits
    }

    fn client(&self, private: bool) -> Result<&reqwest::Client, &str> {
        let [public, all] = &self.shared.clients;
        let make = || {
            let resolver = resolve::Checked { resolver: Arc::clone(&self.shared.resolver), private };
            super::tls::install_provider();
            let client = reqwest::Client::builder()
                .dns_resolver(Arc::new(resolver))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .retry(reqwest::retry::never())
                .pool_max_idle_per_host(0);
            client.build().map_err(|error| error.to_string())
        };
        let client = if private { all } else { public };
        client.get_or_init(make).as_ref().map_err(String::as_str)
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("rules", &self.shared.rules).field("limits", &self.shared.limits).finish()
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<CellState>) -> wasmtime::Result<()> {
    outgoing_handler::add_to_linker::<_, WasiHttp>(linker, CellState::http)?;
    types::add_to_linker::<_, WasiHttp>(linker, &types::LinkOptions::default(), CellState::http)?;
    // The function of wasmtime-wasi-http looks for another type of error than its own streams give, so a guest would
    // never learn why a body ended.
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap("http-error-code", |mut store, (error,): (Resource<IoError>,)| {
        let table = WasiView::ctx(store.data_mut()).table;
        Ok((table.get(&error)?.downcast_ref().and_then(code),))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The interface by the name that wasmtime-wasi-http gives it.
const TYPES: &str = "wasi:http/types@0.2.12";

/// Error code that a body can end with.
fn code(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::HttpResponseBodySize(size) => Some(ErrorCode::HttpResponseBodySize(*size)),
        Error::HttpRequestBodySize(size) => Some(ErrorCode::HttpRequestBodySize(*size)),
        Error::HttpResponseTimeout => Some(ErrorCode::HttpResponseTimeout),
        Error::ConnectionReadTimeout => Some(ErrorCode::ConnectionReadTimeout),
        Error::ConnectionTerminated => Some(ErrorCode::ConnectionTerminated),
        Error::HttpResponseIncomplete => Some(ErrorCode::HttpResponseIncomplete),
        Error::HttpProtocolError => Some(ErrorCode::HttpProtocolError),
        _ => None,
    }
}
