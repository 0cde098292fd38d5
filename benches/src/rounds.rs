//! Rounds in which all ways of a row take turns, so that what disturbs the machine disturbs all of them, and their medians.

use std::time::Duration;

use crate::{Cost, Row, Run};

/// The rounds of one row, each cost that of one call.
#[derive(Debug)]
pub struct Rounds {
    /// Through the host crate.
    pub ours: Vec<Cost>,
    /// By the native client.
    pub native: Vec<Cost>,
}

impl Rounds {
    /// Warms up, then takes `count` rounds.
    pub fn of(row: &mut Row, count: usize) -> Self {
        let calls = row.calls;
        let [ours, native] = interleaved([&mut row.ours, &mut row.native], calls, count);
        Self { ours, native }
    }
}

/// The costs of one call of each way, round by round. A tenth of a round before them is not counted.
pub fn interleaved<const N: usize>(mut ways: [&mut Run; N], calls: u32, rounds: usize) -> [Vec<Cost>; N] {
    for way in &mut ways {
        way(calls.div_ceil(10));
    }
    let mut costs = [(); N].map(|()| Vec::with_capacity(rounds));
    for _ in 0..rounds {
        for (way, costs) in ways.iter_mut().zip(&mut costs) {
            costs.push(way(calls).per_call(calls));
        }
    }
    costs
}

/// The ratios round by round.
#[must_use]
pub fn ratios(ours: &[Cost], native: &[Cost], of: fn(Cost) -> Duration) -> Vec<f64> {
    ours.iter().zip(native).map(|(ours, native)| of(*ours).as_secs_f64() / of(*native).as_secs_f64()).collect()
}

/// The middle one.
///
/// # Panics
/// There is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
