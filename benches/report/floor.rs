//! The section on the floor: what of the cost of a `get` is wasmtime's and wasi:http's own.

use std::fmt::Write as _;
use std::time::Duration;

use cloudflare_access_benches::rounds::{interleaved, median, ratios};
use cloudflare_access_benches::{Cost, Layers, instantiation};
use cloudflare_access_host::COMPONENT;

use crate::measured::Ratios;
use crate::{ROUNDS, gzip, microseconds};

const LAYERS: [&str; 5] = [
    "the native client",
    "+ the host crate's transport, in place of hyper's client: limits, addresses, phases of failures",
    "+ wasmtime and wasi:http as they come, with a task for each request: the floor, in one store that stays",
    "+ the host crate's call, with its own way to send: an instance, a time limit, a span; this is **the floor**",
    "+ the guest's logic: the component",
];

/// What was measured of the floor, in the same rounds as the component and native.
pub struct Floor {
    wall: Steps,
    cpu: Steps,
    /// Of the floor and of the component, in microseconds.
    instantiation: [f64; 2],
    sizes: [[usize; 2]; 2],
}

/// Each layer times native, and what it adds of what the component takes more than native.
struct Steps {
    ratios: [f64; 5],
    shares: [f64; 5],
}

impl Floor {
    /// To be called on a thread that stays on one core.
    pub fn measure(layers: &mut Layers, floor: &[u8]) -> Self {
        let Layers { native, transport, wasmtime, floor: of_floor, component } = layers;
        let costs = interleaved([native, transport, wasmtime, of_floor, component], 2000, ROUNDS);
        let [bare, whole] = interleaved([&mut instantiation(floor), &mut instantiation(COMPONENT)], 2000, ROUNDS);
        Self {
            wall: Steps::of(&costs, |cost| cost.wall),
            cpu: Steps::of(&costs, |cost| cost.cpu),
            instantiation: [microseconds(&bare), microseconds(&whole)],
            sizes: [floor, COMPONENT].map(|bytes| [bytes.len(), gzip(bytes)]),
        }
    }

    /// Whether the host calls are the same and in the same order is told with it.
    pub fn section(&self, same_calls: bool) -> String {
        let mut page = String::from(
            "\n## The floor\n\nWhere a bar is not reached, this is what is below it: `benches/guests/floor` is a component of the same \
             world whose `get`\nmakes the host calls of the real one and nothing else: it checks nothing, reads nothing of the answer and \
             returns a constant\ntoken. A `get`, one layer more with each line, all in the same rounds; a share is what the layer adds of \
             what the component\ntakes more than native. The third line leaves the reading of the answer out; the last one has it again.\n\n",
        );
        if !same_calls {
            page.push_str(
                "**The floor's host calls are not those of the component any more**, see below: `benches/guests/floor/src/lib.rs` has to follow it.\n\n",
            );
        }
        page.push_str("| `get` | wall, times native | share | CPU, times native | share |\n|---|---|---|---|---|\n");
        for (layer, what) in LAYERS.iter().enumerate() {
            let [wall, cpu] = [&self.wall, &self.cpu].map(|steps| steps.cells(layer));
            writeln!(page, "| {what} | {wall} | {cpu} |").expect("text");
        }
        page.push_str("\n| | floor | component |\n|---|---|---|\n");
        let [floor, component] = self.instantiation;
        writeln!(page, "| instantiation | {floor:.1} µs | {component:.1} µs |").expect("text");
        let [[floor, floor_gzip], [component, component_gzip]] = self.sizes;
        writeln!(page, "| size in bytes | {floor} | {component} |").expect("text");
        writeln!(page, "| size in bytes, gzip | {floor_gzip} | {component_gzip} |").expect("text");
        page
    }
}

/// Other rows through the floor, and through the component as the first table has them.
pub fn other_rows(of_floor: &[Ratios], of_component: &[Ratios]) -> String {
    let mut page = String::from("\n| times native | bar: wall | floor | component |\n|---|---|---|---|\n");
    for floor in of_floor {
        let component =
            of_component.iter().find(|row| row.what == floor.what).map_or(f64::NAN, |row| row.wall.median());
        let bar = floor.wall.at_most.unwrap_or(f64::NAN);
        writeln!(page, "| {} | {bar:.2} | {:.2} | {component:.2} |", floor.what, floor.wall.median()).expect("text");
    }
    page
}

impl Steps {
    fn of(costs: &[Vec<Cost>; 5], of: fn(Cost) -> Duration) -> Self {
        let rounds = costs.each_ref().map(|layer| ratios(layer, &costs[0], of));
        let share = |layer: usize| {
            let of_rounds = (0..ROUNDS).map(|round| {
                let added = rounds[layer][round] - rounds[layer.saturating_sub(1)][round];
                added / (rounds[4][round] - 1.0)
            });
            median(&of_rounds.collect::<Vec<_>>())
        };
        Self { ratios: rounds.each_ref().map(|layer| median(layer)), shares: [0, 1, 2, 3, 4].map(share) }
    }

    fn cells(&self, layer: usize) -> String {
        match layer {
            0 => "1 | –".to_owned(),
            _ => format!("{:.2} | {:.0} %", self.ratios[layer], self.shares[layer] * 100.0),
        }
    }
}
