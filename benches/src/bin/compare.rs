//! Measures what people would use against each other, each client in a process of its own, and prints `docs/performance.md`:
//! `.ci/performance` builds all of them, starts this program, and says what its arguments are.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use cloudflare_access_benches::rounds::median;
use cloudflare_access_benches::{Cost, Server, pin_to_one_core, unpin};
use cloudflare_access_host::COMPONENT;
use cloudflare_access_simulator::API_TOKEN;

/// The row's times may be this much of those of the older commit.
const AT_MOST: f64 = 1.03;
/// The component, the same of the older commit, the native client, and the SDKs of npm and `PyPI`.
const CLIENTS: [&str; 5] = ["component", "before", "native", "npm", "PyPI"];
const COMPONENT_NOW: usize = 0;
const BEFORE: usize = 1;
const NATIVE: usize = 2;

/// A row: what is done, its name in the protocol of the drivers, the calls of a round by fast and by slow clients, and how many rounds.
struct Row {
    what: &'static str,
    name: &'static str,
    calls: u32,
    calls_of_sdk: u32,
}

const SEQUENTIAL: [Row; 2] = [
    Row { what: "`get`", name: "get", calls: 1000, calls_of_sdk: 60 },
    Row { what: "`create`", name: "create", calls: 600, calls_of_sdk: 60 },
];
const LISTS: [Row; 3] = [
    Row { what: "list 1,000, pages of 1,000", name: "list-1000", calls: 12, calls_of_sdk: 2 },
    Row { what: "list 1,000, pages of 50", name: "list-50", calls: 8, calls_of_sdk: 1 },
    Row { what: "list 1,000, pages of 50, native six at a time", name: "list-50-six", calls: 8, calls_of_sdk: 0 },
];
const AT_ONCE: Row = Row { what: "`get`, 32 at once", name: "get-at-once", calls: 1600, calls_of_sdk: 96 };
const STARTS: &str = "process start to first result";

/// Where the programs are.
struct Programs {
    component: PathBuf,
    before: PathBuf,
    native: PathBuf,
    stock: PathBuf,
    javascript: PathBuf,
    python: PathBuf,
    wasmtime: PathBuf,
    folder: PathBuf,
    rounds: usize,
}

/// A client in a process of its own.
struct Driver {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// The costs of one call, by client and round. A client that does not do the row has none.
struct Measured {
    what: &'static str,
    costs: [Vec<Cost>; 5],
}

impl Programs {
    /// The arguments of this program: the older driver, the folders of the SDKs, wasmtime's command, a folder for files, and how many rounds.
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut next = |what: &str| arguments.next().with_context(|| format!("{what} is missing"));
        let own = std::env::current_exe()?;
        let beside = |name: &str| own.with_file_name(name);
        Ok(Self {
            component: beside("component-driver"),
            native: beside("native-driver"),
            stock: beside("stock-driver"),
            before: next("the older driver")?.into(),
            javascript: next("the folder of the npm SDK")?.into(),
            python: next("the folder of the PyPI SDK")?.into(),
            wasmtime: next("wasmtime's command")?.into(),
            folder: next("a folder for files")?.into(),
            rounds: next("the number of rounds")?.parse().context("the number of rounds")?,
        })
    }

    fn code(&self, client: usize) -> PathBuf {
        self.folder.join(format!("{client}.cwasm"))
    }

    /// Compiles the components of both commits into files.
    fn precompile(&self) -> anyhow::Result<()> {
        for (client, driver) in [(COMPONENT_NOW, &self.component), (BEFORE, &self.before)] {
            let ended = Command::new(driver).arg("precompile").arg(self.code(client)).status()?;
            ensure!(ended.success(), "{} does not compile its component", driver.display());
        }
        Ok(())
    }

    fn start(&self, client: usize, server: &Server) -> anyhow::Result<Driver> {
        let clients = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
        let mut command = match client {
            COMPONENT_NOW => Command::new(&self.component),
            BEFORE => Command::new(&self.before),
            NATIVE => Command::new(&self.native),
            3 => {
                let mut node = Command::new("node");
                node.arg(Path::new(clients).join("javascript.js")).env("SDK", &self.javascript);
                node
            }
            _ => {
                let mut python = Command::new("python3");
                python.arg(Path::new(clients).join("python.py")).env("PYTHONPATH", &self.python);
                python
            }
        };
        command.args([server.base_url(), server.account_id(), server.token_id()]);
        if client <= BEFORE {
            command.arg(self.code(client));
        }
        command.env("CLOUDFLARE_API_TOKEN", API_TOKEN);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().context("its input")?;
        let output = BufReader::new(process.stdout.take().context("its output")?);
        Ok(Driver { process, input, output })
    }

    fn start_all(&self, server: &Server) -> anyhow::Result<Vec<Driver>> {
        (0..CLIENTS.len()).map(|client| self.start(client, server)).collect()
    }

    /// From the start of a process until it has the result of a `get`, round by round.
    fn starts(&self, server: &Server) -> anyhow::Result<Measured> {
        let mut costs: [Vec<Cost>; 5] = Default::default();
        for _ in 0..self.rounds {
            for (client, costs) in costs.iter_mut().enumerate() {
                let repeats = if client <= NATIVE { 5 } else { 1 };
                let began = Instant::now();
                for _ in 0..repeats {
                    self.start(client, server)?.work("get", 1)?;
                }
                costs.push(Cost { wall: began.elapsed() / repeats, cpu: Duration::ZERO });
            }
        }
        Ok(Measured { what: STARTS, costs })
    }
}

impl Driver {
    /// Does so much of a row and returns what one call took.
    fn work(&mut self, row: &str, calls: u32) -> anyhow::Result<Cost> {
        writeln!(self.input, "{row} {calls}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let (wall, cpu) = line.trim().split_once(' ').with_context(|| format!("a driver said {line:?} to {row}"))?;
        let cost = Cost { wall: Duration::from_nanos(wall.parse()?), cpu: Duration::from_nanos(cpu.parse()?) };
        Ok(cost.per_call(calls))
    }

    /// What is resident, in MiB.
    fn resident(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a line of the resident set")?;
        Ok(f64::from(line.trim().trim_end_matches(" kB").parse::<u32>()?) / 1024.0)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Measures a row in rounds in which the clients take turns, after a tenth of a round each.
fn measure(row: &Row, drivers: &mut [Driver], rounds: usize) -> anyhow::Result<Measured> {
    let mut costs: [Vec<Cost>; 5] = Default::default();
    for round in 0..=rounds {
        for (client, (driver, costs)) in drivers.iter_mut().zip(&mut costs).enumerate() {
            let calls = if client <= NATIVE { row.calls } else { row.calls_of_sdk };
            if calls == 0 {
                continue;
            }
            let cost = driver.work(row.name, if round == 0 { calls.div_ceil(10) } else { calls })?;
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    Ok(Measured { what: row.what, costs })
}

impl Measured {
    /// The median of the paired ratios of two clients.
    fn ratio(&self, client: usize, to: usize, of: fn(&Cost) -> Duration) -> Option<f64> {
        let pairs = self.costs[client].iter().zip(&self.costs[to]);
        let ratios: Vec<_> = pairs.map(|(one, other)| of(one).as_secs_f64() / of(other).as_secs_f64()).collect();
        (!ratios.is_empty()).then(|| median(&ratios)).filter(|ratio| ratio.is_finite())
    }

    /// One line of the table of times: microseconds, and times native.
    fn line(&self, page: &mut String) {
        write!(page, "| {} |", self.what).expect("text");
        for (client, costs) in self.costs.iter().enumerate() {
            let Some(ratio) = self.ratio(client, NATIVE, |cost| cost.wall) else {
                page.push_str(" – |");
                continue;
            };
            let micros = median(&costs.iter().map(|cost| cost.wall.as_secs_f64() * 1e6).collect::<Vec<_>>());
            let time = if micros < 10_000.0 { format!("{micros:.0} µs") } else { format!("{:.0} ms", micros / 1e3) };
            let cpu = self.ratio(client, NATIVE, |cost| cost.cpu).map(|cpu| format!(", CPU {cpu:.2}"));
            write!(page, " {time} ({ratio:.2}{}) |", cpu.unwrap_or_default()).expect("text");
        }
        page.push('\n');
    }

    /// One line of the table of the bar.
    fn bar(&self, page: &mut String) {
        let Some(wall) = self.ratio(COMPONENT_NOW, BEFORE, |cost| cost.wall) else { return };
        let cpu = self.ratio(COMPONENT_NOW, BEFORE, |cost| cost.cpu);
        let shown = cpu.map_or("–".to_owned(), |cpu| format!("{cpu:.3}"));
        let verdict = if wall <= AT_MOST { "kept" } else { "**missed**" };
        writeln!(page, "| {} | {wall:.3} | {shown} | {verdict} |", self.what).expect("text");
    }
}

/// What a plugin costs in wasmtime as it comes, as lines of a table.
fn stock(programs: &Programs, server: &Server) -> anyhow::Result<String> {
    let component = programs.folder.join("cloudflare_access.wasm");
    std::fs::write(&component, COMPONENT)?;
    let compiled = programs.folder.join("stock.cwasm");
    let mut compilations = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        let mut compile = Command::new(&programs.wasmtime);
        let ended = compile.arg("compile").arg(&component).arg("-o").arg(&compiled).status()?;
        ensure!(ended.success(), "wasmtime does not compile the component");
        compilations.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let version = text(Command::new(&programs.wasmtime).arg("--version"))?;
    let mut driver = Command::new(&programs.stock);
    driver.arg(&component).args([server.base_url(), server.account_id(), server.token_id()]);
    let measured: serde_json::Value = serde_json::from_str(&text(&mut driver)?)?;
    let number = |field: &str| measured[field].as_f64().with_context(|| format!("{field} of the stock driver"));
    let mut lines = String::new();
    let code = std::fs::metadata(&compiled)?.len();
    writeln!(lines, "| compile, without a cache ({version}, one core) | {:.0} ms |", median(&compilations))?;
    writeln!(lines, "| the compiled code (`.cwasm`) | {code} bytes |")?;
    writeln!(lines, "| instantiate | {:.1} µs |", number("instantiation_ns")? / 1e3)?;
    writeln!(
        lines,
        "| an instance that has served a `get`, resident | {:.0} KiB |",
        number("resident_bytes")? / 1024.0
    )?;
    writeln!(lines, "| a `get` in an instance that stays | {:.0} µs |", number("call_ns")? / 1e3)?;
    Ok(lines)
}

/// What a command prints.
fn text(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("{command:?} does not start"))?;
    ensure!(output.status.success(), "{command:?} fails");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn processor() -> anyhow::Result<String> {
    let all = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = all.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = all.lines().filter(|line| line.starts_with("processor")).count();
    Ok(format!("{} × {}", cores, model.trim_start_matches([' ', '\t', ':'])))
}

fn main() -> anyhow::Result<()> {
    let programs = Programs::read(std::env::args().skip(1))?;
    programs.precompile()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();

    pin_to_one_core();
    let server = Server::start(1);
    let starts = programs.starts(&server)?;
    let mut drivers = programs.start_all(&server)?;
    let mut memory = Vec::new();
    for driver in &mut drivers {
        driver.work("get", 1)?;
        memory.push(driver.resident()?);
    }
    let mut rows = Vec::new();
    for row in &SEQUENTIAL {
        rows.push(measure(row, &mut drivers, programs.rounds)?);
    }
    let server_of_lists = Server::start(1000);
    drivers = programs.start_all(&server_of_lists)?;
    for row in &LISTS {
        rows.push(measure(row, &mut drivers, programs.rounds)?);
    }
    let stock = stock(&programs, &server)?;
    unpin();
    let server = Server::start(1);
    drivers = programs.start_all(&server)?;
    rows.push(measure(&AT_ONCE, &mut drivers, programs.rounds)?);
    rows.push(starts);

    print!("{}", page(&rows, &memory, &stock, &programs, load)?);
    Ok(())
}

fn page(rows: &[Measured], memory: &[f64], stock: &str, programs: &Programs, load: &str) -> anyhow::Result<String> {
    let commit = text(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]))?;
    let rustc = text(Command::new("rustc").arg("--version"))?;
    let node = text(Command::new("node").arg("--version"))?;
    let python = text(Command::new("python3").arg("--version"))?;
    let mut page = format!(
        "# Performance

Written by `.ci/performance`, which makes all figures of this page in one run; not by hand.

| | |
|---|---|
| commit | {commit} |
| compared with | 6f1888a |
| processor | {} |
| load before the run | {load} |
| compiler | {rustc}, profile `measured` (`benches/measured.toml`: optimized, without link-time optimization) |
| Node, Python | {node}, {python} |
| rounds | {} |

## Beside what people use

Each client is a process of its own and does the same calls against the simulator on loopback; the clients take turns in every round. Where calls
are sequential, all clients and the server share one core. A cell has the median time of a call and, in brackets, the median over the rounds of
its ratio to the native client, in time and in processor time of the whole process. Only the ratios say something about another machine.

- **component** is the host crate with this component; **before** is the same program built from commit 6f1888a.
- **native** is a hyper client of 150 lines (`benches/src/native.rs`): no deadline, no limit of an answer, no repeats, no reading of errors. It asks
  for one page at a time, except in the row that says six.
- **npm** is `cloudflare` 7.3.0 and **PyPI** is `cloudflare` 5.9.0. They repeat calls that fail, and have neither a deadline for the whole call nor a limit
  of an answer; they ask for one page after the other and for one page more than there is.
- The component asks for up to six pages at a time by itself.

| | component | before | native | npm | PyPI |
|---|---|---|---|---|---|
",
        processor()?,
        programs.rounds
    );
    for row in rows {
        row.line(&mut page);
    }
    write!(page, "| resident after one `get` |")?;
    for resident in memory {
        write!(page, " {resident:.1} MiB |")?;
    }
    page.push_str(
        "\n\nThe component's process has its compiled code from a file; without one, the first start compiles it (see below).\n\n## Against 6f1888a\n\n\
         The bar: no row takes more than 1.03 times the time of 6f1888a, in the median of the paired ratios.\n\n\
         | | time | processor time | |\n|---|---|---|---|\n",
    );
    for row in rows {
        row.bar(&mut page);
    }
    write!(
        page,
        "\n## As a plugin of wasmtime\n\nWhat the component costs a host that embeds wasmtime 48 with default settings, wasmtime-wasi and \
         wasmtime-wasi-http\n(`benches/src/bin/stock-driver.rs`), without the host crate.\n\n| | |\n|---|---|\n\
         | the component | {} bytes |\n{stock}",
        COMPONENT.len()
    )?;
    Ok(page)
}
