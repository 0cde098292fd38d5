//! The host of the unit tests: it answers from a script or by a rule, records all of every request, and has a clock
//! that only waiting moves.
//!
//! Answers can take time, and several requests can be under way: each future is polled in turn, and when none can go
//! on, the clock moves on to the next moment that one of them waits for.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::contract::types::{Credentials, Endpoint, Error, RequestOptions, Scope};
use crate::exchange::{Answer, Call, Cause, Head, Headers, Host, Instant, NoAnswer};
use crate::failure::Result;
use crate::request::{Function, Method, Request};

/// The credential of [`options`].
pub const CREDENTIAL: &str = "the-credential-of-the-caller";
/// What the wall clock of the host shows at first: 2026-11-24T10:00:00Z.
pub const NOW: i64 = 1_795_514_400;

/// Returns the options of a call with a credential of its own, to an API that only the script knows.
pub fn options() -> RequestOptions {
    let credentials = Credentials::ApiToken(CREDENTIAL.to_owned());
    let endpoint = Endpoint { credentials, base_url: Some("https://a.example/v4".to_owned()) };
    RequestOptions { endpoint: Some(endpoint), ..RequestOptions::default() }
}

pub fn account() -> Scope {
    Scope::Account("a".to_owned())
}

/// What the host answers to a request, after some time.
#[derive(Clone)]
pub struct Reply {
    what: What,
    after: Duration,
}

#[derive(Clone)]
enum What {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// With the status of a head that came all the same.
    Failure(Cause, Option<u16>),
}

impl Reply {
    pub fn new(status: u16, body: &str) -> Self {
        let what = What::Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
        Self { what, after: Duration::ZERO }
    }

    /// A good answer with this result.
    pub fn result(result: &str) -> Self {
        Self::new(200, &format!(r#"{{"success":true,"errors":[],"messages":[],"result":{result}}}"#))
    }

    /// A refusal with this code.
    pub fn refusal(status: u16, code: u32) -> Self {
        Self::new(status, &format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"no"}}],"result":null}}"#))
    }

    pub fn failure(cause: Cause) -> Self {
        Self { what: What::Failure(cause, None), after: Duration::ZERO }
    }

    pub fn failure_after_head(cause: Cause, status: u16) -> Self {
        Self { what: What::Failure(cause, Some(status)), after: Duration::ZERO }
    }

    /// The connection breaks before the answer.
    pub fn lost() -> Self {
        Self::failure(Cause::Lost("the connection broke"))
    }

    /// Nobody listens.
    pub fn refused() -> Self {
        Self::failure(Cause::NotSent("the connection was refused"))
    }

    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let What::Answer { headers, .. } = &mut self.what {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The answer comes this much later than the request.
    pub fn after(self, milliseconds: u64) -> Self {
        Self { after: Duration::from_millis(milliseconds), ..self }
    }
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    /// Until when it might take, in milliseconds of the host's clock.
    pub until: u64,
}

impl Sent {
    /// Returns method, path and body in one line.
    pub fn line(&self) -> String {
        let method = match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        };
        let path = self.url.split_once("/access/service_tokens").map_or(self.url.as_str(), |(_, path)| path);
        format!("{method} {path} {}", self.body.as_deref().unwrap_or_default()).trim_end().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

type Rule = Box<dyn Fn(&Sent) -> Reply>;

#[derive(Default)]
pub struct ScriptedHost {
    environment: Vec<(String, String)>,
    environment_reads: Cell<u32>,
    replies: RefCell<VecDeque<Reply>>,
    rule: Option<Rule>,
    sent: RefCell<Vec<Sent>>,
    nanoseconds: Cell<u64>,
    /// The moments that futures wait for.
    alarms: RefCell<Vec<u64>>,
    under_way: Cell<usize>,
    most_under_way: Cell<usize>,
}

impl ScriptedHost {
    /// Answers with these replies in turn.
    pub fn with_replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { replies: RefCell::new(replies.into_iter().collect()), ..Self::default() }
    }

    /// Answers by a rule.
    pub fn with_rule(rule: impl Fn(&Sent) -> Reply + 'static) -> Self {
        Self { rule: Some(Box::new(rule)), ..Self::default() }
    }

    /// Answers by a rule once the replies are used up.
    pub fn and_then(self, rule: impl Fn(&Sent) -> Reply + 'static) -> Self {
        Self { rule: Some(Box::new(rule)), ..self }
    }

    pub fn with_environment(self, variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { environment: variables.iter().map(owned).collect(), ..self }
    }

    pub fn environment_reads(&self) -> u32 {
        self.environment_reads.get()
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.sent.borrow().clone()
    }

    /// Returns method, path and body of each request.
    pub fn lines(&self) -> Vec<String> {
        self.sent.borrow().iter().map(Sent::line).collect()
    }

    /// Returns how long the call has taken.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.get())
    }

    pub fn most_under_way(&self) -> usize {
        self.most_under_way.get()
    }

    /// Runs a future to its end. When it waits, the clock moves on.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            self.alarms.borrow_mut().clear();
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            let next = self.alarms.borrow().iter().copied().min().expect("something to wait for");
            assert!(next > self.nanoseconds.get(), "a wait that is over");
            self.nanoseconds.set(next);
        }
    }

    /// Runs an exported function as `lib.rs` does, in an account.
    pub fn run<T>(
        &self,
        function: Function,
        options: RequestOptions,
        operation: impl AsyncFnOnce(&Call<'_, Self>) -> Result<T>,
    ) -> Result<T, Error> {
        self.run_in(account(), function, Some(options), operation)
    }

    /// Runs an exported function as `lib.rs` does.
    pub fn run_in<T>(
        &self,
        scope: Scope,
        function: Function,
        options: Option<RequestOptions>,
        operation: impl AsyncFnOnce(&Call<'_, Self>) -> Result<T>,
    ) -> Result<T, Error> {
        let call = Call::begin(self, function, scope, options)?;
        self.block_on(operation(&call)).map_err(|failure| call.error(*failure))
    }

    async fn wait_until(&self, moment: u64) {
        poll_fn(|_| {
            if self.nanoseconds.get() >= moment {
                return Poll::Ready(());
            }
            self.alarms.borrow_mut().push(moment);
            Poll::Pending
        })
        .await;
    }
}

/// Returns a head without headers.
pub fn head(status: u16) -> Head {
    Head { status, headers: Box::new(Vec::new()) }
}

impl Headers for Vec<(String, String)> {
    fn get(&self, name: &str) -> Option<String> {
        self.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

impl Host for ScriptedHost {
    fn now(&self) -> Instant {
        Instant(self.nanoseconds.get())
    }

    fn wall_clock(&self) -> i64 {
        NOW + i64::try_from(self.elapsed().as_secs()).expect("a short test")
    }

    async fn sleep_until(&self, until: Instant) {
        self.wait_until(until.0).await;
    }

    async fn exchange(&self, request: &Request<'_>, until: Instant) -> Result<Answer, NoAnswer> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("text");
        let scheme = if request.base.is_https { "https" } else { "http" };
        let sent = Sent {
            method: request.method,
            url: format!("{scheme}://{}{}", request.base.authority, request.path_with_query),
            headers: request.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            body: request.body.as_ref().map(text),
            until: until.0 / 1_000_000,
        };
        self.sent.borrow_mut().push(sent.clone());
        let scripted = self.replies.borrow_mut().pop_front();
        let reply = scripted.or_else(|| self.rule.as_ref().map(|rule| rule(&sent)));
        let Reply { what, after } = reply.unwrap_or_else(|| panic!("a request beyond the script: {}", sent.line()));
        self.under_way.set(self.under_way.get() + 1);
        self.most_under_way.set(self.most_under_way.get().max(self.under_way.get()));
        let ready = self.now().after(after);
        self.wait_until(ready.min(until).0).await;
        self.under_way.set(self.under_way.get() - 1);
        if ready > until {
            return Err(NoAnswer { cause: Cause::TimedOut("no answer came in time"), head: None });
        }
        match what {
            What::Answer { status, headers, body } => {
                Ok(Answer { head: Head { status, headers: Box::new(headers) }, body })
            }
            What::Failure(cause, status) => Err(NoAnswer { cause, head: status.map(head) }),
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.environment_reads.set(self.environment_reads.get() + 1);
        self.environment.clone()
    }
}
