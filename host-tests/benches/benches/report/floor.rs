//! The section on the floor: what of the cost of a `get` is wasmtime's and wasi:http's own.

use std::fmt::Write as _;
use std::time::Duration;

use cloudflare_access_benches::rounds::{interleaved, median, ratios};
use cloudflare_access_benches::{Cost, gets, instantiation};
use cloudflare_access_host::{COMPONENT, CodeCache, Runtime};

use crate::{ROUNDS, gzip, microseconds};

/// What was measured of the floor, in the same rounds as the component and native.
pub struct Floor {
    wall: Share,
    cpu: Share,
    /// Of the floor and of the component, in microseconds.
    instantiation: [f64; 2],
    sizes: [[usize; 2]; 2],
}

/// Times native, and the floor's part of what the component takes more than native.
struct Share {
    floor: f64,
    component: f64,
    part: f64,
}

impl Floor {
    /// To be called on a thread that stays on one core.
    pub fn measure(component: &Runtime, floor: &[u8]) -> Self {
        let runtime = Runtime::builder().cache(CodeCache::None).component(floor).build().expect("the floor loads");
        let mut gets = gets(component, &runtime);
        let [component, of_floor, native] =
            interleaved([&mut gets.component, &mut gets.floor, &mut gets.native], 2000, ROUNDS);
        let [bare, whole] = interleaved([&mut instantiation(floor), &mut instantiation(COMPONENT)], 2000, ROUNDS);
        Self {
            wall: Share::of(&component, &of_floor, &native, |cost| cost.wall),
            cpu: Share::of(&component, &of_floor, &native, |cost| cost.cpu),
            instantiation: [microseconds(&bare), microseconds(&whole)],
            sizes: [floor, COMPONENT].map(|bytes| [bytes.len(), gzip(bytes)]),
        }
    }

    /// Whether the calls are the same and in the same order is told with it.
    pub fn section(&self, same_calls: bool) -> String {
        let mut page = String::from(
            "\n## The floor\n\nWhere a bar is not reached, this is what is below it: `host-tests/benches/floor` is a component of the same \
             world whose `get`\nmakes the host calls of the real one and nothing else: it checks nothing, reads nothing of the answer and returns a \
             constant\ntoken. What it takes more than native is wasmtime's, wasi:http's and the host crate's; the last column is its part of what \
             the\ncomponent takes more than native. Measured in rounds of its own with all three.\n\n",
        );
        if !same_calls {
            page.push_str(
                "**The floor's host calls are not those of the component any more**, see below: `floor/src/lib.rs` is to follow.\n\n",
            );
        }
        page.push_str("| `get` | native | floor | component | floor's part |\n|---|---|---|---|---|\n");
        for (what, share) in [("wall time", &self.wall), ("processor time", &self.cpu)] {
            let Share { floor, component, part } = share;
            writeln!(page, "| {what}, times native | 1 | {floor:.2} | {component:.2} | {:.0} % |", part * 100.0)
                .expect("text");
        }
        let [floor, component] = self.instantiation;
        writeln!(page, "| instantiation | – | {floor:.1} µs | {component:.1} µs | |").expect("text");
        let [[floor, floor_gzip], [component, component_gzip]] = self.sizes;
        writeln!(page, "| size in bytes | – | {floor} | {component} | |").expect("text");
        writeln!(page, "| size in bytes, gzip | – | {floor_gzip} | {component_gzip} | |").expect("text");
        page
    }
}

impl Share {
    fn of(component: &[Cost], floor: &[Cost], native: &[Cost], of: fn(Cost) -> Duration) -> Self {
        let (component, floor) = (ratios(component, native, of), ratios(floor, native, of));
        let parts: Vec<_> = component.iter().zip(&floor).map(|(ours, floor)| (floor - 1.0) / (ours - 1.0)).collect();
        Self { floor: median(&floor), component: median(&component), part: median(&parts) }
    }
}
