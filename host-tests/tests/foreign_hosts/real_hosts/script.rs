//! The script: what every host is asked to do, and what must come of it. Written once, in `hosts/script.json`.

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

/// All cases, in their order.
pub fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(Path::new(HOSTS).join("script.json")).expect("the script");
    let script: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
    script.iter().map(Case::new).collect()
}

impl Case {
    fn new(value: &Value) -> Self {
        let strings = |key: &str| -> Vec<String> {
            value[key].as_array().into_iter().flatten().map(|text| text.as_str().expect(key).to_owned()).collect()
        };
        Self {
            name: value["case"].as_str().expect("a name").to_owned(),
            home: if value["in"] == "zone" { ScopeKind::Zone } else { ScopeKind::Account },
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

    /// Prepares the simulator, lets `run` do the step, and says what is not as it must be.
    pub fn check(&self, simulator: &Simulator, run: impl FnOnce(&Value) -> Value) -> Result<(), String> {
        let home = match self.home {
            ScopeKind::Account => simulator.account(),
            ScopeKind::Zone => simulator.zone(),
        };
        let seeded: Vec<_> = self.tokens.iter().map(|name| simulator.add_token(home, name)).collect();
        simulator.clear_faults();
        simulator.clear_requests();
        for fault in &self.faults {
            simulator.inject(fault.clone());
        }
        let started = std::time::Instant::now();
        let closed = ClosedPort::reserve();
        let reply = run(&self.step_for(simulator, home, seeded.first(), &closed));
        let took = started.elapsed().as_millis();
        if took > u128::from(AT_MOST_MS) {
            return Err(format!("it took {took} ms"));
        }
        self.check_reply(&reply)?;
        self.check_requests(simulator)?;
        self.check_secrets(simulator, &reply, seeded.first())
    }

    /// The step with the account or the zone, and what only the running simulator knows in place of `$…`.
    fn step_for(&self, simulator: &Simulator, home: &Scope, token: Option<&IssuedToken>, closed: &ClosedPort) -> Value {
        let mut step = self.step.clone();
        step[home.kind().to_string()] = json!(home.id());
        let token = || &token.expect("a token of the case").token;
        for value in step.as_object_mut().expect("an object").values_mut() {
            match value.as_str() {
                Some("$id") => *value = json!(token().id),
                Some("$client-id") => *value = json!(token().client_id),
                Some("$api-token") => *value = json!(API_TOKEN),
                Some("$base-url") => *value = json!(simulator.base_url()),
                Some("$in-one-hour") => *value = json!(simulator.timestamp_in(std::time::Duration::from_hours(1))),
                Some("$closed-port") => *value = json!(format!("http://{}", closed.address())),
                _ => {}
            }
        }
        step
    }

    /// Every value that is expected must be there; more may be. A list of expectations needs one that holds.
    fn check_reply(&self, reply: &Value) -> Result<(), String> {
        let any = self.expect.as_array().map_or(std::slice::from_ref(&self.expect), Vec::as_slice);
        let holds = |expected: &Value| {
            let mut fields = expected.as_object().expect("ok or err").iter().flat_map(|(side, fields)| {
                fields.as_object().expect("fields").iter().map(move |(field, value)| reply[side][field] == *value)
            });
            fields.all(|is_equal| is_equal)
        };
        if any.iter().any(holds) { Ok(()) } else { Err(format!("expected {}, got {reply}", self.expect)) }
    }

    /// As many requests as expected, each with its length, none chunked, and with the header of the step, whatever HTTP stack the host
    /// has.
    fn check_requests(&self, simulator: &Simulator) -> Result<(), String> {
        let requests = simulator.requests();
        let methods: Vec<_> = requests.iter().map(|request| request.method.clone()).collect();
        if methods != self.sent {
            return Err(format!("expected the requests {:?}, got {methods:?}", self.sent));
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
    fn check_secrets(&self, simulator: &Simulator, reply: &Value, old: Option<&IssuedToken>) -> Result<(), String> {
        let Some(expected) = &self.secrets else { return Ok(()) };
        let text = |field: &str| reply["ok"][field].as_str().unwrap_or_default();
        simulator
            .authenticate(text("client-id"), text("client-secret"))
            .map_err(|refusal| format!("the new secret does not pass: {refusal:?}"))?;
        match (&**expected, old) {
            ("the new and the old one pass", Some(old)) => simulator
                .authenticate(&old.token.client_id, old.client_secret.expose())
                .map_err(|refusal| format!("the old secret does not pass: {refusal:?}")),
            ("the new one passes", _) => Ok(()),
            _ => Err(format!("the script says something unknown: {expected}")),
        }
    }
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
