//! The state of a cell: what its store holds for the imports of its guest.

use std::time::Duration;

use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};

use super::context::{CallContext, HandlerInfo};
#[cfg(feature = "http")]
use super::http::Outgoing;
use crate::sandbox::{Limiter, Limits, Logged, Output};

/// State of the host for one cell: its limits and grants.
pub(crate) struct CellState {
    pub(crate) limiter: Limiter,
    /// Made when the guest first calls WASI, which most never do.
    wasi: Option<Box<Wasi>>,
    /// Bounds of WASI.
    bounds: WasiBounds,
    /// By how much the guest overdrew its time when it was ended.
    pub(crate) overdrawn: Duration,
    pub(crate) context: CallContext,
}

/// Bounds of WASI: resources, bytes of output, and bytes that one call produces.
#[derive(Clone, Copy)]
struct WasiBounds {
    handles: usize,
    output: usize,
    host_call: usize,
}

impl WasiBounds {
    fn of(limits: &Limits) -> Self {
        let Limits { handles, output, host_call, .. } = *limits;
        Self { handles, output, host_call }
    }
}

struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    output: Output,
    #[cfg(feature = "http")]
    http: Outgoing,
}

impl Wasi {
    /// An empty context: clocks and random work; files, sockets, arguments and the environment are not there. What
    /// is printed is kept for the log.
    fn new(context: &CallContext, bounds: WasiBounds) -> Self {
        let WasiBounds { handles, output, host_call } = bounds;
        let grants = &context.handler.grants;
        let output = Output::new(output);
        let mut builder = WasiCtx::builder();
        builder.stdout(output.clone()).stderr(output.clone());
        // No address may be reached anyway; but a socket is a file of the host's already when it is made.
        builder.allow_tcp(false).allow_udp(false);
        // They are made at once, and nobody looks at the time meanwhile.
        builder.max_random_size(host_call as u64);
        grants.clocks.set(&mut builder);
        grants.random.set(&mut builder);
        let ctx = builder.build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(handles);
        Self {
            ctx,
            table,
            output,
            #[cfg(feature = "http")]
            http: Outgoing::new(grants.http.as_ref(), &context.handler.name),
        }
    }
}

impl WasiView for CellState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Wasi { ctx, table, .. } = self.wasi();
        WasiCtxView { ctx, table }
    }
}

#[cfg(feature = "http")]
impl wasmtime_wasi_http::WasiHttpView for CellState {
    fn http(&mut self) -> wasmtime_wasi_http::WasiHttpCtxView<'_> {
        let Wasi { table, http: Outgoing { ctx, hooks }, .. } = self.wasi();
        wasmtime_wasi_http::WasiHttpCtxView { ctx, table, hooks }
    }
}

impl CellState {
    /// The state of a fresh cell.
    pub(crate) fn new(limits: &Limits, context: CallContext) -> Self {
        let (limiter, bounds) = (Limiter::new(limits), WasiBounds::of(limits));
        Self { limiter, wasi: None, bounds, overdrawn: Duration::ZERO, context }
    }

    /// Begins the next request in a cell that has answered one.
    pub(crate) fn begin(&mut self, context: CallContext) {
        self.overdrawn = Duration::ZERO;
        #[cfg(feature = "http")]
        if let Some(wasi) = &mut self.wasi {
            wasi.http = Outgoing::new(context.handler.grants.http.as_ref(), &context.handler.name);
        }
        self.context = context;
    }

    /// Logs what the guest printed; none where it did not use WASI.
    pub(crate) fn log_output(&self) -> Option<Logged> {
        let HandlerInfo { name, grants, .. } = &*self.context.handler;
        let settings = grants.config.as_ref();
        let redact =
            |text: &str| settings.map_or_else(|| text.to_owned(), |settings| settings.without_secrets(text).into());
        self.wasi.as_ref().map(|wasi| wasi.output.log(name, redact))
    }

    fn wasi(&mut self) -> &mut Wasi {
        let (context, bounds) = (&self.context, self.bounds);
        self.wasi.get_or_insert_with(|| Box::new(Wasi::new(context, bounds)))
    }
}
