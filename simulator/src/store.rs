//! All tokens of all accounts and zones, and the seven operations on them.
//!
//! Names are not unique. A scope holds at most its quota of tokens, 50 unless the builder says otherwise; zones have one of
//! their own, which is a guess. Lists are in the order of creation.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use fastrand::Rng;
use indexmap::IndexMap;
use serde::Serialize;
use strum::Display;
use time::OffsetDateTime;

use crate::api_error::ApiError;
use crate::client_secret::ClientSecret;
use crate::list_query::{ListQuery, ResultInfo};
use crate::parameters::Parameters;
use crate::token::Secrets;
use crate::{Behaviour, InactivityAction, Scope, SecretForm, Token};

/// Why a client id and secret do not pass.
#[derive(Clone, Copy, Debug, Display, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    /// No token has this client id. It may have been deleted.
    UnknownClientId,
    /// The token never had this secret, or has had two newer ones, or was disabled while this was its previous one.
    WrongSecret,
    /// The secret is the previous one, and its grace period is over.
    PreviousSecretExpired,
    /// The secret is new, and Access has not learnt of it yet (`application.learns_after_seconds`).
    NotKnownYet,
    /// The token is switched off.
    Disabled,
    /// The token has expired.
    Expired,
}

/// A token with its new secret, as create and rotate return it.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: Token,
    /// Its secret.
    pub client_secret: ClientSecret,
}

#[derive(Clone)]
pub(crate) struct Store {
    scopes: HashMap<Scope, IndexMap<String, Token>>,
    in_use: HashSet<String>,
    random: Rng,
    issued: Vec<ClientSecret>,
}

impl Store {
    pub fn new(scopes: impl IntoIterator<Item = Scope>, random: Rng) -> Self {
        let scopes = scopes.into_iter().map(|scope| (scope, IndexMap::new())).collect();
        Self { scopes, in_use: HashSet::new(), random, issued: Vec::new() }
    }

    /// A copy whose new tokens have other ids and secrets than the next ones here.
    pub fn scratch(&mut self) -> Self {
        Self { random: self.random.fork(), ..self.clone() }
    }

    pub fn has(&self, scope: &Scope) -> bool {
        self.scopes.contains_key(scope)
    }

    /// One page of the tokens that match.
    pub fn list(&self, scope: &Scope, query: &ListQuery) -> (Vec<&Token>, ResultInfo) {
        let per_page = usize::try_from(query.per_page).unwrap_or(usize::MAX);
        let matching: Vec<&Token> = self.tokens(scope).filter(|token| query.matches(token)).collect();
        let page: Vec<&Token> = matching.iter().copied().skip(query.skipped()).take(per_page).collect();
        let info = query.result_info(page.len(), matching.len());
        (page, info)
    }

    /// All tokens of a scope; none if there is no such scope.
    pub fn tokens(&self, scope: &Scope) -> impl Iterator<Item = &Token> {
        self.scopes.get(scope).into_iter().flat_map(IndexMap::values)
    }

    pub fn get(&self, scope: &Scope, id: &str) -> Result<&Token, ApiError> {
        self.scopes.get(scope).and_then(|tokens| tokens.get(id)).ok_or_else(ApiError::token_not_found)
    }

    pub fn create(
        &mut self,
        scope: &Scope,
        mut wanted: Parameters,
        behaviour: &Behaviour,
        now: OffsetDateTime,
    ) -> Result<&Token, ApiError> {
        let name = wanted.name.take().ok_or_else(|| ApiError::invalid_request("name is required"))?;
        let count = self.tokens(scope).count();
        if count >= behaviour.quota {
            let quota = behaviour.quota;
            return Err(ApiError::invalid_request(format_args!(
                "maximum number of service tokens ({quota}) has been reached"
            )));
        }
        Ok(self.add(scope, name, &wanted, behaviour.secret_form, now))
    }

    /// Adds a token whatever the quota says, and the scope if it is new.
    pub fn add(
        &mut self,
        scope: &Scope,
        name: String,
        wanted: &Parameters,
        form: SecretForm,
        now: OffsetDateTime,
    ) -> &Token {
        let token = Token::new(name, wanted, &mut Secrets { random: &mut self.random, form }, now);
        self.issued.push(token.secret().clone());
        if !self.scopes.contains_key(scope) {
            self.scopes.insert(scope.clone(), IndexMap::new());
        }
        self.scopes.entry(scope.clone()).or_default().entry(token.id.clone()).or_insert(token)
    }

    /// The token after the change, and its new secret if the version was raised.
    pub fn update(
        &mut self,
        scope: &Scope,
        id: &str,
        wanted: Parameters,
        form: SecretForm,
        now: OffsetDateTime,
    ) -> Result<(&Token, Option<ClientSecret>), ApiError> {
        let token = token_mut(&mut self.scopes, scope, id)?;
        let secret = token.update(wanted, &mut Secrets { random: &mut self.random, form }, now);
        self.issued.extend(secret.clone());
        Ok((token, secret))
    }

    /// The token as it was.
    pub fn delete(&mut self, scope: &Scope, id: &str) -> Result<Token, ApiError> {
        self.get(scope, id)?;
        if self.in_use.contains(id) {
            return Err(ApiError::token_in_use());
        }
        let removed = self.scopes.get_mut(scope).and_then(|tokens| tokens.shift_remove(id));
        removed.ok_or_else(ApiError::token_not_found)
    }

    pub fn refresh(&mut self, scope: &Scope, id: &str, now: OffsetDateTime) -> Result<&Token, ApiError> {
        let token = token_mut(&mut self.scopes, scope, id)?;
        token.refresh(now);
        Ok(token)
    }

    /// The token with its new secret.
    pub fn rotate(
        &mut self,
        scope: &Scope,
        id: &str,
        grace_end: Option<OffsetDateTime>,
        form: SecretForm,
        now: OffsetDateTime,
    ) -> Result<(&Token, ClientSecret), ApiError> {
        let token = token_mut(&mut self.scopes, scope, id)?;
        let secret = token.rotate(grace_end, &mut Secrets { random: &mut self.random, form }, now);
        self.issued.push(secret.clone());
        Ok((token, secret))
    }

    /// Whether Access would let this pair pass, which learns of a new secret only after a time. If so, `last_seen_at` moves.
    pub fn authenticate(
        &mut self,
        client_id: &str,
        secret: &str,
        learns_after: Duration,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let mut tokens = self.scopes.values_mut().flat_map(IndexMap::values_mut);
        let token = tokens.find(|token| token.client_id == client_id).ok_or(Refusal::UnknownClientId)?;
        if !token.is_known(secret, learns_after, now) {
            return Err(Refusal::NotKnownYet);
        }
        token.authenticate(secret, now)
    }

    /// Deletes or disables every token that is inactive for this long and not in use.
    pub fn clean_up(&mut self, period: Duration, action: InactivityAction, now: OffsetDateTime) {
        for tokens in self.scopes.values_mut() {
            tokens.retain(|id, token| {
                let is_kept = self.in_use.contains(id) || !token.is_inactive(period, now);
                if !is_kept && action == InactivityAction::Disable {
                    token.disable(now);
                }
                is_kept || action == InactivityAction::Disable
            });
        }
    }

    /// Removes all tokens, and forgets which secrets there were.
    pub fn clear(&mut self) {
        self.scopes.values_mut().for_each(IndexMap::clear);
        self.in_use.clear();
        self.issued.clear();
    }

    /// Makes a token one that cannot be deleted, or ends that.
    pub fn mark(&mut self, id: &str, in_use: bool) {
        if in_use {
            self.in_use.insert(id.to_owned());
        } else {
            self.in_use.remove(id);
        }
    }

    /// Every secret that was ever made, the oldest first.
    pub fn issued(&self) -> &[ClientSecret] {
        &self.issued
    }
}

fn token_mut<'a>(
    scopes: &'a mut HashMap<Scope, IndexMap<String, Token>>,
    scope: &Scope,
    id: &str,
) -> Result<&'a mut Token, ApiError> {
    scopes.get_mut(scope).and_then(|tokens| tokens.get_mut(id)).ok_or_else(ApiError::token_not_found)
}
