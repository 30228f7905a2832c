//! A cell: a fresh store and instance for one call.
//!
//! Nothing of a call is left in the next one, unless the operator lets an instance go on ([`Kept`]); and dropping the
//! call's future drops the cell, wherever the guest is: that is how a request is cancelled.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tracing::Instrument;
use wasmtime::component::Instance;
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi::{ResourceTable, ResourceTableError, WasiCtx, WasiCtxView, WasiView};

use super::Engine;
use super::exports::{Answer, Export, call_checked};
use super::handler::Handler;
use super::kept::{Kept, KeptCell};
use super::limits::{Limiter, Limits};
use super::meter;
use super::output::{Logged, Output};
use super::places::{Place, Places};
use super::turns::{Slice, Turn};
use crate::Error;
use crate::first_poll::first_poll;
#[cfg(feature = "http")]
use crate::grants::Outgoing;
use crate::grants::{Owner, Scope};
use crate::observe::{CellWatch, Measured};

/// What the host keeps for one cell: its limits, and what it was granted.
pub(crate) struct CellState {
    limiter: Limiter,
    /// Made when the guest first calls WASI, which most never do.
    wasi: Option<Box<Wasi>>,
    /// What bounds WASI.
    bounds: WasiBounds,
    /// By how much the guest overdrew its time when it was ended.
    overdrawn: Duration,
    pub(crate) scope: Scope,
}

/// What bounds WASI: resources, bytes of output, and bytes that a call makes.
#[derive(Clone, Copy)]
struct WasiBounds {
    handles: usize,
    output: usize,
    host_call: usize,
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
    fn new(scope: &Scope, bounds: WasiBounds) -> Self {
        let WasiBounds { handles, output, host_call } = bounds;
        let grants = &scope.owner.grants;
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
            http: Outgoing::new(grants.http.as_ref(), &scope.owner.name),
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
    /// Begins the next request in a cell that has answered one.
    fn begin(&mut self, scope: Scope) {
        self.overdrawn = Duration::ZERO;
        #[cfg(feature = "http")]
        if let Some(wasi) = &mut self.wasi {
            wasi.http = Outgoing::new(scope.owner.grants.http.as_ref(), &scope.owner.name);
        }
        self.scope = scope;
    }

    /// Logs what the guest printed; none where it did not use WASI.
    pub(super) fn log_output(&self) -> Option<Logged> {
        let Owner { name, grants, .. } = &*self.scope.owner;
        self.wasi.as_ref().map(|wasi| wasi.output.log(name, grants.config.as_ref()))
    }

    fn wasi(&mut self) -> &mut Wasi {
        let (scope, bounds) = (&self.scope, self.bounds);
        self.wasi.get_or_insert_with(|| Box::new(Wasi::new(scope, bounds)))
    }
}

/// Calls one export of a handler in a cell of its own, or in one of `kept` where the handler allows it.
///
/// Gives the handler's answer, or why there is none, in either case what the cell did through its grants, and the slice
/// that it ended in: whoever makes something of the answer keeps it until that is made, but never waits with it.
pub(crate) async fn call<'a, E: Export>(
    handler: &'a Handler,
    kept: &Kept,
    scope: Scope,
    params: E::Params<'_>,
) -> (Result<Answer<E::Output>, Error>, Scope, Option<Slice<'a>>) {
    let engine = handler.engine();
    let limits = engine.limits();
    let mut watch;
    let mut cell = match kept.take(handler) {
        Some(cell) => Cell::again(cell, scope),
        None => match engine.admit() {
            Ok(place) => Cell::fresh(handler, place, scope),
            Err(error) => {
                error.log(Some(handler.name()), "a request is refused");
                return (Err(error), scope, None);
            }
        },
    };
    // Ends after the cell, so that what it used to its end is seen.
    watch = CellWatch::begin(handler.owner(), E::KIND, cell.instance.is_some());
    cell.store.data_mut().limiter.measure(watch.measured());
    let lately = handler.lately();
    let (ended, turn) = {
        let run = pin!(run::<E>(handler, &mut cell, params));
        // Pinned before it is instrumented: moving it would copy a kilobyte on each request.
        let run = pin!(run.instrument(watch.span().clone()));
        let measured = watch.measured().map(Arc::as_ref);
        within_limits(engine, lately.is_long(), measured, run).await
    };
    let slice = Slice::new(lately, turn);
    let answer = match ended {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(why(&error, cell.store.data(), limits)),
        Err(error) => Err(error),
    };
    let logged = cell.store.data().log_output();
    watch.ended(&answer);
    if let Err(error) = &answer {
        let _entered = watch.span().enter();
        error.log(Some(handler.name()), "a cell ended without an answer");
    }
    let reusable = answer.is_ok() && logged.as_ref().is_none_or(|logged| logged.all);
    let mut scope = if reusable { cell.give(handler, kept) } else { cell.store.into_data().scope };
    if let (Err(_), Some(logged)) = (&answer, logged) {
        scope.printed = logged.last;
    }
    // The cell ends here, within the slice.
    (answer, scope, Some(slice))
}

/// A store, and the instance in it once there is one.
struct Cell<'a> {
    store: Store<CellState>,
    instance: Option<Instance>,
    /// Requests that it may answer.
    left: u32,
    place: CellPlace<'a>,
}

/// A fresh cell's place, or that of one that waited.
enum CellPlace<'a> {
    Fresh(Place<&'a Places>),
    Kept(Place<Arc<Places>>),
}

impl<'a> Cell<'a> {
    /// A fresh one, in its place.
    fn fresh(handler: &Handler, place: Place<&'a Places>, scope: Scope) -> Self {
        let store = new_store(handler.engine(), scope);
        Self { store, instance: None, left: handler.reuse(), place: CellPlace::Fresh(place) }
    }

    /// One that waited for this request.
    fn again(KeptCell { mut store, instance, left, place }: KeptCell, scope: Scope) -> Self {
        store.data_mut().begin(scope);
        store.set_epoch_deadline(1);
        Self { store, instance: Some(instance), left, place: CellPlace::Kept(place) }
    }

    /// Leaves the cell to the next request, if it may answer one more. Gives what it did for this one.
    fn give(self, handler: &Handler, kept: &Kept) -> Scope {
        let Self { mut store, instance, left, place } = self;
        let left = left.saturating_sub(1);
        let (Some(instance), true) = (instance, left > 0 && store.data().limiter.hit().is_none()) else {
            return store.into_data().scope;
        };
        // What waits must not keep a conversation alive.
        let scope = std::mem::replace(&mut store.data_mut().scope, Scope::new(handler.owner()));
        let place = match place {
            CellPlace::Fresh(place) => place.keep(handler.engine().places()),
            CellPlace::Kept(place) => place,
        };
        kept.put(handler, KeptCell { store, instance, left, place });
        scope
    }
}

async fn run<E: Export>(
    handler: &Handler,
    cell: &mut Cell<'_>,
    params: E::Params<'_>,
) -> wasmtime::Result<Answer<E::Output>> {
    let index = handler.export::<E>().ok_or_else(|| wasmtime::format_err!("the handler does not export this"))?;
    let instance = match cell.instance {
        Some(instance) => instance,
        None => *cell.instance.insert(handler.pre().instantiate_async(&mut cell.store).await?),
    };
    call_checked::<E>(&mut cell.store, &instance, index, params).await
}

/// Runs a guest's future in its CPU and wall time.
///
/// Gives also the turn of its last slice. Who takes turns at once does not begin without one.
///
/// # Errors
/// [`Error::Time`], and [`Error::Cpu`] for who used up the CPU time bit by bit; who does so at once traps.
pub(super) async fn within_limits<'a, F: Future>(
    engine: &'a Engine,
    at_once: bool,
    measured: Option<&Measured>,
    guest: Pin<&mut F>,
) -> (Result<F::Output, Error>, Turn<'a>) {
    let (limits, start) = (engine.limits(), Instant::now());
    let mut guest = pin!(meter::metered(limits.cpu_time, || engine.touch(), measured, guest));
    let mut computed = None;
    if !at_once {
        if let Poll::Ready(ended) = first_poll(guest.as_mut()).await {
            let turn = Turn::none(start, Instant::now());
            return (ended.map_err(|current| Error::Cpu { current, limit: limits.cpu_time }), turn);
        }
        computed = Some(start.elapsed());
    }
    let (start, limit) = (Instant::now(), limits.wall_time);
    match tokio::time::timeout(limit, engine.turns().taking(computed, guest)).await {
        Ok((ended, turn)) => (ended.map_err(|current| Error::Cpu { current, limit: limits.cpu_time }), turn),
        // How much of it was computed is not known: it was long enough to take turns, or waited.
        Err(_) => {
            let now = Instant::now();
            (Err(Error::Time { current: now.saturating_duration_since(start), limit }), Turn::none(now, now))
        }
    }
}

/// A store with every limit set.
pub(super) fn new_store(engine: &Engine, scope: Scope) -> Store<CellState> {
    let limits = engine.limits();
    let Limits { handles, output, host_call, .. } = *limits;
    let (limiter, bounds) = (Limiter::new(limits), WasiBounds { handles, output, host_call });
    let state = CellState { limiter, wasi: None, bounds, overdrawn: Duration::ZERO, scope };
    let mut store = Store::new(engine.wasmtime(), state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(limits.host_call);
    store.set_max_component_handles(handles);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        if let Some(time) = meter::overdrawn() {
            store.data_mut().overdrawn = time;
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// Which limit or fault ended a guest.
pub(super) fn why(error: &wasmtime::Error, state: &CellState, limits: &Limits) -> Error {
    // A guest that was refused memory and went on is not what ended here.
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            let limit = limits.cpu_time;
            return Error::Cpu { current: limit.saturating_add(state.overdrawn), limit };
        }
        Some(Trap::StackOverflow) => return Error::Stack { limit: limits.stack },
        _ => {}
    }
    if hands_over_too_much(error) {
        return Error::HostCall { limit: limits.host_call };
    }
    if holds_too_much(error) {
        return Error::Handles { limit: limits.handles };
    }
    if let Some(hit) = state.limiter.hit() {
        return hit;
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return Error::Overloaded { limit: limits.cells };
    }
    // The whole chain, with the guest's stack, is for the log; the peer gets the cause.
    tracing::debug!(error = format!("{error:?}"), "the guest's fault");
    match error.downcast_ref::<Trap>() {
        Some(trap) => Error::Trap(trap.to_string()),
        None => Error::Trap(error.root_cause().to_string()),
    }
}

/// Whether a guest handed over more than a host call may move, or asked WASI to make more. wasmtime has no type for it,
/// only words.
fn hands_over_too_much(error: &wasmtime::Error) -> bool {
    let cause = error.root_cause().to_string();
    cause.ends_with("fuel allocated for hostcalls has been exhausted")
        || (cause.starts_with("requested len ") && cause.contains(" exceeds limit "))
}

/// Whether a guest was refused a resource: one that the host makes for it, or a handle to one of its own. For the
/// latter wasmtime has no type, only words.
fn holds_too_much(error: &wasmtime::Error) -> bool {
    let cause = error.root_cause();
    matches!(cause.downcast_ref(), Some(ResourceTableError::Full))
        || cause.to_string().ends_with("store handle limit exceeded")
}
