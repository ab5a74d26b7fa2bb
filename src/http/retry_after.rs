//! `Retry-After`: seconds or an HTTP date (RFC 9110, section 10.2.3), clamped before any arithmetic.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use jiff::{Timestamp, civil::DateTime, fmt::strtime, tz::TimeZone};

/// The shortest wait that is honoured: a provider that says 0 still gets a second.
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest wait that is honoured: a provider that says a year is asked again after this.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(15);
/// The one date form that is read, of 29 bytes; the obsolete forms need a laxer parser
/// (RUSTSEC-2026-0009 came from one).
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// How long the provider asks to wait, between 1 s and 15 min; none where it does not ask, or not
/// in a form that can be read.
///
/// A date is compared with the answer's own `Date`, so that our clock does not matter; without one
/// it is compared with our clock.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?;
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds are still "a very long time".
        let seconds = text.parse::<u64>().unwrap_or(u64::MAX);
        return Some(
            Duration::from_secs(seconds.min(MAX_RETRY_AFTER.as_secs())).max(MIN_RETRY_AFTER),
        );
    }
    let until = http_date(value)?;
    let now = headers.get(header::DATE).and_then(http_date);
    let now = now.unwrap_or_else(|| TimeZone::UTC.to_datetime(Timestamp::now()));
    let seconds = u64::try_from(until.duration_since(now).as_secs()).unwrap_or(0);
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER.as_secs())).max(MIN_RETRY_AFTER))
}

fn http_date(value: &HeaderValue) -> Option<DateTime> {
    let text = value.to_str().ok()?.trim();
    if text.len() != 29 {
        return None;
    }
    strtime::parse(HTTP_DATE, text).ok()?.to_datetime().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const NOW: &str = "Sat, 21 Nov 2026 12:00:00 GMT";

    fn parse(value: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, NOW.parse().unwrap());
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from_bytes(value.as_bytes()).ok()?,
        );
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    /// Cases: P-11, P-12
    #[rstest]
    #[case("7", Some(7))]
    #[case(" 7 ", Some(7))]
    #[case("0", Some(1))]
    #[case("900", Some(900))]
    #[case("901", Some(900))]
    #[case("1000000000", Some(900))]
    #[case("9223372036854775807", Some(900))]
    #[case("18446744073709551616", Some(900))]
    #[case("-5", None)]
    #[case("1.5", None)]
    #[case("1e9", None)]
    #[case("", None)]
    #[case("abc", None)]
    #[case("Sat, 21 Nov 2026 12:00:30 GMT", Some(30))]
    #[case("Sat, 21 Nov 2026 11:00:00 GMT", Some(1))]
    #[case("Sun, 21 Nov 2027 12:00:00 GMT", Some(900))]
    #[case("Fri, 31 Dec 9999 23:59:59 GMT", Some(900))]
    #[case("Sat, 31 Feb 2026 12:00:30 GMT", None)]
    #[case("Saturday, 21-Nov-26 12:00:30 GMT", None)]
    #[case("((((((((((((((((((((((((((((((((((", None)]
    fn a_wait_is_read_and_clamped(#[case] value: &str, #[case] seconds: Option<u64>) {
        assert_eq!(parse(value), seconds);
    }

    /// Cases: P-12
    #[test]
    fn the_first_of_two_headers_counts() {
        let mut headers = HeaderMap::new();
        headers.append(header::RETRY_AFTER, HeaderValue::from_static("3"));
        headers.append(header::RETRY_AFTER, HeaderValue::from_static("600"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(3)));
    }

    proptest! {
        /// Cases: P-12
        #[test]
        fn no_value_panics_or_leaves_the_bounds(value in "\\PC{0,64}|[0-9]{0,40}|[A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9]{4} [0-9:]{8} GMT") {
            if let Some(seconds) = parse(&value) {
                prop_assert!((1..=900).contains(&seconds));
            }
        }
    }
}
