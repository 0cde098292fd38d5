//! What the rounds of the report have given, and whether it is enough.

use cloudflare_access_benches::Row;
use cloudflare_access_benches::rounds::{Rounds, median, ratios};

/// A row with the ratios of its rounds.
pub struct Ratios {
    pub what: &'static str,
    pub wall: Against,
    /// None where several threads or processes do the work.
    pub cpu: Option<Against>,
}

/// Ratios of ours to native's, one of each round, against the most that their median may be.
pub struct Against {
    pub rounds: Vec<f64>,
    pub at_most: Option<f64>,
}

impl Ratios {
    /// Measures a row.
    pub fn of(row: &mut Row, rounds: usize, with_cpu: bool) -> Self {
        let costs = Rounds::of(row, rounds);
        let against = |of, at_most| Against { rounds: ratios(&costs.ours, &costs.native, of), at_most };
        Self {
            what: row.what,
            wall: against(|cost| cost.wall, row.wall_at_most),
            cpu: with_cpu.then(|| against(|cost| cost.cpu, row.cpu_at_most)),
        }
    }

    /// Whether all bars are kept. None if there is no bar.
    pub fn reached(&self) -> Option<bool> {
        let kept = [Some(&self.wall), self.cpu.as_ref()].into_iter().flatten().filter_map(Against::reached);
        kept.reduce(|one, other| one && other)
    }
}

impl Against {
    pub fn median(&self) -> f64 {
        median(&self.rounds)
    }

    fn reached(&self) -> Option<bool> {
        self.at_most.map(|at_most| self.median() <= at_most)
    }
}
