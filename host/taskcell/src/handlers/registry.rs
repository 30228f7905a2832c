//! Handlers that are replaced while sessions use them.
//!
//! A set of handlers never changes; what changes is which set serves. Each request, and each piece of background work,
//! takes the set that serves when it begins and keeps it to its end. So no answer is made by two sets, nothing that
//! runs is disturbed, and a set is dropped with the last request that began with it. A component is checked and
//! compiled before anything is replaced: what is wrong with it is an error, and the running one goes on.
//!
//! A request reads the set under a lock that is held for the count of one reference. That is some ten nanoseconds, of a
//! request's twenty thousand, and spares a dependency with `unsafe` code in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use super::change::Change;
use super::component::Handler;
use super::set::{Handlers, Responder};
use crate::error::{LoadError, LoadFault};
use crate::kinds::Kind;
use crate::protocol::Bounds;
use crate::sandbox::{Limits, file};
use crate::support::lock;
use crate::telemetry::reloaded;

/// Handlers that can be replaced while sessions use them. Cloning it is cheap and gives the same ones.
///
/// Every [`Session`](crate::Session) has one: its own, if it was given [`Handlers`], or one that it shares with others.
///
/// ```
/// use taskcell::protocol::types::Implementation;
/// use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, HandlerRegistry, Session, SessionOptions};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut grants = Grants::default();
/// # grants.tasks = true;
/// # grants.progress = true;
/// # grants.config = Some([("script".to_owned(), "{}".to_owned())].into_iter().collect());
/// # let handlers_wasm = || std::fs::read("../cli/assets/stock.wasm");
/// let engine = Engine::new(EngineOptions::default())?;
/// let handler = Handler::from_bytes(&engine, "mine", handlers_wasm()?, grants).await?;
/// let handlers = HandlerRegistry::new(Handlers::new([handler])?);
/// let server = Implementation::new("a server", "1");
/// let (session, mut outbox) = Session::new(handlers.clone(), SessionOptions::new(server));
///
/// // A broken component changes nothing and says why.
/// let error = handlers.reload("mine", b"no component".to_vec()).await.unwrap_err();
/// assert_eq!(error.kind(), "not_a_component");
/// // The same one again is no change; another would serve the requests that begin from now on.
/// let change = handlers.reload("mine", handlers_wasm()?).await?;
/// assert!(change.is_empty());
/// # drop((session, outbox));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HandlerRegistry(Arc<Shared>);

struct Shared {
    active: RwLock<Arc<ActiveHandlers>>,
    /// Observers of the set. The lock is held while the set is replaced, so that an observer that starts meanwhile is
    /// not missed.
    observers: Mutex<Observers>,
    /// Reloads take effect in the order in which they were asked for.
    reloading: tokio::sync::Mutex<()>,
}

type Observers = Vec<Weak<dyn HandlersObserver>>;

/// One that is served by handlers that can be replaced: a session.
pub(crate) trait HandlersObserver: Send + Sync {
    /// Serves with these handlers from now on.
    fn follow(&self, active: &ActiveHandlers);

    /// Tells of handlers that serve by now.
    fn replaced(&self, change: &Change);

    /// Tells of a handler that was to be replaced and was not.
    fn not_replaced(&self, handler: &str, error: &LoadError);
}

/// A component that is not loaded yet.
pub(crate) struct Hashed {
    bytes: Arc<[u8]>,
    pub(crate) digest: String,
}

/// A set that serves, with what follows from it and is needed at each request.
pub(crate) struct ActiveHandlers {
    pub(crate) handlers: Handlers,
    pub(crate) bounds: Bounds,
    /// Counts the replacements.
    pub(crate) version: u64,
}

impl ActiveHandlers {
    fn new(handlers: Handlers, version: u64) -> Arc<Self> {
        Arc::new(Self { bounds: handlers.bounds(), handlers, version })
    }

    /// Whether a server is told that it will hear of other roots.
    pub(crate) fn declares_roots_list_changed(&self) -> bool {
        let serves_roots = !matches!(self.handlers.responder(Kind::Roots), Responder::Default);
        serves_roots && self.handlers.features().roots_list_changed
    }

    /// Number of cells that a session may have at once.
    pub(crate) fn session_cells(&self) -> u32 {
        self.handlers.session_cells().unwrap_or(Limits::default().session_cells)
    }
}

impl std::fmt::Debug for HandlerRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HandlerRegistry").field(&self.active().handlers).finish()
    }
}

impl From<Handlers> for HandlerRegistry {
    fn from(handlers: Handlers) -> Self {
        Self::new(handlers)
    }
}

impl HandlerRegistry {
    /// Begins with these.
    #[must_use]
    pub fn new(handlers: Handlers) -> Self {
        Self(Arc::new(Shared {
            active: RwLock::new(ActiveHandlers::new(handlers, 0)),
            observers: Mutex::default(),
            reloading: tokio::sync::Mutex::default(),
        }))
    }

    /// Returns the handlers that new requests will use.
    #[must_use]
    pub fn current(&self) -> Handlers {
        self.active().handlers.clone()
    }

    /// Lets others serve, whatever they are. What runs goes on with those that it began with; cells that only wait for
    /// another request end at once ([`Handler::with_reuse`]).
    ///
    /// Says what is different, as it says to the observer of each session
    /// ([`Event::Replaced`](crate::session::Event::Replaced)).
    pub fn replace(&self, handlers: Handlers) -> Change {
        let change = self.put(self.observers(), handlers);
        reloaded(if change.is_empty() { "unchanged" } else { "replaced" });
        tracing::info!(%change, "handlers were replaced");
        change
    }

    /// Loads a component in the place of the one that has this name: with its grants, limits and
    /// [reuse](Handler::with_reuse). The other handlers stay.
    ///
    /// The component that is running is no change, and is not loaded again. Reloads take effect one after the other.
    ///
    /// # Errors
    /// All of [`Handler::from_bytes`]; [`LoadFault::DuplicateKind`] with another handler of the set;
    /// [`LoadFault::NoHandler`]; [`LoadFault::Pinned`]. Then nothing has changed; the observers of the sessions are
    /// told ([`Event::NotReplaced`](crate::session::Event::NotReplaced)).
    pub async fn reload(&self, name: &str, bytes: Vec<u8>) -> Result<Change, LoadError> {
        let _turn = self.turn().await;
        let outcome = self.try_reload(name, &Self::hashed(bytes).await).await;
        self.report(name, &outcome);
        outcome
    }

    /// Replaces a component with the current contents of its [file](Handler::file).
    ///
    /// # Errors
    /// Those of [`HandlerRegistry::reload`] and [`LoadFault::Read`]; [`LoadFault::NoHandler`] also when the component
    /// was not loaded from a file.
    pub async fn reload_file(&self, name: &str) -> Result<Change, LoadError> {
        let _turn = self.turn().await;
        let outcome = async {
            let running = self.running(name)?;
            let path = running.file().ok_or_else(|| no_handler(name))?;
            let bytes = file::read(running.engine(), path).await?;
            self.try_reload(name, &Self::hashed(bytes).await).await
        };
        let outcome = outcome.await;
        self.report(name, &outcome);
        outcome
    }

    /// The turn to reload: to look at a component, to load it and to put it in its place. Who asks first has it first.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.reloading.lock().await
    }

    /// A component with its digest.
    pub(crate) async fn hashed(bytes: Vec<u8>) -> Hashed {
        let bytes: Arc<[u8]> = bytes.into();
        let hashing = Arc::clone(&bytes);
        // Hashing does not panic, and nothing is the digest of no component.
        let digest = tokio::task::spawn_blocking(move || file::digest(&hashing)).await.unwrap_or_default();
        Hashed { bytes, digest }
    }

    /// Reloads within a [turn](Self::turn), and leaves it to the caller to [report](Self::report) that.
    pub(crate) async fn try_reload(&self, name: &str, component: &Hashed) -> Result<Change, LoadError> {
        let Hashed { bytes, digest } = component;
        loop {
            let running = self.running(name)?;
            if running.digest() == digest {
                let handlers = self.current();
                return Ok(Change::between(&handlers, &handlers));
            }
            let loaded = Arc::new(running.reloaded(digest, bytes.to_vec()).await?);
            // Otherwise the application has replaced it meanwhile, and may have granted it less.
            if let Some(change) = self.exchange(&running, &loaded)? {
                return Ok(change);
            }
        }
    }

    /// Writes the line of a reload, and counts it; tells the sessions of one that failed.
    pub(crate) fn report(&self, handler: &str, outcome: &Result<Change, LoadError>) {
        match outcome {
            Ok(change) if change.is_empty() => {
                reloaded("unchanged");
                tracing::info!(handler, "a handler is not replaced: the component is the one that is running");
            }
            Ok(change) => {
                reloaded("replaced");
                tracing::info!(handler, %change, "a handler was replaced");
            }
            Err(error) => {
                reloaded("failed");
                tracing::warn!(handler, error.r#type = error.kind(), %error, "a handler is not replaced: the one before goes on");
                let observers: Vec<_> = self.observers().iter().filter_map(Weak::upgrade).collect();
                for observer in observers {
                    observer.not_replaced(handler, error);
                }
            }
        }
    }

    /// The component of this name.
    pub(crate) fn running(&self, name: &str) -> Result<Arc<Handler>, LoadError> {
        let active = self.active();
        let mut components = active.handlers.components();
        components.find(|component| component.name() == name).cloned().ok_or_else(|| no_handler(name))
    }

    /// Whether no handler takes a kind.
    pub(crate) fn leaves(&self, kind: Kind) -> bool {
        matches!(self.active().handlers.responder(kind), Responder::Default)
    }

    /// Returns the handlers that serve a new request.
    pub(crate) fn active(&self) -> Arc<ActiveHandlers> {
        Arc::clone(&self.0.active.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds one to those that the handlers serve.
    pub(crate) fn join(&self, observer: &Arc<impl HandlersObserver + 'static>) {
        let mut observers = self.observers();
        observers.retain(|observer| observer.strong_count() > 0);
        let joining: Weak<_> = Arc::downgrade(observer);
        observers.push(joining);
        observer.follow(&self.active());
    }

    /// Puts a component in the place of one, if that is still there.
    fn exchange(&self, running: &Arc<Handler>, loaded: &Arc<Handler>) -> Result<Option<Change>, LoadError> {
        let observers = self.observers();
        let active = self.active();
        if !active.handlers.components().any(|component| Arc::ptr_eq(component, running)) {
            return Ok(None);
        }
        let handlers = active.handlers.with_component(running, loaded)?;
        Ok(Some(self.put(observers, handlers)))
    }

    /// Lets a set serve, and tells the sessions.
    fn put(&self, mut observers: MutexGuard<'_, Observers>, handlers: Handlers) -> Change {
        let before = self.active();
        let after = ActiveHandlers::new(handlers, before.version.wrapping_add(1));
        let change = Change::between(&before.handlers, &after.handlers);
        *self.0.active.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&after);
        observers.retain(|observer| observer.strong_count() > 0);
        let following: Vec<_> = observers.iter().filter_map(Weak::upgrade).collect();
        for observer in &following {
            observer.follow(&after);
        }
        // The observer of a session may well use them.
        drop(observers);
        for observer in following {
            observer.replaced(&change);
        }
        change
    }

    fn observers(&self) -> MutexGuard<'_, Observers> {
        lock(&self.0.observers)
    }
}

fn no_handler(name: &str) -> LoadError {
    LoadFault::NoHandler.of(name)
}
