//! Advances an engine's epoch while calls run, so that a component that only computes still gives way.
//!
//! At each tick a running component yields to tokio, where the time limit of its call and the dropping of its future take
//! effect. The thread sleeps for good while nothing runs: an idle application has no wake-ups.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Builder, Thread, park, sleep};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

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
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let signals = Arc::new(Signals::default());
        let engine = engine.weak();
        let of_thread = Arc::clone(&signals);
        let thread = Builder::new()
            .name("cloudflare-access-epoch".to_owned())
            .spawn(move || tick(&engine, &of_thread))?
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

fn tick(engine: &EngineWeak, signals: &Signals) {
    let mut idle_ticks = 0;
    while !signals.ended.load(Ordering::SeqCst) {
        idle_ticks = if signals.running.load(Ordering::SeqCst) == 0 { idle_ticks + 1 } else { 0 };
        if idle_ticks < TICKS_BEFORE_PARKING {
            sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
            continue;
        }
        signals.parked.store(true, Ordering::SeqCst);
        // A call that began before `parked` could be seen is seen here instead.
        if signals.running.load(Ordering::SeqCst) == 0 && !signals.ended.load(Ordering::SeqCst) {
            park();
        }
        signals.parked.store(false, Ordering::SeqCst);
        idle_ticks = 0;
    }
}
