//! Listings: read within bounds of time and size, and whole or an error.
//!
//! A name that a listing lacks counts as deleted, so a listing that begins to be paged must never pass
//! for all there is. What the providers' documents know of pages is in their files; here is what any
//! API may come to say of them.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use crate::http::{ApiClient, Call, ProviderError};

/// How long all pages of a listing may take together. Writes are remembered for longer
/// (`account/name_locks.rs`), so a listing never shows what was there before a write that is forgotten.
pub const LONGEST_LISTING: Duration = Duration::from_mins(10);
/// How large all pages of a listing may be together, in bytes: more than 60,000 secrets.
const LARGEST_LISTING: usize = 16 * 1024 * 1024;
/// A page counts as this much at least, as one of 100 secrets has. So pages of almost nothing come to an
/// end, after 1,024 of them.
const SMALLEST_PAGE: usize = 16 * 1024;

/// The pages of one listing.
pub(in crate::provider) struct Pages<'c> {
    client: &'c ApiClient,
    until: Instant,
    left: usize,
    /// Whether the last answer's status or headers tell of more.
    has_more: bool,
}

impl<'c> Pages<'c> {
    /// Begins a listing.
    pub(in crate::provider) fn of(client: &'c ApiClient) -> Self {
        Self {
            client,
            until: Instant::now() + LONGEST_LISTING,
            left: LARGEST_LISTING,
            has_more: false,
        }
    }

    /// Reads a page.
    ///
    /// # Errors
    /// Those of [`ApiClient::call`]; [`ProviderError::timeout`] when the pages together take too long,
    /// and [`ProviderError::too_large`] when they are too large.
    pub(in crate::provider) async fn read<T: DeserializeOwned>(
        &mut self,
        call: Call<'_>,
    ) -> Result<T, ProviderError> {
        if self.left == 0 {
            return Err(ProviderError::too_large());
        }
        let call = Call {
            max_answer: Some(self.left),
            ..call
        };
        let answer = timeout_at(self.until, self.client.call(call)).await;
        let answer = answer.unwrap_or_else(|_| Err(ProviderError::timeout(false)))?;
        let cost = answer.length().max(SMALLEST_PAGE);
        self.left = self.left.saturating_sub(cost);
        self.has_more = answer.tells_of_more();
        answer.json()
    }

    /// Ends the listing after `came` items; `rest` is of the last page.
    ///
    /// # Errors
    /// [`ProviderError::not_whole`] when the provider tells of more.
    pub(in crate::provider) fn end(self, rest: &Rest, came: usize) -> Result<(), ProviderError> {
        if self.has_more || tells_of_more(&rest.0, came) {
            Err(ProviderError::not_whole())
        } else {
            Ok(())
        }
    }
}

/// The members of a page that its provider's file does not know.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(in crate::provider) struct Rest(Map<String, Value>);

/// Members that say yes or no.
const FLAGS: [&str; 10] = [
    "hasmore",
    "more",
    "hasnext",
    "hasnextpage",
    "morepages",
    "moreavailable",
    "istruncated",
    "truncated",
    "incomplete",
    "partial",
];
/// Members that hold the way to the next page, if there is one.
const WAYS: [&str; 19] = [
    "next",
    "nextpage",
    "nextpagetoken",
    "nexttoken",
    "nextcursor",
    "nextoffset",
    "nextlink",
    "nexturl",
    "nexturi",
    "nextkey",
    "nextmarker",
    "nextid",
    "odatanextlink",
    "cursor",
    "endcursor",
    "continue",
    "continuationtoken",
    "pagetoken",
    "lastevaluatedkey",
];
/// Members that count the items of all pages.
const TOTALS: [&str; 8] = [
    "total",
    "totalcount",
    "totalitems",
    "totalsize",
    "totalresults",
    "totalrecords",
    "count",
    "numfound",
];
/// Members that count pages.
const PAGES: [&str; 5] = ["totalpages", "pagecount", "numpages", "pages", "lastpage"];
/// Members that count what is not shown.
const LEFT: [&str; 2] = ["remaining", "remainingitemcount"];
/// Members that hold such members.
const GROUPS: [&str; 8] = [
    "links",
    "pagination",
    "paging",
    "pageinfo",
    "page",
    "meta",
    "metadata",
    "cursors",
];

/// Whether members of a page tell that there is more than the `came` items of all pages that were read.
fn tells_of_more(members: &Map<String, Value>, came: usize) -> bool {
    let plain = |name: &str| {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.collect::<String>().to_ascii_lowercase()
    };
    let members = || members.iter().map(|(name, value)| (plain(name), value));
    let is = |list: &[&str], name: &str| list.contains(&name);
    // Some give a cursor at the end too, for what may come later.
    let is_end = members().any(|(name, value)| is(&FLAGS, &name) && *value == Value::Bool(false));
    members().any(|(name, value)| {
        let number = number(value);
        (is(&FLAGS, &name) && is_given(value))
            || (is(&WAYS, &name) && is_given(value) && !is_end)
            || (is(&TOTALS, &name) && number.is_some_and(|total| total > came))
            || (is(&PAGES, &name) && number.is_some_and(|pages| pages > 1))
            || (is(&LEFT, &name) && number.is_some_and(|left| left > 0))
            || (is(&GROUPS, &name) && group_tells_of_more(value, came))
    })
}

fn group_tells_of_more(group: &Value, came: usize) -> bool {
    match group {
        Value::Object(members) => tells_of_more(members, came),
        // Links as in HTTP: each says what it is for.
        Value::Array(links) => links.iter().any(|link| link["rel"] == "next"),
        _ => false,
    }
}

fn number(value: &Value) -> Option<usize> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.and_then(|number| usize::try_from(number).ok())
}

/// Whether a member says anything but "no" or "none".
fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "0" | "false" | "null"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.values().any(is_given),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn tells(members: &Value) -> bool {
        tells_of_more(members.as_object().unwrap(), 100)
    }

    /// Cases: R-17
    #[rstest]
    #[case(json!({"next": "https://api.example/v1/secrets?page=2"}))]
    #[case(json!({"has_more": true}))]
    #[case(json!({"hasMore": true, "cursor": null}))]
    #[case(json!({"has_next_page": "true"}))]
    #[case(json!({"cursor": "abc"}))]
    #[case(json!({"next_page_token": "abc"}))]
    #[case(json!({"nextOffset": 100}))]
    #[case(json!({"links": {"self": "/1", "next": "/2"}}))]
    #[case(json!({"_links": {"next": {"href": "/2"}}}))]
    #[case(json!({"links": [{"rel": "self", "href": "/1"}, {"rel": "next", "href": "/2"}]}))]
    #[case(json!({"pagination": {"has_more": true, "cursor": "abc"}}))]
    #[case(json!({"metadata": {"continue": "abc", "remainingItemCount": 5}}))]
    #[case(json!({"meta": {"pagination": {"total_pages": 3}}}))]
    #[case(json!({"@odata.nextLink": "/2"}))]
    #[case(json!({"total": 101}))]
    #[case(json!({"totalCount": "250"}))]
    #[case(json!({"page": {"size": 100, "totalElements": 250, "total_pages": 3}}))]
    #[case(json!({"truncated": true}))]
    fn a_page_that_tells_of_more_is_not_all(#[case] members: Value) {
        assert!(tells(&members), "{members}");
    }

    /// Cases: R-17
    #[rstest]
    #[case(json!({}))]
    #[case(json!({"status": "success", "offset": 0, "limit": 100}))]
    #[case(json!({"total": 100, "count": 100, "page": 1, "pages": 1}))]
    #[case(json!({"total": 7}))]
    #[case(json!({"next": null, "previous": "/0", "has_more": false}))]
    #[case(json!({"next": "", "nextOffset": 0, "remaining": 0}))]
    #[case(json!({"pagination": {"has_more": false, "cursor": "the-end"}}))]
    #[case(json!({"links": {"self": "/1", "next": null, "prev": "/0"}}))]
    #[case(json!({"_links": {"next": {"href": null}}}))]
    #[case(json!({"links": [{"rel": "self", "href": "/1"}]}))]
    #[case(json!({"region": "us-west", "errorMessage": "more", "metadata": {"team": "next"}}))]
    fn a_page_that_tells_of_no_more_is_all(#[case] members: Value) {
        assert!(!tells(&members), "{members}");
    }
}
