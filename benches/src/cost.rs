//! Wall time, and the processor time of the thread that calls. The server has a thread of its own, which does not count.

use std::ops::Sub;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// What some calls took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    /// From the first call to the last result.
    pub wall: Duration,
    /// Of the calling thread, in the kernel and outside.
    pub cpu: Duration,
}

impl Cost {
    /// Measures what the calling thread does.
    pub fn of(work: impl FnOnce()) -> Self {
        let (wall, cpu) = (Instant::now(), thread_time());
        work();
        Self { wall: wall.elapsed(), cpu: thread_time().saturating_sub(cpu) }
    }

    /// The part of one of so many calls.
    #[must_use]
    pub fn per_call(self, calls: u32) -> Self {
        Self { wall: self.wall / calls, cpu: self.cpu / calls }
    }
}

impl Sub for Cost {
    type Output = Self;

    /// Never below zero.
    fn sub(self, other: Self) -> Self {
        Self { wall: self.wall.saturating_sub(other.wall), cpu: self.cpu.saturating_sub(other.cpu) }
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Keeps this thread, and those it starts from now on, on one core. Client and server then take turns, and waking a core that
/// sleeps is no part of the result.
///
/// # Panics
/// The system refuses.
pub fn pin_to_one_core() {
    let allowed = sched_getaffinity(None).expect("the cores of this thread");
    let last = (0..CpuSet::MAX_CPU).rfind(|core| allowed.is_set(*core)).expect("a core");
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).expect("the thread stays on a core");
}

/// Undoes [`pin_to_one_core`] for this thread and those it starts from now on.
///
/// # Panics
/// The system refuses.
pub fn unpin() {
    let mut all = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| all.set(core));
    sched_setaffinity(None, &all).expect("the thread may run anywhere");
}
