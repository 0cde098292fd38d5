//! A client on bare hyper, one connection per request, that checks every answer of the API against the schema.

use cloudflare_access_simulator::{API_KEY, API_TOKEN, EMAIL, Operation, Scope, Simulator};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::schema;
use crate::within::within;

pub struct Client<'a> {
    simulator: &'a Simulator,
    /// None: what the defaults accept.
    credential: Option<Vec<(&'static str, String)>>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl<'a> Client<'a> {
    /// With credentials that may do everything: the API token in accounts, the key of a user in zones.
    pub fn new(simulator: &'a Simulator) -> Self {
        Self { simulator, credential: None }
    }

    pub fn with_headers(simulator: &'a Simulator, credential: Vec<(&'static str, String)>) -> Self {
        Self { simulator, credential: Some(credential) }
    }

    pub async fn list(&self, scope: &Scope, query: &str) -> Reply {
        self.operate(Operation::List, scope, query, "").await
    }

    pub async fn get(&self, scope: &Scope, id: &str) -> Reply {
        self.operate(Operation::Get, scope, id, "").await
    }

    pub async fn create(&self, scope: &Scope, body: Value) -> Reply {
        self.operate(Operation::Create, scope, "", &body.to_string()).await
    }

    pub async fn update(&self, scope: &Scope, id: &str, body: Value) -> Reply {
        self.operate(Operation::Update, scope, id, &body.to_string()).await
    }

    pub async fn delete(&self, scope: &Scope, id: &str) -> Reply {
        self.operate(Operation::Delete, scope, id, "").await
    }

    pub async fn refresh(&self, scope: &Scope, id: &str) -> Reply {
        self.operate(Operation::Refresh, scope, id, "").await
    }

    pub async fn rotate(&self, scope: &Scope, id: &str, body: &str) -> Reply {
        self.operate(Operation::Rotate, scope, id, body).await
    }

    /// A request for the operation, its answer checked. `id` is the query of a list.
    pub async fn operate(&self, operation: Operation, scope: &Scope, id: &str, body: &str) -> Reply {
        let reply = self.send(operation.method(), &path(operation, scope, id), body).await;
        let answer = reply.json();
        let is_success = answer["success"] == true;
        schema::check(if is_success { operation.to_string() } else { "failure".to_owned() }.as_str(), &answer);
        if is_success {
            schema::check_current(&answer["result"]);
            // Failures are not compared with the description: it has an object where real ones have `result: null`, and no code
            // below 1000, such as 971.
            let status = if operation == Operation::Create { 201 } else { 200 };
            schema::check_described(operation, scope.kind(), &format!("/responses/{status}"), &answer);
            if let Ok(Value::Object(mut body)) = serde_json::from_str(body) {
                // Null is as good as left out, which the description does not say.
                body.retain(|_, value| !value.is_null());
                schema::check_described(operation, scope.kind(), "/requestBody", &Value::Object(body));
            }
        }
        let expected = if operation == Operation::Create { 201 } else { 200 };
        assert_eq!(is_success, reply.status == expected, "{reply:?}");
        reply
    }

    /// Any request, its answer unchecked.
    pub async fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let mut connection = connect(self.simulator).await;
        send_on(&mut connection, self.request(method, path, body)).await.expect("an answer")
    }

    pub fn request(&self, method: &str, path: &str, body: &str) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path).header("host", "simulator");
        let credential = self.credential.clone().unwrap_or_else(|| {
            if path.starts_with("/client/v4/zones/") {
                vec![("x-auth-key", API_KEY.to_owned()), ("x-auth-email", EMAIL.to_owned())]
            } else {
                vec![("authorization", format!("Bearer {API_TOKEN}"))]
            }
        });
        for (name, value) in credential {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request")
    }
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The result of a success.
    pub fn result(&self) -> Value {
        let mut answer = self.json();
        assert_eq!(answer["success"], true, "{answer:#}");
        answer["result"].take()
    }

    /// Status and first code of a failure.
    pub fn failure(&self) -> (u16, u64) {
        let answer = self.json();
        assert_eq!(answer["success"], false, "{answer:#}");
        (self.status, answer["errors"][0]["code"].as_u64().expect("a code"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The path of an operation, with its query for a list.
pub fn path(operation: Operation, scope: &Scope, id: &str) -> String {
    let tokens = format!("/client/v4/{}s/{}/access/service_tokens", scope.kind(), scope.id());
    match operation {
        Operation::List => format!("{tokens}{id}"),
        Operation::Create => tokens,
        Operation::Get | Operation::Update | Operation::Delete => format!("{tokens}/{id}"),
        Operation::Refresh | Operation::Rotate => format!("{tokens}/{id}/{operation}"),
    }
}

/// A body that the operation accepts.
pub fn body(operation: Operation) -> String {
    match operation {
        Operation::Create => json!({"name": "made by the test"}).to_string(),
        Operation::Update => json!({"name": "changed by the test"}).to_string(),
        _ => String::new(),
    }
}

pub async fn connect(simulator: &Simulator) -> SendRequest<Full<Bytes>> {
    let tcp = TcpStream::connect(simulator.address()).await.expect("a connection");
    let (sender, connection) = handshake(TokioIo::new(tcp)).await.expect("a handshake");
    tokio::spawn(connection);
    sender
}

pub async fn send_on(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Reply, hyper::Error> {
    let answer = async {
        let (head, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    };
    within("an answer", answer).await
}
