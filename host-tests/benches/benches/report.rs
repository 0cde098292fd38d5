//! Measures every row against native in this process and writes `docs/performance.md`:
//! `cargo bench -p cloudflare-access-benches --bench report`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use cloudflare_access_benches::rounds::{Rounds, interleaved, median, ratios};
use cloudflare_access_benches::{Row, instantiation, pin_to_one_core, sequential_rows, unpin, wide_rows};
use cloudflare_access_host::{COMPONENT, CodeCache, Runtime};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance.md");
const ROUNDS: usize = 9;
const MOST_BYTES: usize = 180_000;
const MOST_MICROSECONDS: f64 = 10.0;

const HEAD: &str = "# Performance

Written by `cargo bench -p cloudflare-access-benches --bench report`; not by hand.

The component through the host crate against a plain hyper client (`host-tests/benches/src/native.rs`: no deadline, no limits, no
reading of errors), against the same simulator on loopback. Medians of 9 interleaved rounds; one core for client and server
where one caller makes one request at a time. Only the ratios say something on another machine. Processor time is that of the
calling thread, so the server is not in it.

| what | bar: wall | wall | bar: CPU | CPU | |
|---|---|---|---|---|---|
";

fn main() {
    let runtime = Runtime::builder().cache(CodeCache::None).build().expect("the component loads");
    let mut page = String::from(HEAD);
    pin_to_one_core();
    for row in sequential_rows(&runtime) {
        line(&mut page, row, true);
    }
    let microseconds = instance_in_microseconds(&runtime);
    unpin();
    for row in wide_rows(&runtime) {
        line(&mut page, row, false);
    }
    let compressed = gzip(COMPONENT);
    writeln!(page, "\n| what | bar | measured | |\n|---|---|---|---|").expect("text");
    writeln!(
        page,
        "| an instance, from its making to its end: a refused call in a fresh one less the same in a warm one | {MOST_MICROSECONDS} µs | {microseconds:.1} µs | {} |",
        reached(microseconds <= MOST_MICROSECONDS)
    )
    .expect("text");
    writeln!(
        page,
        "| the component | {MOST_BYTES} bytes | {} bytes, gzip {compressed} | {} |",
        COMPONENT.len(),
        reached(COMPONENT.len() <= MOST_BYTES)
    )
    .expect("text");
    std::fs::write(PAGE, &page).expect("docs/performance.md is written");
    println!("{page}");
}

/// One line of the table. Processor time means something only where one thread does the work.
fn line(page: &mut String, mut row: Row, with_cpu: bool) {
    let rounds = Rounds::of(&mut row, ROUNDS);
    let wall = median(&ratios(&rounds.ours, &rounds.native, |cost| cost.wall));
    let cpu = with_cpu.then(|| median(&ratios(&rounds.ours, &rounds.native, |cost| cost.cpu)));
    let bar = |bar: Option<f64>| bar.map_or_else(|| "–".to_owned(), |bar| format!("{bar:.2}"));
    let keeps = |value: f64, bar: Option<f64>| bar.is_none_or(|bar| value <= bar);
    let verdict = match (row.wall_at_most, row.cpu_at_most) {
        (None, None) => "",
        (wall_bar, cpu_bar) => reached(keeps(wall, wall_bar) && cpu.is_none_or(|cpu| keeps(cpu, cpu_bar))),
    };
    let (what, wall_bar, cpu_bar) = (row.what, bar(row.wall_at_most), bar(row.cpu_at_most));
    let cpu = bar(cpu);
    writeln!(page, "| {what} | {wall_bar} | {wall:.2} | {cpu_bar} | {cpu} | {verdict} |").expect("text");
}

fn instance_in_microseconds(runtime: &Runtime) -> f64 {
    let (mut fresh, mut warm) = instantiation(runtime);
    let [fresh, warm] = interleaved([&mut fresh, &mut warm], 2000, ROUNDS);
    let differences = fresh.iter().zip(&warm).map(|(fresh, warm)| (*fresh - *warm).wall.as_secs_f64() * 1e6);
    median(&differences.collect::<Vec<_>>())
}

fn reached(reached: bool) -> &'static str {
    if reached { "reached" } else { "**not reached**" }
}

/// The size as the `gzip` command makes it with `-9`.
fn gzip(bytes: &[u8]) -> usize {
    let mut gzip = Command::new("gzip")
        .args(["-9", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip is installed");
    let mut input = gzip.stdin.take().expect("its input");
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(bytes).expect("gzip reads"));
        gzip.wait_with_output().expect("gzip ends").stdout.len()
    })
}
