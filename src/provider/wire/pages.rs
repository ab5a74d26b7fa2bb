//! Listings: read within bounds of time and size, and whole or an error.
//!
//! A name that a listing lacks counts as deleted, so a listing that begins to be paged must never pass
//! for all there is. What the providers' documents know of pages is in their files; what any API may come
//! to say of them is in `more`.

use std::time::Duration;

use http::HeaderMap;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::more::{Came, Rest, headers_tell_of_more};
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
    /// How many pages with items were read.
    read: usize,
    /// Whether the last answer's status or links tell of more.
    has_more: bool,
    /// The headers of the last answer.
    headers: HeaderMap,
}

impl<'c> Pages<'c> {
    /// Begins a listing.
    pub(in crate::provider) fn of(client: &'c ApiClient) -> Self {
        Self {
            client,
            until: Instant::now() + LONGEST_LISTING,
            left: LARGEST_LISTING,
            read: 0,
            has_more: false,
            headers: HeaderMap::new(),
        }
    }

    /// Reads a page.
    ///
    /// # Errors
    /// Those of [`ApiClient::call`]; [`ProviderError::too_slow`] when the pages together take too long,
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
        let answer = answer.unwrap_or_else(|_| Err(ProviderError::too_slow()))?;
        let cost = answer.length().max(SMALLEST_PAGE);
        self.left = self.left.saturating_sub(cost);
        self.has_more = answer.tells_of_more();
        self.headers.clone_from(answer.headers());
        self.read += 1;
        answer.json()
    }

    /// The last page had no items: what counts pages does not count it.
    pub(in crate::provider) fn was_empty(&mut self) {
        self.read = self.read.saturating_sub(1);
    }

    /// Ends the listing after `items`; `rest` is of the last page.
    ///
    /// # Errors
    /// [`ProviderError::protocol`] when the page tells of an error, and [`ProviderError::not_whole`] when the
    /// provider tells of more.
    pub(in crate::provider) fn end(self, rest: &Rest, items: usize) -> Result<(), ProviderError> {
        rest.no_error()?;
        let pages = self.read.max(1);
        let came = Came { items, pages };
        let has_more = self.has_more || headers_tell_of_more(&self.headers, came);
        if has_more || rest.tells_of_more(came) {
            Err(ProviderError::not_whole())
        } else {
            Ok(())
        }
    }
}
