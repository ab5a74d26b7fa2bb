//! Whether an answer tells of more than it shows.
//!
//! No vendor says how its listings are paged once they are, so the names of members and of headers are
//! read as words: it does not matter how an API spells them. What is taken for a sign and is none makes
//! a listing an error that status shows; what is none and is taken for all there is makes deleted
//! secrets of those that the next page holds.

mod names; // the words of a name

use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use self::names::words;
use super::success::no_error;
use crate::http::ProviderError;

/// What was read of a listing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    /// The items of all pages.
    pub(super) items: usize,
    /// The pages with items, and at least one.
    pub(super) pages: usize,
}

/// The members of a page that its provider's file does not know.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(in crate::provider) struct Rest(Map<String, Value>);

impl Rest {
    /// Refuses a page that tells of an error: what it shows may be a part.
    ///
    /// # Errors
    /// [`ProviderError::protocol`].
    pub(in crate::provider) fn no_error(&self) -> Result<(), ProviderError> {
        no_error(&self.0)
    }

    /// Whether the members tell that there is more than came.
    pub(super) fn tells_of_more(&self, came: Came) -> bool {
        tells_of_more(&self.0, &[], came)
    }
}

/// Whether headers tell that there is more than came.
pub(super) fn headers_tell_of_more(headers: &HeaderMap, came: Came) -> bool {
    let members = headers.iter().filter_map(|(name, value)| {
        let text = value.to_str().ok()?;
        if name == header::CONTENT_RANGE {
            // Such as `secrets 0-99/250`.
            let total = text.rsplit('/').next().unwrap_or_default();
            return Some(("total".to_owned(), total.into()));
        }
        // Some are numbers or hold an object.
        let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        Some((name.as_str().to_owned(), value))
    });
    tells_of_more(&members.collect(), &[], came)
}

/// What leads on.
const ON: &[&str] = &[
    "next",
    "more",
    "continue",
    "continuation",
    "resumption",
    "scroll",
];
/// What leads back, or to what is shown.
const BACK: &[&str] = &[
    "previous", "prev", "before", "start", "first", "self", "current",
];
/// Words of links such as `learn_more`.
const READING: &[&str] = &["learn", "read", "see", "help", "details", "docs"];
/// What says that something is missing.
const CUT: &[&str] = &["truncated", "incomplete", "partial"];
/// What holds words for people.
const WARNING: &[&str] = &["warning", "warnings"];
/// What says that this is all.
const END: &[&str] = &["last", "final", "end", "complete", "done", "exhausted"];
/// Words of members that speak of something else: of times, limits and caches. So is every word that ends in `limit`,
/// because the names of headers have no capitals to part the words of `DayLimit`.
const OTHER: &[&str] = &[
    "at",
    "date",
    "time",
    "timestamp",
    "rotation",
    "run",
    "expiry",
    "renewal",
    "billing",
    "invoice",
    "deployment",
    "release",
    "version",
    "rate",
    "limits",
    "quota",
    "usage",
    "reset",
    "retry",
    "retries",
    "cache",
    "middleware",
    "router",
];
/// What a count is called.
const COUNTS: &[&str] = &[
    "count",
    "counts",
    "num",
    "number",
    "total",
    "totals",
    "remaining",
];
/// What may be counted of what is listed.
const ITEMS: &[&str] = &[
    "item",
    "items",
    "result",
    "results",
    "record",
    "records",
    "element",
    "elements",
    "entry",
    "entries",
    "object",
    "objects",
    "resource",
    "resources",
    "row",
    "rows",
    "hits",
    "matches",
    "matching",
    "secret",
    "secrets",
    "set",
    "sets",
    "key",
    "keys",
    "team",
    "teams",
    "credentials",
    "found",
    "available",
    "all",
    "overall",
    "full",
    "grand",
    "estimated",
];
/// What is said of pages.
const PAGING: &[&str] = &["page", "paging", "pagination"];
/// Words that say nothing by themselves: of envelopes, of names and of headers.
const PLAIN: &[&str] = &[
    "is",
    "has",
    "of",
    "x",
    "bt",
    "wp",
    "odata",
    "page",
    "pages",
    "paging",
    "pagination",
    "list",
    "listing",
    "collection",
    "meta",
    "metadata",
    "info",
    "response",
    "data",
    "links",
    "reached",
    "batch",
    "size",
    "summary",
    "value",
];
/// Whether members tell of more; `outer` are the words of the members that hold them.
fn tells_of_more(members: &Map<String, Value>, outer: &[String], came: Came) -> bool {
    let named = || members.iter().map(|(name, value)| (words(name), value));
    // Some give a cursor at the end too, for what may come later.
    let is_end = named().any(|(own, value)| says_end(&own, value));
    named().any(|(own, value)| {
        let all: Vec<String> = outer.iter().chain(&own).cloned().collect();
        if holds(&all, OTHER) || all.iter().any(|word| word.ends_with("limit")) {
            return false;
        }
        let held = |value: &Value| {
            let members = value.as_object();
            members.is_some_and(|members| tells_of_more(members, &all, came))
        };
        match value {
            Value::Object(_) => return held(value),
            Value::Array(values) if values.iter().any(held) => return true,
            _ => {}
        }
        let exceeds = |most: usize| {
            let most = f64::from(u32::try_from(most).unwrap_or(u32::MAX));
            number(value).is_some_and(|number| number > most)
        };
        (leads_on(&all) && is_given(value) && (!is_end || is_yes(value)))
            || (holds(&all, CUT) && is_given(value))
            || (holds(&all, WARNING) && says_cut(value))
            || (own == ["rel"] && is_next(value) && members.get("href") != Some(&Value::Null))
            || (is_of_end(&all) && is_no(value, &all))
            || (is_total(&own, &all) && exceeds(came.items))
            || (counts_pages(&own) && exceeds(came.pages))
            || (holds(&all, &["remaining"]) && is_of_items(&all) && exceeds(0))
    })
}

fn holds(words: &[String], known: &[&str]) -> bool {
    words.iter().any(|word| known.contains(&word.as_str()))
}

/// Whether every word is of one of the lists.
fn every(words: &[String], known: &[&[&str]]) -> bool {
    let is_known = |word: &String| known.iter().any(|known| known.contains(&word.as_str()));
    words.iter().all(is_known)
}

/// Whether a member says that there is no more. One that has a word besides may speak of something else.
fn says_end(words: &[String], value: &Value) -> bool {
    let is_flag = (leads_on(words) || holds(words, &["truncated"]))
        && every(
            words,
            &[ON, PLAIN, ITEMS, &["truncated", "cursor", "token"]],
        );
    (is_flag && is_no(value, words))
        || (holds(words, &["last", "final"]) && is_of_end(words) && is_yes(value))
}

/// Whether these are the words of a way to what is not shown, or of whether there is one.
fn leads_on(words: &[String]) -> bool {
    (holds(words, ON) && !holds(words, READING))
        || (holds(words, &["cursor", "cursors"]) && !holds(words, BACK))
        || (holds(words, &["token"]) && holds(words, PAGING))
        || (holds(words, &["after"])
            && holds(words, PAGING)
            && every(words, &[PLAIN, &["after", "starting"]]))
        || (holds(words, &["evaluated"]) && holds(words, &["key"]))
}

/// Whether these are the words of a member that says whether this is all.
fn is_of_end(words: &[String]) -> bool {
    holds(words, END) && every(words, &[END, PLAIN, ITEMS])
}

/// Whether these are the words of a count of the items of all pages.
fn is_total(own: &[String], all: &[String]) -> bool {
    if holds(own, &["page", "pages"]) {
        return false;
    }
    let is_count = holds(all, &["count", "counts", "num", "total", "totals"])
        || (holds(all, &["number"]) && holds(all, &["of"]));
    is_count && is_of_items(all)
}

/// Whether a count is one of what is listed. A word that is not known may name something else: the agents that use a set,
/// or the calls that a key has left today.
fn is_of_items(all: &[String]) -> bool {
    every(all, &[COUNTS, ITEMS, PLAIN])
}

/// Whether these are the words of a count of pages.
fn counts_pages(words: &[String]) -> bool {
    if holds(words, &["size"]) {
        return false;
    }
    let most: &[&str] = &["total", "max"];
    (holds(words, &["pages"]) && every(words, &[PLAIN, most]))
        || (holds(words, &["pages"]) && holds(words, &["total", "count", "num", "number"]))
        || (holds(words, &["page"]) && holds(words, most) && every(words, &[PLAIN, most]))
        || (holds(words, &["page"]) && holds(words, &["count", "last"]))
}

/// A whole number, which some APIs write as 250.0 or as a text.
fn number(value: &Value) -> Option<f64> {
    let number = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok());
    number.filter(|number| number.is_finite() && number.fract() == 0.0)
}

/// Whether a link says that it leads to the next page: as in HTTP, among several words perhaps.
fn is_next(rel: &Value) -> bool {
    match rel {
        Value::String(text) => {
            let mut words = text.split_whitespace();
            words.any(|word| word.eq_ignore_ascii_case("next"))
        }
        Value::Array(words) => words.iter().any(is_next),
        _ => false,
    }
}

/// Whether words for people say that something is missing.
fn says_cut(value: &Value) -> bool {
    match value {
        Value::String(text) => holds(&words(text), CUT),
        Value::Array(texts) => texts.iter().any(says_cut),
        _ => false,
    }
}

/// Whether a member says "no". A zero says so only where a flag is meant: a last page of number 0 is one.
fn is_no(value: &Value, words: &[String]) -> bool {
    let is_flag = || holds(words, &["is", "has", "complete", "done", "exhausted"]);
    match value {
        Value::Bool(is) => !is,
        Value::String(text) => text == "false" || (text == "0" && is_flag()),
        Value::Number(number) => number.as_f64() == Some(0.0) && is_flag(),
        _ => false,
    }
}

/// Whether a member says "yes".
fn is_yes(value: &Value) -> bool {
    *value == Value::Bool(true) || value.as_str() == Some("true")
}

/// Whether a member says anything but "no" or "none".
fn is_given(value: &Value) -> bool {
    match value {
        // What an object holds is looked at by itself.
        Value::Null | Value::Object(_) => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64().is_some_and(|number| number > 0.0),
        Value::String(text) => {
            !matches!(text.as_str(), "" | "0" | "-1" | "false" | "null" | "none")
        }
        Value::Array(items) => items.iter().any(is_given),
    }
}

#[cfg(test)]
mod tests;
