//! Names to addresses, and which of those are connected to.
//!
//! The check stands between the look-up and the connection: what was looked up, checked and connected to is the same
//! list, so a name that leads somewhere else a moment later changes nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

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

/// That of the system.
pub(super) struct System;

#[async_trait]
impl Resolver for System {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
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
