//! How a call is carried out: the options of the call first, then the environment, then the defaults.
//!
//! The environment is read only where the options leave the credential or the base URL out. Exactly one complete
//! credential is accepted; a mixture is refused, because the clients that pick one of several pick different ones. The
//! credential of the environment is sent to the base URL of the environment and nowhere else, so options that name a base
//! URL must bring a credential. No message repeats the value of a credential, nor a base URL that could hold one.

use std::borrow::Cow;

use crate::arguments::quoted;
use crate::base_url::BaseUrl;
use crate::bindings::exports::cloudflare::access::types::{Credentials as GivenCredentials, RequestOptions};
use crate::error::Invalid;
use crate::host::{Duration, Host};
use crate::secret::Secret;
use crate::text::{decimal, joined};

const BASE_URL: &str = "CLOUDFLARE_BASE_URL";
/// Another name for the same, which Cloudflare's own tools read.
const API_BASE_URL: &str = "CLOUDFLARE_API_BASE_URL";
const COMPLIANCE_REGION: &str = "CLOUDFLARE_COMPLIANCE_REGION";
const DEFAULT_BASE_URL: &str = "https://api.cloudflare.com/client/v4";
const FEDRAMP_HIGH_BASE_URL: &str = "https://api.fed.cloudflare.com/client/v4";
const DEFAULT_TIMEOUT_MS: u32 = 60_000;
const DEFAULT_RETRIES: u32 = 2;
const RETRIES_LIMIT: u32 = 10;
/// Several times what any API token has.
const CREDENTIAL_LIMIT: usize = 4096;
/// All additional headers together, in bytes and in number. A host may end the component over a larger block.
const HEADERS_LIMIT: usize = 16 * 1024;
const HEADERS_COUNT: usize = 64;
const USER_AGENT: &str = concat!("cloudflare-access/", env!("CARGO_PKG_VERSION"));

/// Everything a call needs besides its arguments.
pub struct Settings {
    pub base: BaseUrl,
    pub credentials: Credentials,
    pub timeout: Duration,
    /// None: as long as the operation allows.
    pub attempt_timeout: Option<Duration>,
    pub retries: u32,
    pub user_agent: Cow<'static, str>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

/// One complete credential, or the host's word that it adds one.
#[derive(Debug, PartialEq)]
pub enum Credentials {
    ApiToken(Secret),
    ApiKey { email: String, key: Secret },
    Host,
}

impl Settings {
    pub fn resolve(options: Option<RequestOptions>, host: &impl Host) -> Result<Self, Invalid> {
        let options = options.unwrap_or_else(no_options);
        let environment = match (&options.credentials, &options.base_url) {
            (Some(_), Some(_)) => Environment(Vec::new()),
            (None, Some(_)) => {
                return Err(Invalid::configuration(&[
                    "base-url is given without credentials: the credential of the environment is sent only to the base URL \
                     of the environment; pass `credentials` with `base-url`, or set CLOUDFLARE_BASE_URL in the environment",
                ]));
            }
            (_, None) => Environment(host.environment()),
        };
        let credentials = match options.credentials {
            Some(given) => Credentials::given(given)?,
            None => Credentials::from_environment(&environment)?,
        };
        let base = match &options.base_url {
            Some(url) => BaseUrl::parse("base-url", url)?,
            None => environment.base_url()?,
        };
        let (user_agent, headers) = additional_headers(options.headers)?;
        Ok(Self {
            base,
            credentials,
            timeout: milliseconds("timeout-ms", options.timeout_ms)?
                .unwrap_or(Duration::from_millis(DEFAULT_TIMEOUT_MS.into())),
            attempt_timeout: milliseconds("attempt-timeout-ms", options.attempt_timeout_ms)?,
            retries: retries(options.max_retries)?,
            user_agent: user_agent.map_or(Cow::Borrowed(USER_AGENT), Cow::Owned),
            headers,
        })
    }
}

/// Options that say nothing: the environment and the defaults decide.
pub fn no_options() -> RequestOptions {
    RequestOptions {
        credentials: None,
        base_url: None,
        timeout_ms: None,
        attempt_timeout_ms: None,
        max_retries: None,
        headers: Vec::new(),
    }
}

/// The variables that the host grants. An empty one counts as absent.
struct Environment(Vec<(String, String)>);

impl Environment {
    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(variable, value)| variable == name && !value.is_empty())?;
        Some(value)
    }

    /// The one base URL that the variables name, or the default. Two that differ are refused: a credential of one API is not
    /// sent to another.
    fn base_url(&self) -> Result<BaseUrl, Invalid> {
        let mut named: Option<(&str, BaseUrl)> = None;
        for name in [BASE_URL, API_BASE_URL, COMPLIANCE_REGION] {
            let Some(value) = self.get(name) else { continue };
            let url = BaseUrl::parse(name, if name == COMPLIANCE_REGION { base_url_of_region(value)? } else { value })?;
            match &named {
                Some((_, first)) if *first == url => {}
                Some((first, _)) => return Err(contradiction(first, name)),
                None => named = Some((name, url)),
            }
        }
        named.map_or_else(|| BaseUrl::parse("the default base URL", DEFAULT_BASE_URL), |(_, url)| Ok(url))
    }
}

/// Where the API of a compliance region is.
fn base_url_of_region(region: &str) -> Result<&'static str, Invalid> {
    match region {
        "public" => Ok(DEFAULT_BASE_URL),
        "fedramp_high" => Ok(FEDRAMP_HIGH_BASE_URL),
        _ => {
            let rule = ": the regions are `public` and `fedramp_high`; for another API set CLOUDFLARE_BASE_URL alone";
            Err(Invalid::configuration(&[COMPLIANCE_REGION, " is ", &quoted(region), rule]))
        }
    }
}

fn contradiction(first: &str, second: &str) -> Invalid {
    let what = " name different APIs: unset one of them, since a credential of one API must not be sent to the other";
    Invalid::configuration(&[first, " and ", second, what])
}

impl Credentials {
    fn given(given: GivenCredentials) -> Result<Self, Invalid> {
        match given {
            GivenCredentials::ApiToken(token) => Self::api_token("credentials.api-token", &token),
            GivenCredentials::ApiKey(pair) => {
                Self::api_key(("credentials.api-key.email", &pair.email), ("credentials.api-key.key", &pair.key))
            }
            GivenCredentials::Host => Ok(Self::Host),
        }
    }

    fn from_environment(environment: &Environment) -> Result<Self, Invalid> {
        const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
        const KEY: &str = "CLOUDFLARE_API_KEY";
        const EMAIL: &str = "CLOUDFLARE_EMAIL";
        match (environment.get(TOKEN), environment.get(KEY), environment.get(EMAIL)) {
            (Some(token), None, _) => Self::api_token(TOKEN, token),
            (None, Some(key), Some(email)) => Self::api_key((EMAIL, email), (KEY, key)),
            (Some(_), Some(_), _) => Err(Invalid::configuration(&[
                "CLOUDFLARE_API_TOKEN and CLOUDFLARE_API_KEY are both set: unset one, since which one the API would take is not \
                 defined",
            ])),
            (None, Some(_), None) => Err(Invalid::configuration(&[
                "CLOUDFLARE_API_KEY is set without CLOUDFLARE_EMAIL: set both, or CLOUDFLARE_API_TOKEN alone",
            ])),
            (None, None, Some(_)) => Err(Invalid::configuration(&[
                "CLOUDFLARE_EMAIL is set without CLOUDFLARE_API_KEY: set both, or CLOUDFLARE_API_TOKEN alone",
            ])),
            (None, None, None) if environment.get("CLOUDFLARE_API_USER_SERVICE_KEY").is_some() => {
                Err(Invalid::configuration(&[
                    "only CLOUDFLARE_API_USER_SERVICE_KEY is set, and service keys stopped working on 2026-09-30: set \
                     CLOUDFLARE_API_TOKEN",
                ]))
            }
            (None, None, None) => Err(Invalid::configuration(&[
                "no credential: set CLOUDFLARE_API_TOKEN, or CLOUDFLARE_API_KEY with CLOUDFLARE_EMAIL, or pass `credentials`",
            ])),
        }
    }

    fn api_token(source: &str, token: &str) -> Result<Self, Invalid> {
        let token = credential(source, token)?;
        let scheme = token.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
        if scheme {
            return Err(Invalid::configuration(&[source, " begins with \"Bearer\": give the token alone"]));
        }
        Ok(Self::ApiToken(Secret::new(token.to_owned())))
    }

    fn api_key((email_source, email): (&str, &str), (key_source, key): (&str, &str)) -> Result<Self, Invalid> {
        Ok(Self::ApiKey {
            email: credential(email_source, email)?.to_owned(),
            key: Secret::new(credential(key_source, key)?.to_owned()),
        })
    }
}

impl Settings {
    /// What must not appear in anything that leaves the guest towards the caller: the credential, the values of additional
    /// headers, which may be credentials for a proxy, and the client secrets that answers of the call have `shown`. Shorter
    /// values are none, and would make holes in every text.
    pub fn secrets<'s>(&'s self, shown: &'s [String]) -> Vec<&'s str> {
        const SHORTEST: usize = 8;
        let mut secrets = Vec::new();
        match &self.credentials {
            Credentials::ApiToken(secret) => secrets.push(secret.reveal()),
            Credentials::ApiKey { email, key } => secrets.extend([key.reveal(), email]),
            Credentials::Host => {}
        }
        let values = self.headers.iter().map(|(_, value)| value.as_str());
        let shown = shown.iter().map(String::as_str);
        secrets.extend(values.chain(shown).filter(|value| value.len() >= SHORTEST));
        secrets
    }
}

/// A part of a credential, fit for a header value.
fn credential<'a>(source: &str, value: &'a str) -> Result<&'a str, Invalid> {
    if value.is_empty() {
        return Err(Invalid::configuration(&[source, " is empty"]));
    }
    if value.len() > CREDENTIAL_LIMIT {
        return Err(Invalid::configuration(&[source, " is longer than ", &decimal(CREDENTIAL_LIMIT), " bytes"]));
    }
    header_value(source, value)?;
    if value.trim_ascii() != value {
        return Err(Invalid::configuration(&[source, " begins or ends with a space"]));
    }
    Ok(value)
}

/// Accepts visible ASCII and spaces. The value may be secret, so the message tells only where it breaks the rule.
fn header_value(source: &str, value: &str) -> Result<(), Invalid> {
    match value.bytes().position(|byte| !matches!(byte, b' '..=b'~')) {
        None => Ok(()),
        Some(position) => {
            let (before, after) =
                (" has a character that no header can carry, after ", " good ones (a line break at the end?)");
            Err(Invalid::configuration(&[source, before, &decimal(position), after]))
        }
    }
}

type AdditionalHeaders = (Option<String>, Vec<(String, String)>);

/// The headers of the options: the user agent among them, and the others.
fn additional_headers(given: Vec<(String, String)>) -> Result<AdditionalHeaders, Invalid> {
    const OURS: [&str; 22] = [
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-auth-email",
        "x-auth-key",
        "x-auth-user-service-key",
    ];
    let size =
        given.iter().fold(0_usize, |size, (name, value)| size.saturating_add(name.len()).saturating_add(value.len()));
    if given.len() > HEADERS_COUNT || size > HEADERS_LIMIT {
        let [count, size, most, largest] = [given.len(), size, HEADERS_COUNT, HEADERS_LIMIT].map(decimal);
        let parts = [
            "headers: ",
            &count,
            " with ",
            &size,
            " bytes, and at most ",
            &most,
            " with ",
            &largest,
            " bytes can be sent",
        ];
        return Err(Invalid::configuration(&parts));
    }
    let mut user_agent = None;
    let mut headers = Vec::new();
    for (name, value) in given {
        let name = name.to_ascii_lowercase();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(Invalid::configuration(&["headers: ", &quoted(&name), " is no name of a header"]));
        }
        if OURS.contains(&name.as_str()) {
            let rule = " is set by the component or by HTTP itself; credentials go into `credentials`";
            return Err(Invalid::configuration(&["headers: ", &name, rule]));
        }
        header_value(&joined(&["headers: ", &name]), &value)?;
        match name.as_str() {
            "user-agent" => user_agent = Some(value),
            _ => headers.push((name, value)),
        }
    }
    Ok((user_agent, headers))
}

fn milliseconds(option: &str, given: Option<u32>) -> Result<Option<Duration>, Invalid> {
    match given {
        Some(0) => Err(Invalid::argument(&[option, " is 0: no call is that fast, give milliseconds from 1"])),
        given => Ok(given.map(|milliseconds| Duration::from_millis(milliseconds.into()))),
    }
}

fn retries(given: Option<u32>) -> Result<u32, Invalid> {
    match given {
        Some(number) if number > RETRIES_LIMIT => {
            let why = ", since every try counts against the API's rate limit";
            let parts = ["max-retries is ", &decimal(number), ": at most ", &decimal(RETRIES_LIMIT), why];
            Err(Invalid::argument(&parts))
        }
        given => Ok(given.unwrap_or(DEFAULT_RETRIES)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::exports::cloudflare::access::types::ApiKey;
    use crate::scripted_host::ScriptedHost;

    fn with_environment(variables: &[(&str, &str)]) -> Result<Settings, Invalid> {
        Settings::resolve(None, &ScriptedHost::with_environment(variables))
    }

    fn refusal<T>(result: Result<T, Invalid>) -> String {
        match result {
            Ok(_) => panic!("accepted"),
            Err(invalid) => invalid.message(),
        }
    }

    #[test]
    fn one_complete_credential_of_the_environment_is_taken() {
        let token = Credentials::ApiToken(Secret::new("t0ken".into()));
        let key = Credentials::ApiKey { email: "a@b.example".into(), key: Secret::new("k3y".into()) };
        for (variables, credentials) in [
            (&[("CLOUDFLARE_API_TOKEN", "t0ken")][..], &token),
            (&[("CLOUDFLARE_API_TOKEN", "t0ken"), ("CLOUDFLARE_EMAIL", "a@b.example")], &token),
            (&[("CLOUDFLARE_API_TOKEN", "t0ken"), ("CLOUDFLARE_API_KEY", "")], &token),
            (&[("CLOUDFLARE_API_KEY", "k3y"), ("CLOUDFLARE_EMAIL", "a@b.example")], &key),
        ] {
            assert_eq!(&with_environment(variables).expect("refused").credentials, credentials);
        }
    }

    #[test]
    fn every_wrong_mixture_is_refused_by_its_names_and_without_its_values() {
        for (variables, expected) in [
            (&[][..], "no credential: set CLOUDFLARE_API_TOKEN, or CLOUDFLARE_API_KEY with CLOUDFLARE_EMAIL"),
            (&[("CLOUDFLARE_API_TOKEN", "")], "no credential"),
            (&[("CLOUDFLARE_API_KEY", "s3cret")], "CLOUDFLARE_API_KEY is set without CLOUDFLARE_EMAIL"),
            (&[("CLOUDFLARE_EMAIL", "s3cret")], "CLOUDFLARE_EMAIL is set without CLOUDFLARE_API_KEY"),
            (&[("CLOUDFLARE_API_TOKEN", "s3cret"), ("CLOUDFLARE_API_KEY", "s3cret")], "are both set"),
            (
                &[("CLOUDFLARE_API_TOKEN", "s3cret"), ("CLOUDFLARE_API_KEY", "s3cret"), ("CLOUDFLARE_EMAIL", "s3cret")],
                "are both set",
            ),
            (&[("CLOUDFLARE_API_USER_SERVICE_KEY", "s3cret")], "service keys stopped working on 2026-09-30"),
            (
                &[("CLOUDFLARE_API_TOKEN", "s3cret\n")],
                "CLOUDFLARE_API_TOKEN has a character that no header can carry, after 6 good",
            ),
            (&[("CLOUDFLARE_API_TOKEN", " s3cret")], "CLOUDFLARE_API_TOKEN begins or ends with a space"),
            (&[("CLOUDFLARE_API_TOKEN", "Bearer s3cret")], "begins with \"Bearer\""),
            (
                &[("CLOUDFLARE_API_KEY", "s3cret"), ("CLOUDFLARE_EMAIL", "s3cret\r\nx: y")],
                "CLOUDFLARE_EMAIL has a character",
            ),
        ] {
            let message = refusal(with_environment(variables));
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn options_win_over_the_environment_and_spare_reading_it() {
        let host = ScriptedHost::with_environment(&[("CLOUDFLARE_API_TOKEN", "t0ken"), ("CLOUDFLARE_API_KEY", "k3y")]);
        let given = RequestOptions {
            credentials: Some(GivenCredentials::ApiKey(ApiKey { email: "a@b.example".into(), key: "other".into() })),
            base_url: Some("http://localhost:8787/client/v4/".into()),
            ..no_options()
        };
        let settings = Settings::resolve(Some(given), &host).expect("refused");
        let key = Credentials::ApiKey { email: "a@b.example".into(), key: Secret::new("other".into()) };
        assert_eq!(settings.credentials, key);
        assert_eq!(settings.base.path, "/client/v4");
        assert_eq!(host.environment_reads(), 0);
    }

    #[test]
    fn a_base_url_of_the_caller_needs_a_credential_of_the_caller() {
        let host = ScriptedHost::with_environment(&[("CLOUDFLARE_API_TOKEN", "s3cret")]);
        let given = RequestOptions { base_url: Some("https://caller.example".into()), ..no_options() };
        let message = refusal(Settings::resolve(Some(given), &host));
        assert!(message.contains("pass `credentials` with `base-url`"), "{message}");
        assert_eq!(host.environment_reads(), 0);
    }

    #[test]
    fn the_variables_of_the_base_url_name_one_api() {
        const OTHER: &str = "https://other.example/client/v4";
        let at = |variables: &[(&str, &str)]| {
            with_environment(&[variables, &[("CLOUDFLARE_API_TOKEN", "t0ken")]].concat()).map(|settings| settings.base)
        };
        for (variables, expected) in [
            (&[][..], DEFAULT_BASE_URL),
            (&[(BASE_URL, OTHER)], OTHER),
            (&[(API_BASE_URL, OTHER)], OTHER),
            (&[(BASE_URL, OTHER), (API_BASE_URL, "https://other.example/client/v4/")], OTHER),
            (&[(COMPLIANCE_REGION, "fedramp_high")], FEDRAMP_HIGH_BASE_URL),
            (&[(COMPLIANCE_REGION, "public")], DEFAULT_BASE_URL),
            (&[(COMPLIANCE_REGION, "")], DEFAULT_BASE_URL),
            (&[(COMPLIANCE_REGION, "fedramp_high"), (BASE_URL, FEDRAMP_HIGH_BASE_URL)], FEDRAMP_HIGH_BASE_URL),
        ] {
            let expected = BaseUrl::parse("u", expected).expect("a URL");
            assert_eq!(at(variables).expect("refused"), expected, "{variables:?}");
        }
        for (variables, expected) in [
            (&[(BASE_URL, DEFAULT_BASE_URL), (API_BASE_URL, OTHER)][..], [BASE_URL, API_BASE_URL]),
            (&[(BASE_URL, DEFAULT_BASE_URL), (COMPLIANCE_REGION, "fedramp_high")], [BASE_URL, COMPLIANCE_REGION]),
            (&[(API_BASE_URL, OTHER), (COMPLIANCE_REGION, "fedramp_high")], [API_BASE_URL, COMPLIANCE_REGION]),
            (
                &[(API_BASE_URL, FEDRAMP_HIGH_BASE_URL), (COMPLIANCE_REGION, "public")],
                [API_BASE_URL, COMPLIANCE_REGION],
            ),
            (&[(COMPLIANCE_REGION, "FedRAMP_high")], [COMPLIANCE_REGION, "`fedramp_high`"]),
            (&[(COMPLIANCE_REGION, "eu")], [COMPLIANCE_REGION, "\"eu\""]),
        ] {
            let message = refusal(at(variables));
            assert!(expected.iter().all(|part| message.contains(part)), "{message}");
        }
    }

    #[test]
    fn headers_cannot_carry_a_second_one_or_replace_ours() {
        for (name, value, expected) in [
            ("Authorization", "x", "authorization is set by the component"),
            ("X-Auth-Key", "x", "x-auth-key is set by"),
            ("Content-Length", "9", "content-length is set by"),
            (
                "x-a",
                "b\r\nAuthorization: c",
                "headers: x-a has a character that no header can carry, after 1 good ones",
            ),
            ("x-a", "\u{e9}", "headers: x-a has a character"),
            ("x-a\r\nb", "c", "is no name of a header"),
            ("", "c", "is no name of a header"),
            ("x a", "c", "is no name of a header"),
        ] {
            let credentials = Some(GivenCredentials::Host);
            let given = RequestOptions { credentials, headers: vec![(name.into(), value.into())], ..no_options() };
            let message = refusal(Settings::resolve(Some(given), &ScriptedHost::default()));
            assert!(message.contains(expected), "{message}");
        }
        let headers = vec![
            ("User-Agent".into(), "mine/1".into()),
            ("X-Trace".into(), "1".into()),
            ("x-trace".into(), "2".into()),
        ];
        let given = RequestOptions { credentials: Some(GivenCredentials::Host), headers, ..no_options() };
        let settings = Settings::resolve(Some(given), &ScriptedHost::default()).expect("refused");
        assert_eq!(settings.user_agent, "mine/1");
        assert_eq!(settings.headers, [("x-trace".into(), "1".into()), ("x-trace".into(), "2".to_string())]);
    }

    #[test]
    fn times_and_retries_have_bounds() {
        let credentials = || Some(GivenCredentials::Host);
        for (given, expected) in [
            (RequestOptions { timeout_ms: Some(0), ..no_options() }, "timeout-ms is 0"),
            (RequestOptions { attempt_timeout_ms: Some(0), ..no_options() }, "attempt-timeout-ms is 0"),
            (RequestOptions { max_retries: Some(11), ..no_options() }, "max-retries is 11: at most 10"),
        ] {
            let given = RequestOptions { credentials: credentials(), ..given };
            assert!(refusal(Settings::resolve(Some(given), &ScriptedHost::default())).starts_with(expected));
        }
    }
}
