//! The host of the unit tests: answers from a script, a clock that only waits move, and a record of what was sent.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::bindings::exports::cloudflare::access::types::{Credentials, RequestOptions};
use crate::host::{Answer, Cause, Duration, Failure, Headers, Host, Instant, Limits, Request};
use crate::settings::no_options;

/// The options of a call that sends no credential, to an API that only the script knows.
pub fn options() -> RequestOptions {
    RequestOptions { credentials: Some(Credentials::Host), base_url: Some("https://a.example".into()), ..no_options() }
}

/// What the host answers to a request.
#[derive(Clone)]
pub enum Reply {
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    Failure(Cause),
}

impl Reply {
    pub fn json(status: u16, body: &str) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    pub fn with_header(self, name: &str, value: &str) -> Self {
        match self {
            Self::Answer { status, mut headers, body } => {
                headers.push((name.to_owned(), value.to_owned()));
                Self::Answer { status, headers, body }
            }
            failure @ Self::Failure(_) => failure,
        }
    }
}

type Rule = Box<dyn Fn(&str) -> Reply>;

#[derive(Default)]
pub struct ScriptedHost {
    environment: Vec<(String, String)>,
    environment_reads: Cell<u32>,
    replies: RefCell<VecDeque<Reply>>,
    then: RefCell<Option<Rule>>,
    paths: RefCell<Vec<String>>,
    limits: RefCell<Vec<Limits>>,
    clock: Cell<u64>,
}

impl ScriptedHost {
    pub fn with_environment(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { environment: variables.iter().map(owned).collect(), ..Self::default() }
    }

    pub fn with_replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { replies: RefCell::new(replies.into_iter().collect()), ..Self::default() }
    }

    /// What to answer, by path, when the script has ended.
    pub fn then_repeat(&self, rule: impl Fn(&str) -> Reply + 'static) {
        *self.then.borrow_mut() = Some(Box::new(rule));
    }

    pub fn environment_reads(&self) -> u32 {
        self.environment_reads.get()
    }

    pub fn paths(&self) -> Vec<String> {
        self.paths.borrow().clone()
    }

    pub fn limits(&self) -> Vec<Limits> {
        self.limits.borrow().clone()
    }

    /// How long the call has waited in all.
    pub fn waited(&self) -> Duration {
        Duration(self.clock.get())
    }
}

impl Headers for Vec<(String, String)> {
    fn get(&self, name: &str) -> Option<String> {
        self.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

impl Host for ScriptedHost {
    type Headers = Vec<(String, String)>;

    fn now(&self) -> Instant {
        Instant(self.clock.get())
    }

    fn wall_clock(&self) -> i64 {
        1_795_514_400
    }

    fn random(&self) -> u64 {
        7
    }

    /// Nothing here ever waits.
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("nothing here ever waits"),
        }
    }

    async fn sleep_until(&self, until: Instant) {
        self.clock.set(self.clock.get().max(until.0));
    }

    async fn exchange(
        &self,
        request: &Request<'_>,
        limits: Limits,
    ) -> Result<Answer<Self::Headers>, Failure<Self::Headers>> {
        let path = request.path_with_query.clone();
        self.paths.borrow_mut().push(path.clone());
        self.limits.borrow_mut().push(limits);
        let scripted = self.replies.borrow_mut().pop_front();
        let reply = scripted.or_else(|| self.then.borrow().as_ref().map(|rule| rule(&path)));
        match reply.expect("a request beyond the script") {
            Reply::Answer { status, headers, body } => Ok(Answer { status, headers, body }),
            Reply::Failure(cause) => {
                if matches!(cause, Cause::TimedOut(_)) {
                    self.sleep_until(limits.until).await;
                }
                Err(Failure { cause, head: None })
            }
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.environment_reads.set(self.environment_reads.get() + 1);
        self.environment.clone()
    }
}
