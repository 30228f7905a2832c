//! Names to addresses, and which of those are connected to.
//!
//! The check stands between the look-up and the connection: what was looked up, checked and connected to is the same
//! list, so a name that leads somewhere else a moment later changes nothing.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::addresses::{Reach, reach};

/// A way from names to addresses.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a host.
    ///
    /// # Errors
    /// Why there are none.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Resolver of the system.
pub(super) struct System;

/// Look-ups of the process at once. Each takes a thread for blocking work, of which the runtime has 512 by default,
/// until the system has answered, however long nobody waits for that any more. Files and databases need such threads,
/// too.
const AT_ONCE: usize = 32;

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_ONCE)));

#[async_trait]
impl Resolver for System {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let host = host.to_owned();
        look_up(&PLACES, move || Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())).await
    }
}

/// Asks the system, once there is a place. The place is taken until the system has answered.
async fn look_up<F>(places: &Arc<Semaphore>, ask: F) -> io::Result<Vec<IpAddr>>
where
    F: FnOnce() -> io::Result<Vec<IpAddr>> + Send + 'static,
{
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let asked = tokio::task::spawn_blocking(move || {
        let answer = ask();
        drop(place);
        answer
    });
    asked.await.map_err(io::Error::other)?
}

/// Gives only addresses that may be connected to.
pub(super) struct Checked {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) private: bool,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresolved {
    #[error("the name leads only to addresses that are not allowed, such as {0}")]
    Prohibited(IpAddr),
    #[error("the name has no address: {0}")]
    None(io::Error),
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, private) = (Arc::clone(&self.resolver), self.private);
        Box::pin(async move {
            let found = resolver.resolve(name.as_str()).await.map_err(Unresolved::None)?;
            let first = found.first().copied();
            let allowed = |address: &IpAddr| match reach(*address) {
                Reach::Public => true,
                Reach::Private => private,
                Reach::Special => false,
            };
            let allowed: Vec<_> =
                found.into_iter().filter(allowed).map(|address| SocketAddr::new(address, 0)).collect();
            match first {
                None => Err(Unresolved::None(io::ErrorKind::NotFound.into()).into()),
                Some(first) if allowed.is_empty() => Err(Unresolved::Prohibited(first).into()),
                Some(_) => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use super::*;

    /// A system that does not answer holds a few threads, though requests give up, and leaves the others for whoever
    /// needs one.
    #[tokio::test]
    async fn a_slow_system_holds_few_threads() {
        let (answers, asked) = (Arc::new((Mutex::new(false), Condvar::new())), Arc::new(AtomicUsize::new(0)));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let ask = || {
            let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
            look_up(&places, move || {
                asked.fetch_add(1, Ordering::SeqCst);
                let (answers, changed) = &*answers;
                drop(changed.wait_while(answers.lock().unwrap(), |answers| !*answers).unwrap());
                Ok(vec![IpAddr::from([192, 0, 2, 1])])
            })
        };
        for _ in 0..5 {
            // Each gives up, as a request does that runs out of time.
            let all = futures_util::future::join_all((0..200).map(|_| ask()));
            assert!(tokio::time::timeout(Duration::from_millis(100), all).await.is_err());
        }
        // A thread may be about to begin.
        let deadline = Duration::from_secs(30);
        let begun = async {
            while asked.load(Ordering::SeqCst) < AT_ONCE {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(deadline, begun).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), AT_ONCE);
        let other = tokio::task::spawn_blocking(|| 7);
        assert_eq!(tokio::time::timeout(deadline, other).await.unwrap().unwrap(), 7);
        // When the system answers, the next one is asked.
        *answers.0.lock().unwrap() = true;
        answers.1.notify_all();
        assert_eq!(tokio::time::timeout(deadline, ask()).await.unwrap().unwrap(), [IpAddr::from([192, 0, 2, 1])]);
    }
}
