//! Names to addresses, and only to permitted ones.
//!
//! The check is here, after DNS and on the very addresses that are then connected to, so that an answer cannot change between
//! the check and the connection.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use super::failure::ConnectFailure;
use crate::egress::Addresses;

/// The system's resolver, with a limit in time and on what it may answer.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    system: GaiResolver,
    addresses: Addresses,
    timeout: Duration,
}

impl GuardedResolver {
    pub(super) fn new(addresses: Addresses, timeout: Duration) -> Self {
        Self { system: GaiResolver::new(), addresses, timeout }
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ConnectFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectFailure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        self.system.poll_ready(context).map_err(ConnectFailure::Dns)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let addresses = self.addresses;
        let resolving = tokio::time::timeout(self.timeout, self.system.call(name));
        Box::pin(async move {
            let answer = resolving.await.map_err(|_| ConnectFailure::DnsTimeout)?.map_err(ConnectFailure::Dns)?;
            keep_permitted(answer, addresses)
        })
    }
}

fn keep_permitted(
    answer: impl Iterator<Item = SocketAddr>,
    addresses: Addresses,
) -> Result<std::vec::IntoIter<SocketAddr>, ConnectFailure> {
    let (permitted, prohibited): (Vec<_>, Vec<_>) = answer.partition(|address| addresses.permit(address.ip()));
    match (permitted.is_empty(), prohibited.first()) {
        (true, Some(address)) => Err(ConnectFailure::Prohibited(address.ip())),
        (true, None) => Err(ConnectFailure::NoAddress),
        (false, _) => Ok(permitted.into_iter()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(addresses: &[&str]) -> std::vec::IntoIter<SocketAddr> {
        addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn addresses_that_are_not_permitted_are_left_out_and_alone_are_an_error() {
        let mixed = keep_permitted(answer(&["10.0.0.1", "1.1.1.1", "::1"]), Addresses::Public).unwrap();
        assert_eq!(mixed.map(|address| address.ip().to_string()).collect::<Vec<_>>(), ["1.1.1.1"]);
        let inside = keep_permitted(answer(&["169.254.169.254"]), Addresses::Public).unwrap_err();
        assert!(matches!(inside, ConnectFailure::Prohibited(address) if address.to_string() == "169.254.169.254"));
        let outside = keep_permitted(answer(&["1.1.1.1"]), Addresses::Loopback).unwrap_err();
        assert!(matches!(outside, ConnectFailure::Prohibited(_)));
        assert!(matches!(keep_permitted(answer(&[]), Addresses::Any), Err(ConnectFailure::NoAddress)));
    }

    #[tokio::test]
    async fn localhost_is_refused_where_only_public_addresses_are_permitted() {
        let mut resolver = GuardedResolver::new(Addresses::Public, Duration::from_secs(5));
        let failure = resolver.call("localhost".parse().unwrap()).await.unwrap_err();
        assert!(matches!(failure, ConnectFailure::Prohibited(address) if address.is_loopback()), "{failure:?}");
    }
}
