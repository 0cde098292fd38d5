//! Advances an engine's epoch while calls run, so that a component that only computes still gives way.
//!
//! At each tick a running component yields to tokio, where the time limit of its call and the dropping of its future take
//! effect. The same thread ends instances that have been idle for too long. It sleeps for good while nothing runs and none is
//! idle: an idle application has no wake-ups.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{Builder, Thread, park, park_timeout, sleep};
use std::time::{Duration, Instant};

use wasmtime::{Engine, EngineWeak};

use crate::engine::idle::Idle;

const TICK: Duration = Duration::from_millis(10);
/// After so many ticks without a call the thread parks. Long enough that calls in a row do not wake it one by one.
const TICKS_BEFORE_PARKING: u32 = 100;

/// Drives the epoch of one engine.
#[derive(Clone)]
pub(crate) struct Ticker(Arc<Shared>);

struct Shared {
    thread: Thread,
    signals: Arc<Signals>,
}

#[derive(Default)]
struct Signals {
    running: AtomicUsize,
    parked: AtomicBool,
    ended: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine, idle: &Arc<Idle>) -> std::io::Result<Self> {
        Self::start_and_park_after(TICKS_BEFORE_PARKING, engine, idle)
    }

    fn start_and_park_after(idle_ticks: u32, engine: &Engine, idle: &Arc<Idle>) -> std::io::Result<Self> {
        let signals = Arc::new(Signals::default());
        let (engine, idle) = (engine.weak(), Arc::downgrade(idle));
        let of_thread = Arc::clone(&signals);
        let thread = Builder::new()
            .name("cloudflare-access-epoch".to_owned())
            .spawn(move || tick(&engine, &of_thread, &idle, idle_ticks))?
            .thread()
            .clone();
        Ok(Self(Arc::new(Shared { thread, signals })))
    }

    /// The epoch advances as long as the returned value lives.
    pub(crate) fn running(&self) -> Running {
        self.0.signals.running.fetch_add(1, Ordering::SeqCst);
        if self.0.signals.parked.load(Ordering::SeqCst) {
            self.0.thread.unpark();
        }
        Running(Arc::clone(&self.0.signals))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.signals.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// A call that runs.
pub(crate) struct Running(Arc<Signals>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(engine: &EngineWeak, signals: &Signals, idle: &Weak<Idle>, ticks_before_parking: u32) {
    let end_expired = || idle.upgrade().and_then(|idle| idle.end_expired(Instant::now()));
    let mut idle_ticks = 0_u32;
    while !signals.ended.load(Ordering::SeqCst) {
        let running = signals.running.load(Ordering::SeqCst) > 0;
        idle_ticks = if running { 0 } else { idle_ticks.saturating_add(1) };
        if running || idle_ticks < ticks_before_parking {
            sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
            end_expired();
            continue;
        }
        signals.parked.store(true, Ordering::SeqCst);
        // A call that began before `parked` could be seen is seen here instead: it runs, or has left its instance.
        let next_end = end_expired();
        if signals.running.load(Ordering::SeqCst) == 0 && !signals.ended.load(Ordering::SeqCst) {
            match next_end {
                Some(end) => park_timeout(end.saturating_duration_since(Instant::now())),
                None => park(),
            }
        }
        signals.parked.store(false, Ordering::SeqCst);
        // Woken by a call and not by the time: more may follow.
        if next_end.is_none_or(|end| Instant::now() < end) {
            idle_ticks = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;
    use wasmtime::Store;
    use wasmtime::component::{Component, Linker};

    use super::*;
    use crate::engine::instance;

    /// Computes for ever.
    const SPIN: &str = r#"(component
        (core module $module (func (export "spin") (loop (br 0))))
        (core instance $instance (instantiate $module))
        (func (export "spin") (canon lift (core func $instance "spin")))
    )"#;

    fn idle() -> Arc<Idle> {
        Arc::new(Idle::new(1, Duration::from_hours(1)))
    }

    async fn spin(engine: &Engine, limit: Duration) -> bool {
        let component = Component::from_binary(engine, &wat::parse_str(SPIN).unwrap()).unwrap();
        let mut store = Store::new(engine, ());
        instance::yield_at_each_tick(&mut store);
        let instance = Linker::new(engine).instantiate_async(&mut store, &component).await.unwrap();
        let spin = instance.get_typed_func::<(), ()>(&mut store, "spin").unwrap();
        timeout(limit, spin.call_async(&mut store, ())).await.is_ok()
    }

    #[tokio::test]
    async fn a_component_that_only_computes_is_stopped_by_a_time_limit() {
        let engine = Engine::new(&instance::config()).unwrap();
        let ticker = Ticker::start(&engine, &idle()).unwrap();
        let _running = ticker.running();
        assert!(!spin(&engine, Duration::from_millis(30)).await);
    }

    #[tokio::test]
    async fn a_ticker_that_sleeps_wakes_for_a_call() {
        let engine = Engine::new(&instance::config()).unwrap();
        let ticker = Ticker::start_and_park_after(0, &engine, &idle()).unwrap();
        while !ticker.0.signals.parked.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let _running = ticker.running();
        assert!(!spin(&engine, Duration::from_millis(30)).await);
    }
}
