//! Measures every row against native in this process and shows where the time of a call goes, in `inside.md` of the target folder:
//! `cargo bench --profile dist -p cloudflare-access-benches --bench report`. It needs what building the component needs, and
//! `gzip`; the first time, it builds four components.

mod bytes;
mod counts;
mod floor;
mod measured;
mod plots;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use cloudflare_access_benches::rounds::{interleaved, median};
use cloudflare_access_benches::{
    CountingAllocator, Guest, Layers, Moment, Programs, Row, guest_allocations_of_get, host_calls_of_get,
    instantiation, making_and_ending, pin_to_one_core, places_of_guest_allocations, sequential_rows, unpin, wide_rows,
};
use cloudflare_access_host::{COMPONENT, CodeCache, Runtime};

use floor::Floor;
use measured::Ratios;

/// Only counts, and for all ways alike.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const PAGE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/inside.md");
const PLOTS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/inside");
const ROUNDS: usize = 9;
const MOST_BYTES: usize = 380_000;
const MOST_MICROSECONDS: f64 = 10.0;
const MOST_KIBIBYTES_IDLE: f64 = 128.0;
const MOST_KIBIBYTES_IN_FLIGHT: f64 = 2048.0;
/// The two numbers of calls whose difference tells the memory of one.
const FEW: u32 = 8;
const MANY: u32 = 48;

const HEAD: &str = "# Inside a call

Written by `cargo bench --profile dist -p cloudflare-access-benches --bench report`.

The component through the host crate against a plain hyper client (`benches/src/native.rs`: no deadline, no limits, no
reading of errors), against the same simulator on loopback. Medians of 9 interleaved rounds; one core for client and server
where one caller makes one request at a time. Only the ratios say something on another machine. Processor time is that of the
calling thread, so the server is not in it.

";

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let runtime = Runtime::builder().cache(CodeCache::None).build().expect("the component loads");
    let programs = Programs::new(
        Path::new(env!("CARGO_BIN_EXE_get-through-component")),
        Path::new(env!("CARGO_BIN_EXE_get-natively")),
        folder,
    );
    let [floor, counted, readable, named] =
        [Guest::Floor, Guest::Counted, Guest::Readable, Guest::Named].map(|guest| guest.build(folder));
    pin_to_one_core();
    let mut rows: Vec<_> = sequential_rows(&runtime).iter_mut().map(|row| Ratios::of(row, ROUNDS, true)).collect();
    rows.push(Ratios::of(&mut programs.start(), ROUNDS, false));
    let instantiation = microseconds(&interleaved([&mut instantiation(COMPONENT)], 2000, ROUNDS)[0]);
    let making_and_ending = making_and_ending_in_microseconds(&runtime);
    let floor_runtime = Runtime::builder().cache(CodeCache::None).component(floor.as_slice()).build();
    let floor_runtime = floor_runtime.expect("the floor loads");
    let mut layers = Layers::new(&runtime, &floor, &floor_runtime);
    let of_floor = Floor::measure(&mut layers, &floor);
    let allocations = counts::allocations(&mut layers, guest_allocations_of_get(&counted));
    let mut rows_of_floor = measured_of_floor(sequential_rows(&floor_runtime), true);
    unpin();
    rows.extend(wide_rows(&runtime).iter_mut().map(|row| Ratios::of(row, ROUNDS, false)));
    rows_of_floor.extend(measured_of_floor(wide_rows(&floor_runtime), false));
    let idle = KibibytesPerCall::of(&programs, Moment::Idle);
    let in_flight = KibibytesPerCall::of(&programs, Moment::InFlight);

    let mut page = String::from(HEAD);
    page.push_str("| what | bar: wall | wall | bar: CPU | CPU | |\n|---|---|---|---|---|---|\n");
    for row in &rows {
        line(&mut page, row);
    }
    page.push_str("\n![medians of the ratios](inside/medians.svg)\n\n![ratios round by round](inside/rounds.svg)\n");
    page.push_str("\n| what | bar | measured | |\n|---|---|---|---|\n");
    let mut line = |what: &str, bar: &str, measured: &str, reached: Option<bool>| {
        writeln!(page, "| {what} | {bar} | {measured} | {} |", verdict(reached)).expect("text");
    };
    line(
        "instantiation: wasmtime's part alone, with the store made before",
        &format!("{MOST_MICROSECONDS} µs"),
        &format!("{instantiation:.1} µs"),
        Some(instantiation <= MOST_MICROSECONDS),
    );
    line(
        "an instance, from its making to its end: a refused call in a fresh one less the same in a warm one",
        "–",
        &format!("{making_and_ending:.1} µs"),
        None,
    );
    line(
        "resident memory per idle instance, less an idle connection as native has one",
        &format!("{MOST_KIBIBYTES_IDLE} KiB"),
        &format!("{:.0} KiB ({:.0} less {:.0})", idle.ours - idle.native, idle.ours, idle.native),
        Some(idle.ours - idle.native <= MOST_KIBIBYTES_IDLE),
    );
    line(
        "resident memory per call in flight",
        &format!("{MOST_KIBIBYTES_IN_FLIGHT} KiB"),
        &format!("{:.0} KiB (native {:.0})", in_flight.ours, in_flight.native),
        Some(in_flight.ours <= MOST_KIBIBYTES_IN_FLIGHT),
    );
    line(
        "the component",
        &format!("{MOST_BYTES} bytes"),
        &format!("{} bytes, gzip {}", COMPONENT.len(), gzip(COMPONENT)),
        Some(COMPONENT.len() <= MOST_BYTES),
    );
    writeln!(
        page,
        "\nStart and memory are of whole processes that do nothing else: `get-through-component` and `get-natively`, with the server\n\
         in another process. Memory is the difference between a process with {MANY} calls and one with {FEW}, for each call."
    )
    .expect("text");
    let [calls, calls_of_floor] = [COMPONENT, &floor].map(host_calls_of_get);
    page.push_str(&of_floor.section(calls == calls_of_floor));
    page.push_str(&floor::other_rows(&rows_of_floor, &rows));
    page.push_str(&counts::host_calls(&calls, &calls_of_floor));
    page.push_str(&allocations);
    page.push_str(&counts::places(&places_of_guest_allocations(&readable)));
    page.push_str(&bytes::section(&named));
    std::fs::create_dir_all(PLOTS).expect("the folder of the plots is there");
    for (name, plot) in [("medians", plots::medians(&rows)), ("rounds", plots::rounds(&rows))] {
        std::fs::write(format!("{PLOTS}/{name}.svg"), plot).expect("a plot is written");
    }
    std::fs::write(PAGE, &page).expect("the page is written");
    println!("{page}");
}

/// The rows that the floor can serve, besides the `get` that is measured layer by layer.
fn measured_of_floor(rows: Vec<Row>, with_cpu: bool) -> Vec<Ratios> {
    let served = |row: &Row| ["`create`", "`get`, 32 callers at once"].contains(&row.what);
    rows.into_iter().filter(served).map(|mut row| Ratios::of(&mut row, ROUNDS, with_cpu)).collect()
}

/// One line of the table of ratios.
fn line(page: &mut String, row: &Ratios) {
    let number = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), |number| format!("{number:.2}"));
    let (what, wall_bar, wall) = (row.what, number(row.wall.at_most), row.wall.median());
    let cpu_bar = number(row.cpu.as_ref().and_then(|cpu| cpu.at_most));
    let cpu = number(row.cpu.as_ref().map(measured::Against::median));
    writeln!(page, "| {what} | {wall_bar} | {wall:.2} | {cpu_bar} | {cpu} | {} |", verdict(row.reached()))
        .expect("text");
}

fn verdict(reached: Option<bool>) -> &'static str {
    match reached {
        Some(true) => "reached",
        Some(false) => "**not reached**",
        None => "",
    }
}

fn making_and_ending_in_microseconds(runtime: &Runtime) -> f64 {
    let (mut fresh, mut warm) = making_and_ending(runtime);
    let [fresh, warm] = interleaved([&mut fresh, &mut warm], 2000, ROUNDS);
    microseconds(&fresh.iter().zip(&warm).map(|(fresh, warm)| *fresh - *warm).collect::<Vec<_>>())
}

/// The median of the wall time.
fn microseconds(costs: &[cloudflare_access_benches::Cost]) -> f64 {
    median(&costs.iter().map(|cost| cost.wall.as_secs_f64() * 1e6).collect::<Vec<_>>())
}

/// Resident memory for one call, in the median of the rounds.
struct KibibytesPerCall {
    ours: f64,
    native: f64,
}

impl KibibytesPerCall {
    fn of(programs: &Programs, moment: Moment) -> Self {
        let rounds: Vec<_> = (0..ROUNDS).map(|_| programs.resident_per_call(moment, FEW, MANY)).collect();
        let kibibytes = |of: fn(&cloudflare_access_benches::Resident) -> f64| {
            median(&rounds.iter().map(|round| of(round) / 1024.0).collect::<Vec<_>>())
        };
        Self { ours: kibibytes(|round| round.ours), native: kibibytes(|round| round.native) }
    }
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
