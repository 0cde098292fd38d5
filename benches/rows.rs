//! The rows under criterion: `cargo bench --profile dist -p cloudflare-access-benches --bench rows`. Its numbers are times, good for
//! comparing one way with itself before and after a change; `--bench report` makes the ratios.

use std::path::Path;

use cloudflare_access_benches::{
    Programs, Row, Run, instantiation, making_and_ending, pin_to_one_core, sequential_rows, unpin, wide_rows,
};
use cloudflare_access_host::{COMPONENT, CodeCache, Runtime};
use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let runtime = Runtime::builder().cache(CodeCache::None).build().expect("the component loads");
    let programs = Programs::new(
        Path::new(env!("CARGO_BIN_EXE_get-through-component")),
        Path::new(env!("CARGO_BIN_EXE_get-natively")),
        Path::new(env!("CARGO_TARGET_TMPDIR")),
    );
    pin_to_one_core();
    for row in sequential_rows(&runtime) {
        bench_row(&mut criterion, row);
    }
    bench_row(&mut criterion, programs.start());
    let (fresh, warm) = making_and_ending(&runtime);
    bench(&mut criterion, "a call that is refused", [("fresh instance", fresh), ("warm instance", warm)]);
    bench(&mut criterion, "instantiation", [("component", instantiation(COMPONENT))]);
    unpin();
    for row in wide_rows(&runtime) {
        bench_row(&mut criterion, row);
    }
    criterion.final_summary();
}

fn bench_row(criterion: &mut Criterion, row: Row) {
    bench(criterion, row.what, [("component", row.ours), ("native", row.native)]);
}

fn bench<const N: usize>(criterion: &mut Criterion, what: &str, ways: [(&str, Run); N]) {
    let mut group = criterion.benchmark_group(what);
    for (name, mut run) in ways {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|calls| run(u32::try_from(calls).unwrap_or(u32::MAX)).wall);
        });
    }
    group.finish();
}
