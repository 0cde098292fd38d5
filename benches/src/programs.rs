//! Whole processes, as the system sees them: how long one takes from its start to its end, and what of it is in memory.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cloudflare_access_host::{COMPONENT, Runtime};

use crate::errand::{DONE, Errand};
use crate::{Cost, Row, Run, Server};

/// Long enough that all calls are under way before the first has its answer.
const UNTIL_ALL_ARE_UNDER_WAY: Duration = Duration::from_millis(500);
/// Longer than anybody looks; within the time that an attempt has.
const UNTIL_NOBODY_LOOKS: Duration = Duration::from_secs(20);
/// After the last request has arrived, what sent it comes to rest.
const REST: Duration = Duration::from_millis(50);

/// The programs `get-through-component` and `get-natively`.
pub struct Programs {
    ways: [Program; 2],
}

/// One of the programs.
#[derive(Clone)]
struct Program {
    path: PathBuf,
    code: Option<PathBuf>,
}

/// When the memory of a process is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// While its calls wait for their answers.
    InFlight,
    /// After its calls have ended, all having been under way at once.
    Idle,
}

/// What one more call makes of the resident bytes of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resident {
    /// Through the host crate.
    pub ours: f64,
    /// By the native client.
    pub native: f64,
}

impl Programs {
    /// The programs by their paths. The component is compiled into a file of `folder`, once for all processes.
    ///
    /// # Panics
    /// It does not compile, or the file cannot be written.
    #[must_use]
    pub fn new(through_component: &Path, natively: &Path, folder: &Path) -> Self {
        let code = folder.join("cloudflare_access.cwasm");
        std::fs::write(&code, Runtime::precompile(COMPONENT).expect("the component compiles")).expect("a file");
        Self {
            ways: [
                Program { path: through_component.to_owned(), code: Some(code) },
                Program { path: natively.to_owned(), code: None },
            ],
        }
    }

    /// From the start of a process to its end, with one `get` in it. To be made and run on a thread that stays on one core.
    ///
    /// # Panics
    /// A server does not start; later, in a run, a process that fails.
    #[must_use]
    pub fn start(&self) -> Row {
        let server = Arc::new(Server::start(1));
        let [ours, native] = self.ways.clone().map(|program| whole(program, Arc::clone(&server)));
        Row {
            what: "process start to end with one `get`, precompiled",
            wall_at_most: Some(5.0),
            cpu_at_most: None,
            calls: 20,
            ours,
            native,
        }
    }

    /// What one more call at once makes of the resident bytes: the difference between two numbers of calls, so that what a
    /// process has anyway is not in it.
    ///
    /// # Panics
    /// A process that fails.
    #[must_use]
    pub fn resident_per_call(&self, moment: Moment, few: u32, many: u32) -> Resident {
        let per_call = |program: &Program| {
            let (few_bytes, many_bytes) = (program.resident(moment, few), program.resident(moment, many));
            (many_bytes - few_bytes) / f64::from(many - few)
        };
        let [ours, native] = &self.ways;
        Resident { ours: per_call(ours), native: per_call(native) }
    }
}

impl Program {
    fn command(&self, server: &Server, calls: u32) -> Command {
        let errand = Errand {
            base_url: server.base_url().to_owned(),
            account_id: server.account_id().to_owned(),
            token_id: server.token_id().to_owned(),
            calls,
        };
        let mut command = Command::new(&self.path);
        command.args(errand.arguments()).args(&self.code);
        command
    }

    /// The resident bytes of a process of this program.
    fn resident(&self, moment: Moment, calls: u32) -> f64 {
        let server = Server::start(1).with_latency(match moment {
            Moment::InFlight => UNTIL_NOBODY_LOOKS,
            Moment::Idle => UNTIL_ALL_ARE_UNDER_WAY,
        });
        let mut command = self.command(&server, calls);
        let mut process = Ended(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process"));
        match moment {
            Moment::InFlight => {
                let began = Instant::now();
                while server.requests() < u64::from(calls) {
                    assert!(began.elapsed() < UNTIL_NOBODY_LOOKS, "not all of the requests arrive");
                    sleep(Duration::from_millis(5));
                }
            }
            Moment::Idle => {
                let mut said = String::new();
                let output = process.0.stdout.as_mut().expect("its output");
                BufReader::new(output).read_line(&mut said).expect("its output can be read");
                assert_eq!(said.trim_end(), DONE, "the calls of the process end well");
            }
        }
        sleep(REST);
        resident_bytes(process.0.id())
    }
}

fn whole(program: Program, server: Arc<Server>) -> Run {
    Box::new(move |calls| {
        Cost::of(|| {
            for _ in 0..calls {
                let mut command = program.command(&server, 1);
                let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("a process");
                assert!(ended.success(), "the process ends well");
            }
        })
    })
}

fn resident_bytes(process: u32) -> f64 {
    let file = format!("/proc/{process}/smaps_rollup");
    let rollup = std::fs::read_to_string(file).expect("the system says what is resident");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).expect("a line of the resident set");
    let kibibytes: u32 = line.trim().trim_end_matches(" kB").parse().expect("a number of kibibytes");
    f64::from(kibibytes) * 1024.0
}

/// A process that does not outlive this value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
