//! How a call is carried out: the options of the call first, then the environment, then the defaults.
//!
//! A base URL never stands without a credential: one of the options comes with the credential of the caller, and the
//! credential of the environment goes to the base URL of the environment and nowhere else. What the deployer allows
//! confines every call that does not bring a credential of its own.

use std::time::Duration;

use crate::contract::types::{ErrorKind, RequestOptions, Scope};
use crate::failure::{Failure, Result};
use crate::request::ids::{check_scope, scope_argument};
use crate::request::{Authority, BaseUrl, Credentials, Function, headers};

const DEFAULT_BASE_URL: &str = "https://api.cloudflare.com/client/v4";
const FEDRAMP_BASE_URL: &str = "https://api.fed.cloudflare.com/client/v4";
const BASE_URL: &str = "CLOUDFLARE_BASE_URL";
const API_BASE_URL: &str = "CLOUDFLARE_API_BASE_URL";
const REGION: &str = "CLOUDFLARE_COMPLIANCE_REGION";

const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
const DEFAULT_RETRIES: u32 = 2;
const RETRIES_LIMIT: u32 = 10;
/// Values of additional headers may be credentials for a proxy. Shorter ones are none, and would make holes in every
/// text.
const SHORTEST_SECRET_HEADER: usize = 8;

/// The environment variables that the host grants. White space and a byte-order mark at the ends of a value are what
/// files and shells leave there, and are taken off.
pub struct Environment(pub Vec<(String, String)>);

impl Environment {
    /// Returns the value of a variable. One without a value counts as absent. Two values for one variable are refused,
    /// since either may be the one that is meant to confine the component.
    pub fn get(&self, name: &str) -> Result<Option<&str>> {
        let is_blank = |character: char| character.is_whitespace() || character == '\u{feff}';
        let mut values =
            self.0.iter().filter(|(variable, _)| variable == name).map(|(_, value)| value.trim_matches(is_blank));
        let first = values.next();
        if values.any(|value| Some(value) != first) {
            return Err(Failure::configuration(format!("{name} is set twice, with different values: set it once")));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }
}

/// Everything that a call needs besides its arguments.
pub struct Settings {
    pub scope: Scope,
    pub base: BaseUrl,
    pub credentials: Credentials,
    pub authority: Authority,
    pub timeout: Duration,
    /// None: as long as the request allows.
    pub attempt_timeout: Option<Duration>,
    pub retries: u32,
    /// Additional headers, with names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Settings {
    /// Resolves the settings of a call. The environment is read only where the options leave something to it.
    pub fn resolve(
        scope: Scope,
        options: Option<RequestOptions>,
        environment: impl FnOnce() -> Vec<(String, String)>,
    ) -> Result<Self> {
        let RequestOptions { endpoint, timeout_ms, attempt_timeout_ms, max_retries, headers } =
            options.unwrap_or_default();
        let (own, url) = endpoint.map_or((None, None), |endpoint| (Some(endpoint.credentials), endpoint.base_url));
        let own = own.map(Credentials::given).transpose()?;
        let is_confined = own.as_ref().is_none_or(|own| *own == Credentials::Host);
        let environment = Environment(if is_confined || url.is_none() { environment() } else { Vec::new() });
        let credentials = own.map_or_else(|| Credentials::from_environment(&environment), Ok)?;
        let resolve = || -> Result<_> {
            let base = url.map_or_else(|| base_url(&environment), |url| BaseUrl::parse("endpoint.base-url", &url))?;
            for part in [base.authority.as_str(), &base.path] {
                credentials.refuse_in(ErrorKind::InvalidConfiguration, "the base URL", part)?;
            }
            let authority = if is_confined { Authority::from_environment(&environment)? } else { Authority::default() };
            let timeout = milliseconds("timeout-ms", timeout_ms)?.unwrap_or(DEFAULT_TIMEOUT);
            let attempt_timeout = milliseconds("attempt-timeout-ms", attempt_timeout_ms)?;
            let headers = headers::check(headers.unwrap_or_default(), &credentials)?;
            Ok((base, authority, timeout, attempt_timeout, retries(max_retries)?, headers))
        };
        match resolve() {
            Ok((base, authority, timeout, attempt_timeout, retries, headers)) => {
                Ok(Self { scope, base, credentials, authority, timeout, attempt_timeout, retries, headers })
            }
            Err(mut failure) => {
                failure.secrets.extend(credentials.secrets().map(str::to_owned));
                Err(failure)
            }
        }
    }

    /// Returns what must not appear in anything that the caller sees: the credential, and the values of additional
    /// headers.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let is_secret =
            |(name, value): &&(String, String)| name != "user-agent" && value.len() >= SHORTEST_SECRET_HEADER;
        self.credentials.secrets().chain(self.headers.iter().filter(is_secret).map(|(_, value)| value.as_str()))
    }

    /// Checks the scope, and that the function may be called in it.
    pub fn check_scope(&self, function: Function) -> Result<()> {
        let (argument, id) = scope_argument(&self.scope);
        self.refuse_credential(argument, id)?;
        check_scope(&self.scope)?;
        self.authority.admit(function, &self.scope)
    }

    /// Refuses an argument that becomes a part of a URL and holds the credential.
    pub fn refuse_credential(&self, argument: &str, text: &str) -> Result<()> {
        self.credentials.refuse_in(ErrorKind::InvalidArgument, argument, text)
    }
}

/// Returns the base URL of the environment. Whichever variables name one must name the same.
fn base_url(environment: &Environment) -> Result<BaseUrl> {
    let region = match environment.get(REGION)? {
        None | Some("public") => None,
        Some("fedramp_high") => Some(FEDRAMP_BASE_URL),
        Some(value) => {
            return Err(Failure::configuration(REGION).with_value(value, "the values are `fedramp_high` and `public`"));
        }
    };
    let mut found: Option<(&str, BaseUrl)> = None;
    for (source, url) in
        [(BASE_URL, environment.get(BASE_URL)?), (API_BASE_URL, environment.get(API_BASE_URL)?), (REGION, region)]
    {
        let Some(url) = url else { continue };
        let base = BaseUrl::parse(source, url)?;
        match &found {
            Some((other, first)) if *first != base => {
                let message = format!("{other} and {source} name different addresses of the API: unset one");
                return Err(Failure::configuration(message));
            }
            _ => found = Some((source, base)),
        }
    }
    found.map_or_else(|| BaseUrl::parse("the default", DEFAULT_BASE_URL), |(_, base)| Ok(base))
}

fn milliseconds(option: &str, given: Option<u32>) -> Result<Option<Duration>> {
    match given {
        Some(0) => Err(Failure::number(option, 0, "no call is that fast, give milliseconds from 1")),
        given => Ok(given.map(|milliseconds| Duration::from_millis(milliseconds.into()))),
    }
}

fn retries(given: Option<u32>) -> Result<u32> {
    match given {
        Some(number) if number > RETRIES_LIMIT => {
            let rule = format_args!("at most {RETRIES_LIMIT}, since every try counts against the API's rate limit");
            Err(Failure::number("max-retries", number, rule))
        }
        given => Ok(given.unwrap_or(DEFAULT_RETRIES)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{Credentials as GivenCredentials, Endpoint, Header};
    use crate::response::Redactor;

    const TOKEN: (&str, &str) = ("CLOUDFLARE_API_TOKEN", "t0ken");

    fn scope() -> Scope {
        Scope::Account("a".into())
    }

    fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn with_environment(variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::resolve(scope(), None, || owned(variables))
    }

    fn endpoint(credentials: GivenCredentials, base_url: Option<&str>) -> RequestOptions {
        let endpoint = Endpoint { credentials, base_url: base_url.map(str::to_owned) };
        RequestOptions { endpoint: Some(endpoint), ..RequestOptions::default() }
    }

    fn refusal(result: Result<Settings>) -> String {
        let invalid = result.err().expect("accepted");
        assert!(matches!(invalid.error.kind, ErrorKind::InvalidConfiguration | ErrorKind::InvalidArgument));
        Redactor::new(invalid.secrets.clone()).message(&invalid)
    }

    fn url(base: &BaseUrl) -> String {
        format!("{}{}{}", if base.is_https { "https://" } else { "http://" }, base.authority, base.path)
    }

    #[test]
    fn the_environment_says_where_its_credential_goes() {
        for (variables, expected) in [
            (&[TOKEN][..], DEFAULT_BASE_URL),
            (&[TOKEN, (BASE_URL, "http://127.0.0.1:8787/client/v4/\n")], "http://127.0.0.1:8787/client/v4"),
            (&[TOKEN, (API_BASE_URL, "https://proxy.example/v4")], "https://proxy.example/v4"),
            (&[TOKEN, (REGION, "fedramp_high")], FEDRAMP_BASE_URL),
            (&[TOKEN, (REGION, "public")], DEFAULT_BASE_URL),
            (&[TOKEN, (REGION, "public"), (BASE_URL, "https://a.example")], "https://a.example"),
            (
                &[TOKEN, (REGION, "fedramp_high"), (BASE_URL, "https://api.fed.cloudflare.com/client/v4/")],
                FEDRAMP_BASE_URL,
            ),
            (&[TOKEN, (BASE_URL, "https://a.example"), (API_BASE_URL, "https://a.example/")], "https://a.example"),
        ] {
            assert_eq!(url(&with_environment(variables).expect("accepted").base), expected);
        }
    }

    #[test]
    fn contradictions_and_unknown_regions_are_refused_by_the_names_of_their_variables() {
        for (variables, names) in [
            (
                &[TOKEN, (BASE_URL, "https://a.example"), (API_BASE_URL, "https://b.example")][..],
                &[BASE_URL, API_BASE_URL][..],
            ),
            (&[TOKEN, (REGION, "fedramp_high"), (BASE_URL, "https://a.example")], &[BASE_URL, REGION]),
            (&[TOKEN, (REGION, "fedramp_high"), (API_BASE_URL, DEFAULT_BASE_URL)], &[API_BASE_URL, REGION]),
            (&[TOKEN, (REGION, "fedramp-high")], &[REGION]),
            (&[TOKEN, (REGION, "FEDRAMP_HIGH")], &[REGION]),
            (&[TOKEN, (BASE_URL, "http://a.example")], &[BASE_URL]),
        ] {
            let message = refusal(with_environment(variables));
            assert!(names.iter().all(|name| message.contains(name)), "{message}");
        }
    }

    #[test]
    fn an_endpoint_of_the_caller_takes_nothing_from_the_environment_but_its_base_url() {
        let variables =
            || owned(&[TOKEN, (BASE_URL, "https://a.example"), ("CLOUDFLARE_API_KEY", "k3y"), (REGION, "x")]);
        let own = GivenCredentials::ApiToken("other".into());
        let given = endpoint(own.clone(), Some("http://localhost:8787/client/v4/"));
        let settings = Settings::resolve(scope(), Some(given), || panic!("the environment is read")).expect("accepted");
        assert_eq!(url(&settings.base), "http://localhost:8787/client/v4");
        assert_eq!(settings.secrets().collect::<Vec<_>>(), ["other"]);
        assert!(refusal(Settings::resolve(scope(), Some(endpoint(own.clone(), None)), variables)).contains(REGION));
        let without_region = || owned(&[TOKEN, (BASE_URL, "https://a.example")]);
        let settings = Settings::resolve(scope(), Some(endpoint(own, None)), without_region).expect("accepted");
        assert_eq!(
            (url(&settings.base).as_str(), settings.secrets().collect::<Vec<_>>()),
            ("https://a.example", vec!["other"])
        );
    }

    #[test]
    fn the_deployer_confines_its_own_credential_and_that_of_the_host_and_no_other() {
        let variables = || owned(&[TOKEN, ("CLOUDFLARE_ACCESS_OPERATIONS", "read")]);
        let is_admitted = |options| {
            let settings = Settings::resolve(scope(), options, variables).expect("accepted");
            settings.authority.admit(Function::Delete, &Scope::Account("a".into())).is_ok()
        };
        let own = || GivenCredentials::ApiToken("other".into());
        assert!(!is_admitted(None));
        assert!(!is_admitted(Some(endpoint(GivenCredentials::Host, None))));
        assert!(!is_admitted(Some(endpoint(GivenCredentials::Host, Some("https://a.example")))));
        assert!(is_admitted(Some(endpoint(own(), None))));
        assert!(is_admitted(Some(endpoint(own(), Some("https://a.example")))));
    }

    #[test]
    fn times_and_retries_have_bounds() {
        let host = || endpoint(GivenCredentials::Host, Some("https://a.example"));
        for (given, expected) in [
            (RequestOptions { timeout_ms: Some(0), ..host() }, "timeout-ms is 0"),
            (RequestOptions { attempt_timeout_ms: Some(0), ..host() }, "attempt-timeout-ms is 0"),
            (RequestOptions { max_retries: Some(11), ..host() }, "max-retries is 11: at most 10"),
        ] {
            assert!(refusal(Settings::resolve(scope(), Some(given), Vec::new)).starts_with(expected));
        }
        let settings = Settings::resolve(scope(), Some(host()), Vec::new).expect("accepted");
        assert_eq!((settings.timeout, settings.retries), (Duration::from_mins(1), 2));
    }

    #[test]
    fn credentials_and_longer_values_of_headers_are_secrets() {
        let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
        let headers = Some(vec![header("x-proxy", "hunter2hunter2"), header("x-short", "1234567")]);
        let own = endpoint(GivenCredentials::ApiToken("t".into()), Some("https://a.example"));
        let settings = Settings::resolve(scope(), Some(RequestOptions { headers, ..own }), Vec::new).expect("accepted");
        assert_eq!(settings.secrets().collect::<Vec<_>>(), ["t", "hunter2hunter2"]);
    }

    #[test]
    fn what_files_and_shells_leave_at_the_ends_is_taken_off() {
        for value in ["tok", "tok\n", "tok\r\n", "\u{feff}tok", " tok\t", "\u{a0}tok\r"] {
            let environment = Environment(vec![("A".into(), "x".into()), ("B".into(), value.into())]);
            assert_eq!(environment.get("B").expect("one value"), Some("tok"), "{value:?}");
        }
    }

    #[test]
    fn a_variable_without_a_value_is_absent() {
        for value in ["", " ", "\r\n", "\u{feff}"] {
            let environment = Environment(vec![("B".into(), value.into())]);
            let get = |name| environment.get(name).expect("no two values");
            assert_eq!((get("B"), get("C")), (None, None), "{value:?}");
        }
    }
}
