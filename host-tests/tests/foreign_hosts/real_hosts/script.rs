//! The script: what every host is asked to do, and what must come of it. Written once, in `hosts/script.json`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use cloudflare_access_host_tests::fetched::HOSTS;
use cloudflare_access_simulator::{API_TOKEN, Fault, IssuedToken, Scope, ScopeKind, Simulator};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

/// How long a call may take in all, the start of a host that starts anew for every call included.
const AT_MOST_MS: u64 = 20_000;

/// One case of the script.
pub struct Case {
    /// Its name, the same in every host.
    pub name: String,
    home: ScopeKind,
    tokens: Vec<String>,
    faults: Vec<Fault>,
    step: Value,
    expect: Value,
    sent: Vec<String>,
    secrets: Option<String>,
}

/// What a case leaves for the next one: the token that it was about, and the secrets that token has had.
#[derive(Default)]
pub struct Progress {
    id: String,
    client_id: String,
    new_secret: String,
    old_secret: String,
}

/// All cases, in their order: those of the account, then those that are also for the zone.
pub fn cases() -> Vec<Case> {
    let script = script();
    let account = script.iter().map(|case| Case::new(case, ScopeKind::Account));
    let zone = script.iter().filter(|case| case["in"] == "both").map(|case| Case::new(case, ScopeKind::Zone));
    account.chain(zone).collect()
}

fn script() -> Vec<Value> {
    let text = std::fs::read_to_string(Path::new(HOSTS).join("script.json")).expect("the script");
    serde_json::from_str(&text).expect("a list of cases")
}

#[test]
fn the_script_calls_every_function_of_the_contract_and_those_with_a_scope_in_both() {
    let service_tokens = include_str!("../../../../wit/service-tokens.wit");
    let lifecycle = include_str!("../../../../wit/lifecycle.wit");
    let (mut functions, mut with_a_scope) = (BTreeSet::new(), BTreeSet::new());
    for line in service_tokens.lines().chain(lifecycle.lines()) {
        let Some((name, signature)) = line.trim().split_once(": func(") else { continue };
        functions.insert(name.to_owned());
        if signature.starts_with("scope: scope,") {
            with_a_scope.insert(name.to_owned());
        }
    }
    assert_eq!((functions.len(), with_a_scope.len()), (20, 15), "{functions:?}");
    let called = |home: Option<&str>| -> BTreeSet<String> {
        let cases = script().into_iter().filter(|case| home.is_none_or(|home| case["in"] == home));
        cases.map(|case| case["step"]["operation"].as_str().expect("an operation").to_owned()).collect()
    };
    assert_eq!(called(None), functions, "the script calls other functions than the contract has");
    assert_eq!(called(Some("both")), with_a_scope, "the script calls other functions in a zone than can be");
}

impl Case {
    fn new(value: &Value, home: ScopeKind) -> Self {
        let strings = |key: &str| -> Vec<String> {
            value[key].as_array().into_iter().flatten().map(|text| text.as_str().expect(key).to_owned()).collect()
        };
        let name = value["case"].as_str().expect("a name");
        Self {
            name: if home == ScopeKind::Zone { format!("{name}, in a zone") } else { name.to_owned() },
            home,
            tokens: strings("tokens"),
            faults: value["faults"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|fault| serde_json::from_value(fault.clone()).expect("a fault of the simulator"))
                .collect(),
            step: value["step"].clone(),
            expect: value["expect"].clone(),
            sent: strings("sent"),
            secrets: value["secrets"].as_str().map(str::to_owned),
        }
    }

    /// Prepares the simulator, lets `run` do the step, and says what is not as it must be. `run` returns an outcome for each call.
    pub fn check(
        &self,
        simulator: &Simulator,
        progress: &mut Progress,
        run: impl FnOnce(&Value) -> Vec<Value>,
    ) -> Result<(), String> {
        let home = match self.home {
            ScopeKind::Account => simulator.account(),
            ScopeKind::Zone => simulator.zone(),
        };
        let seeded: Vec<_> = self.tokens.iter().map(|name| simulator.add_token(home, name)).collect();
        if let Some(IssuedToken { token, client_secret }) = seeded.first() {
            let (id, client_id) = (token.id.clone(), token.client_id.clone());
            *progress =
                Progress { id, client_id, old_secret: client_secret.expose().to_owned(), ..Progress::default() };
        }
        simulator.clear_faults();
        simulator.clear_requests();
        for fault in &self.faults {
            simulator.inject(fault.clone());
        }
        let calls = self.step["at-once"].as_u64().unwrap_or(1);
        if calls > 1 {
            simulator.hold_answers(1..=calls);
        }
        let started = std::time::Instant::now();
        let closed = ClosedPort::reserve();
        let step = with_values(&self.step, simulator, progress, &closed);
        let replies = run(&with_scope(step, home));
        let took = started.elapsed().as_millis();
        if took > u128::from(AT_MOST_MS) {
            return Err(format!("it took {took} ms"));
        }
        if replies.len() as u64 != calls {
            return Err(format!("{calls} calls have {} outcomes", replies.len()));
        }
        let expect = with_values(&self.expect, simulator, progress, &closed);
        for reply in &replies {
            check_reply(&expect, reply)?;
            progress.remember(reply);
        }
        self.check_requests(simulator)?;
        self.check_secrets(simulator, progress)
    }

    /// As many requests as expected, each with its length, none chunked, and with the header of the step, whatever HTTP stack the host
    /// has.
    fn check_requests(&self, simulator: &Simulator) -> Result<(), String> {
        let requests = simulator.requests();
        let methods: Vec<_> = requests.iter().map(|request| request.method.clone()).collect();
        if methods != self.sent {
            return Err(format!("expected the requests {:?}, got {methods:?}", self.sent));
        }
        for fault in &self.faults {
            let name = fault.kind().name();
            if !requests.iter().any(|request| request.fault == Some(name)) {
                return Err(format!("no request met the fault {name}"));
            }
        }
        for request in &requests {
            if let Some(name) = self.step["header"].as_str()
                && request.header(name) != Some("from the test")
            {
                return Err(format!("{name} is {:?}", request.header(name)));
            }
            let (length, coding) = (request.header("content-length"), request.header("transfer-encoding"));
            let read = request.fault.is_none_or(|fault| fault.to_string() != "content-too-large");
            if coding.is_some() || length.is_none() || read && length != Some(&*request.body.len().to_string()) {
                return Err(format!("content-length {length:?}, transfer-encoding {coding:?}"));
            }
        }
        Ok(())
    }

    /// What Access itself would say to the secrets afterwards.
    fn check_secrets(&self, simulator: &Simulator, progress: &Progress) -> Result<(), String> {
        let Some(expected) = &self.secrets else { return Ok(()) };
        let passes = |secret: &str| simulator.authenticate(&progress.client_id, secret).is_ok();
        let passing = (passes(&progress.new_secret), passes(&progress.old_secret));
        let is_expected = match (&**expected, passing) {
            ("the new one passes", (new, _)) => new && progress.old_secret.is_empty(),
            ("both pass", both) => both == (true, true),
            ("only the new one passes", both) => both == (true, false),
            ("none passes", both) => both == (false, false),
            _ => return Err(format!("the script says something unknown: {expected}")),
        };
        if is_expected { Ok(()) } else { Err(format!("{expected}, but (new, old) is {passing:?}")) }
    }
}

impl Progress {
    fn remember(&mut self, reply: &Value) {
        let text = |field: &str| reply["ok"][field].as_str().map(str::to_owned);
        let Some(id) = text("id") else { return };
        if id != self.id {
            *self = Self { id, client_id: text("client-id").unwrap_or_default(), ..Self::default() };
        }
        if let Some(secret) = text("client-secret") {
            self.new_secret = secret;
        }
    }
}

/// The step with the account or the zone.
fn with_scope(mut step: Value, home: &Scope) -> Value {
    step[home.kind().to_string()] = json!(home.id());
    step
}

/// What only the running simulator knows in place of `$…`, wherever it stands.
fn with_values(value: &Value, simulator: &Simulator, progress: &Progress, closed: &ClosedPort) -> Value {
    let again = |value| with_values(value, simulator, progress, closed);
    match value {
        Value::Array(items) => items.iter().map(again).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), again(value))).collect())
        }
        Value::String(text) => match &**text {
            "$id" | "$last-id" => json!(progress.id),
            "$client-id" => json!(progress.client_id),
            "$api-token" => json!(API_TOKEN),
            "$base-url" => json!(simulator.base_url()),
            "$in-one-hour" => json!(simulator.timestamp_in(std::time::Duration::from_hours(1))),
            "$closed-port" => json!(format!("http://{}", closed.address())),
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

/// Every value that is expected must be there; more may be. A list of expectations needs one that holds. `message-contains` is about
/// the text of an error.
fn check_reply(expect: &Value, reply: &Value) -> Result<(), String> {
    let any = expect.as_array().map_or(std::slice::from_ref(expect), Vec::as_slice);
    let field_holds = |side: &str, field: &str, value: &Value| match field {
        "message-contains" => {
            reply[side]["message"].as_str().is_some_and(|text| text.contains(value.as_str().expect("text")))
        }
        _ => reply[side][field] == *value,
    };
    let holds = |expected: &Value| {
        let mut sides = expected.as_object().expect("ok or err").iter();
        sides.all(|(side, fields)| {
            let has_side = !reply[side].is_null();
            has_side && fields.as_object().expect("fields").iter().all(|(field, value)| field_holds(side, field, value))
        })
    };
    if any.iter().any(holds) { Ok(()) } else { Err(format!("expected {expect}, got {reply}")) }
}

/// A port on which nothing listens, and that nobody else gets meanwhile: it is bound.
struct ClosedPort(TcpSocket);

impl ClosedPort {
    fn reserve() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("its address")
    }
}
