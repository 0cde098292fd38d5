//! Instances that have served a call and can serve another one: making one costs more than a request.
//!
//! What a component held in its memory must not reach another caller. So an instance is used again only by calls of the same
//! [`AccessTokens`](crate::AccessTokens) with the same credential; a call that brings its own has an instance that is thrown
//! away. An instance is also thrown away after a trap, a limit, a time that ran out or a dropped future, when it left
//! something behind on the host, and when its memory, which never shrinks, has grown large.
//!
//! Until its end an instance has secrets of its last calls in its memory. So one that nobody wants is ended after a while, by the
//! [`ticker`](super::ticker), whether or not another call is made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::instance::Instance;

/// Four times what the component needs for an ordinary call.
const LARGE_MEMORY: usize = 6 << 20;

/// Whose calls may share instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u64);

impl Owner {
    /// One that no other is equal to.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Idle instances of all owners, the longest idle first.
pub(crate) struct Idle {
    instances: Mutex<Vec<Entry>>,
    capacity: usize,
    /// How long an instance is kept that nobody wants.
    keep: Duration,
}

struct Entry {
    owner: Owner,
    since: Instant,
    instance: Box<Instance>,
}

impl Idle {
    pub(crate) fn new(capacity: usize, keep: Duration) -> Self {
        Self { instances: Mutex::default(), capacity, keep }
    }

    /// The instance of this owner that was used last; its memory is the warmest.
    pub(crate) fn take(&self, owner: Owner) -> Option<Box<Instance>> {
        let mut instances = self.lock();
        let position = instances.iter().rposition(|entry| entry.owner == owner)?;
        Some(instances.remove(position).instance)
    }

    /// Keeps an instance whose call has ended in order, unless it is not fit for another.
    pub(crate) fn give_back(&self, owner: Owner, mut instance: Box<Instance>) {
        if instance.memory() > LARGE_MEMORY || !instance.store.data_mut().settle() {
            return;
        }
        let mut instances = self.lock();
        let excess = (instances.len() + 1).saturating_sub(self.capacity).min(instances.len());
        let gone: Vec<_> = instances.drain(..excess).collect();
        if self.capacity > 0 && !self.keep.is_zero() {
            instances.push(Entry { owner, since: Instant::now(), instance });
        }
        drop(instances);
        drop(gone); // which takes system calls, and so not under the lock
    }

    /// Ends the instances that nobody has wanted for too long, and returns when the next one is to be ended; none if there is none.
    pub(crate) fn end_expired(&self, now: Instant) -> Option<Instant> {
        let mut instances = self.lock();
        let is_expired = |entry: &&Entry| now.saturating_duration_since(entry.since) >= self.keep;
        let expired = instances.iter().take_while(is_expired).count();
        let gone: Vec<_> = instances.drain(..expired).collect();
        let next = instances.first().and_then(|entry| entry.since.checked_add(self.keep));
        drop(instances);
        drop(gone);
        next
    }

    /// Throws away what an owner that ends has left.
    pub(crate) fn forget(&self, owner: Owner) {
        let gone: Vec<_> = self.lock().extract_if(.., |entry| entry.owner == owner).collect();
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::{Duration, Instant};

    use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, FaultKind, Simulator};

    use crate::{AccessTokens, COMPONENT, CallOptions, Credentials, ListPageParams, Runtime, RuntimeBuilder, Tokens};

    /// The component, compiled once for all tests.
    static CODE: LazyLock<Vec<u8>> = LazyLock::new(|| Runtime::precompile(COMPONENT).unwrap());

    fn builder() -> RuntimeBuilder {
        // SAFETY: `precompile` has made it.
        unsafe { Runtime::builder().precompiled(CODE.as_slice()) }
    }

    fn access(simulator: &Simulator, runtime: &Runtime) -> AccessTokens {
        AccessTokens::builder()
            .credentials(Credentials::api_token(API_TOKEN))
            .base_url(simulator.base_url().parse().unwrap())
            .runtime(runtime.clone())
            .build()
            .unwrap()
    }

    async fn list<S: Clone + Into<crate::Scope>>(tokens: Tokens<S>, options: CallOptions) -> bool {
        tokens.with(&options).list_page(ListPageParams::new()).await.is_ok()
    }

    #[tokio::test]
    async fn an_instance_serves_only_calls_of_its_owner_that_have_no_credential_of_their_own() {
        let simulator = Simulator::start().await.unwrap();
        let runtime = builder().build().unwrap();
        let (first, second) = (access(&simulator, &runtime), access(&simulator, &runtime));
        let idle = || runtime.idle().lock().iter().map(|entry| entry.owner).collect::<Vec<_>>();
        let (of_first, of_second) =
            (first.0.owner(&CallOptions::new()).unwrap(), second.0.owner(&CallOptions::new()).unwrap());
        let own = || CallOptions::new().credentials(Credentials::api_token(API_TOKEN));

        assert!(list(first.account(ACCOUNT_ID), CallOptions::new()).await);
        assert_eq!(idle(), [of_first]);
        assert!(list(second.account(ACCOUNT_ID), CallOptions::new()).await);
        assert_eq!(idle(), [of_first, of_second], "the second owner has made its own");
        assert!(list(first.account(ACCOUNT_ID), CallOptions::new()).await);
        assert_eq!(idle(), [of_second, of_first], "the first owner has used its own again");
        assert!(list(first.account(ACCOUNT_ID), own()).await);
        assert_eq!(idle(), [of_second, of_first], "a call with its own credential leaves none and takes none");
        drop(first);
        assert_eq!(idle(), [of_second], "an owner that ends leaves none");
    }

    #[tokio::test]
    async fn an_instance_whose_memory_has_grown_large_or_whose_call_was_dropped_is_thrown_away() {
        let simulator = Simulator::start().await.unwrap();
        let runtime = builder().build().unwrap();
        let access = access(&simulator, &runtime);
        let idle = || runtime.idle().lock().len();

        simulator.inject(FaultKind::LargeBody { bytes: 7 << 20 });
        assert!(list(access.account(ACCOUNT_ID), CallOptions::new()).await);
        assert_eq!(idle(), 0, "after a large answer");
        simulator.next_request().await;
        simulator.inject(FaultKind::NeverAnswer);
        tokio::select! {
            biased;
            _ = list(access.account(ACCOUNT_ID), CallOptions::new()) => panic!("there is no answer"),
            _ = simulator.next_request() => {}
        }
        assert_eq!(idle(), 0, "after a dropped call");
        assert!(list(access.account(ACCOUNT_ID), CallOptions::new()).await);
        assert_eq!(idle(), 1);
    }

    #[tokio::test]
    async fn an_instance_is_ended_when_nobody_has_wanted_it_for_its_time() {
        let simulator = Simulator::start().await.unwrap();
        let keep = Duration::from_hours(1);
        let runtime = builder().keep_idle_instances(keep).build().unwrap();
        let (first, second) = (access(&simulator, &runtime), access(&simulator, &runtime));
        let idle = || runtime.idle().lock().len();
        for access in [&first, &second] {
            assert!(list(access.account(ACCOUNT_ID), CallOptions::new()).await);
        }
        let next = runtime.idle().end_expired(Instant::now()).unwrap();
        assert_eq!(idle(), 2, "none has been idle for an hour");
        let after = runtime.idle().end_expired(next).unwrap();
        assert_eq!(idle(), 1, "the first has");
        assert_eq!(runtime.idle().end_expired(after), None);
        assert_eq!(idle(), 0);
    }

    #[tokio::test]
    async fn an_instance_is_ended_in_time_though_no_other_call_is_made() {
        let simulator = Simulator::start().await.unwrap();
        let keep = Duration::from_millis(1);
        let runtime = builder().keep_idle_instances(keep).build().unwrap();
        let access = access(&simulator, &runtime);
        for _ in 0..2 {
            assert!(list(access.account(ACCOUNT_ID), CallOptions::new()).await);
            let begin = Instant::now();
            while !runtime.idle().lock().is_empty() {
                assert!(begin.elapsed() < Duration::from_secs(20), "it is still there");
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn no_instance_is_kept_where_none_is_to_be() {
        let simulator = Simulator::start().await.unwrap();
        let runtime = builder().keep_idle_instances(Duration::ZERO).build().unwrap();
        let access = access(&simulator, &runtime);
        assert!(list(access.account(ACCOUNT_ID), CallOptions::new()).await);
        assert_eq!(runtime.idle().lock().len(), 0);
    }

    #[tokio::test]
    async fn no_more_instances_are_kept_than_calls_may_run() {
        let simulator = Simulator::start().await.unwrap();
        let runtime = builder().max_calls(2).build().unwrap();
        let owners: Vec<_> = (0..3).map(|_| access(&simulator, &runtime)).collect();
        for access in &owners {
            assert!(list(access.account(ACCOUNT_ID), CallOptions::new()).await);
        }
        let idle: Vec<_> = runtime.idle().lock().iter().map(|entry| entry.owner).collect();
        let owner = |access: &AccessTokens| access.0.owner(&CallOptions::new()).unwrap();
        assert_eq!(idle, [owner(&owners[1]), owner(&owners[2])], "the longest idle one goes");
    }
}
