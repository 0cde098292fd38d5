//! The query of a list: which tokens, and which page of them.
//!
//! Only the names of the parameters are documented. Here `name` compares exactly, `search` looks for its text in name, client id
//! and id without regard to case, page 0 is page 1, `per_page` 0 is the default, and more than 1000 per page is 1000.

use serde::{Deserialize, Serialize};

use crate::Token;
use crate::api_error::ApiError;

/// What a server makes of the query of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListBehaviour {
    /// All four parameters are honoured.
    #[default]
    Honoured,
    /// `page` is ignored: every page is the first one.
    PageIgnored,
    /// Everything is ignored, as the description of the zone routes suggests: the first page of all tokens.
    AllIgnored,
}

/// The most tokens on a page.
const MAXIMUM_PER_PAGE: u64 = 1000;

#[derive(Debug)]
pub(crate) struct ListQuery {
    pub name: Option<String>,
    pub search: Option<String>,
    pub page: u64,
    pub per_page: u64,
}

#[derive(Serialize)]
pub(crate) struct ResultInfo {
    pub page: u64,
    pub per_page: u64,
    pub count: u64,
    pub total_count: u64,
    pub total_pages: u64,
}

impl ListQuery {
    /// Reads the query of a request.
    pub fn read(query: &str, behaviour: ListBehaviour, default_per_page: u64) -> Result<Self, ApiError> {
        let mut read = Self { name: None, search: None, page: 1, per_page: default_per_page.max(1) };
        if behaviour == ListBehaviour::AllIgnored {
            return Ok(read);
        }
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "name" => read.name = Some(value.into_owned()),
                "search" => read.search = Some(value.to_lowercase()),
                "page" => read.page = number("page", &value)?.max(1),
                "per_page" => match number("per_page", &value)? {
                    0 => {}
                    given => read.per_page = given.min(MAXIMUM_PER_PAGE),
                },
                _ => {}
            }
        }
        if behaviour == ListBehaviour::PageIgnored {
            read.page = 1;
        }
        Ok(read)
    }

    /// Whether the token belongs into the list.
    pub fn matches(&self, token: &Token) -> bool {
        self.name.as_ref().is_none_or(|name| *name == token.name)
            && self.search.as_ref().is_none_or(|search| {
                [&token.name, &token.client_id, &token.id].iter().any(|text| text.to_lowercase().contains(search))
            })
    }

    /// How many tokens come before this page.
    pub fn skipped(&self) -> usize {
        usize::try_from((self.page - 1).saturating_mul(self.per_page)).unwrap_or(usize::MAX)
    }

    /// What to say about a page with `count` of `total` tokens.
    pub fn result_info(&self, count: usize, total: usize) -> ResultInfo {
        let total_count = total as u64;
        ResultInfo {
            page: self.page,
            per_page: self.per_page,
            count: count as u64,
            total_count,
            total_pages: total_count.div_ceil(self.per_page),
        }
    }
}

fn number(name: &str, value: &str) -> Result<u64, ApiError> {
    value.parse().map_err(|_| ApiError::invalid_request(format_args!("{name} {value:?} is not a whole number from 0")))
}
