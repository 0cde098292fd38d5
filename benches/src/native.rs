//! The baseline: hyper's pooled client, the same server, the same fields, and nothing that the component adds. No deadline, no
//! limit of an answer, no repeats, no reading of errors.

use anyhow::{Context, ensure};
use bytes::Bytes;
use cloudflare_access_simulator::API_TOKEN;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A client as an application would write it in an afternoon.
#[derive(Clone)]
pub struct NativeClient {
    http: Client<HttpConnector, Full<Bytes>>,
    tokens: String,
    authorization: String,
}

/// A service token with the fields that the contract names.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Token {
    pub id: String,
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    pub name: Option<String>,
    pub duration: Option<String>,
    pub enabled: Option<bool>,
    pub expires_at: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub last_seen_at: Option<String>,
    pub client_secret_version: Option<u32>,
    pub previous_client_secret_expires_at: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    success: bool,
    result: Option<T>,
    result_info: Option<ResultInfo>,
}

#[derive(Deserialize)]
struct ResultInfo {
    total_pages: u32,
}

impl NativeClient {
    /// A client for the tokens of one account, with the simulator's credential.
    #[must_use]
    pub fn new(base_url: &str, account_id: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            http: Client::builder(TokioExecutor::new()).build(connector),
            tokens: format!("{base_url}/accounts/{account_id}/access/service_tokens"),
            authorization: format!("Bearer {API_TOKEN}"),
        }
    }

    /// One token.
    ///
    /// # Errors
    /// No good answer.
    pub async fn get(&self, id: &str) -> anyhow::Result<Token> {
        self.send(Method::GET, &format!("/{id}"), None).await?.result.context("a token")
    }

    /// A new token.
    ///
    /// # Errors
    /// No good answer.
    pub async fn create(&self, name: &str) -> anyhow::Result<Token> {
        let body = serde_json::to_vec(&serde_json::json!({ "name": name }))?;
        let token: Token = self.send(Method::POST, "", Some(body)).await?.result.context("a token")?;
        ensure!(token.client_secret.is_some(), "no secret");
        Ok(token)
    }

    /// All tokens: the first page, and then as many of the others at once as `at_once` says.
    ///
    /// # Errors
    /// No good answer.
    pub async fn list_all(&self, per_page: u32, at_once: usize) -> anyhow::Result<Vec<Token>> {
        let (mut tokens, pages) = self.page(1, per_page).await?;
        let mut others = stream::iter(2..=pages).map(|page| self.page(page, per_page)).buffered(at_once);
        while let Some((more, _)) = others.try_next().await? {
            tokens.extend(more);
        }
        Ok(tokens)
    }

    /// The tokens of a page, and how many pages there are.
    async fn page(&self, page: u32, per_page: u32) -> anyhow::Result<(Vec<Token>, u32)> {
        let answer: Envelope<Vec<Token>> =
            self.send(Method::GET, &format!("?page={page}&per_page={per_page}"), None).await?;
        let pages = answer.result_info.context("the number of pages")?.total_pages;
        Ok((answer.result.context("tokens")?, pages))
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> anyhow::Result<Envelope<T>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.tokens))
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "native/1")
            .header(AUTHORIZATION, &self.authorization);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let response = self.http.request(request.body(Full::from(body.unwrap_or_default()))?).await?;
        ensure!(response.status().is_success(), "status {}", response.status());
        envelope(&response.into_body().collect().await?.to_bytes())
    }
}

fn envelope<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<Envelope<T>> {
    let answer: Envelope<T> = serde_json::from_slice(body)?;
    ensure!(answer.success, "no success");
    Ok(answer)
}

/// The token in an answer, read as the native client reads it.
pub(crate) fn one_token(body: &[u8]) -> anyhow::Result<Token> {
    envelope(body)?.result.context("a token")
}
