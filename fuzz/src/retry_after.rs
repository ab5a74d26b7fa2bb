//! `Retry-After`, with and without the answer's own `Date`.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

/// Each line is a header: the first is `Date` unless it is empty, the others are `Retry-After`.
///
/// # Panics
/// When a wait is outside of its bounds.
pub fn retry_after(input: &[u8]) {
    let mut headers = HeaderMap::new();
    let names = [header::DATE, header::RETRY_AFTER];
    for (index, line) in input.split(|byte| *byte == b'\n').enumerate() {
        if let Ok(value) = HeaderValue::from_bytes(line)
            && !(index == 0 && line.is_empty())
        {
            headers.append(names[index.min(1)].clone(), value);
        }
    }
    if let Some(wait) = provider_secrets::http::retry_after(&headers) {
        let bounds = Duration::from_secs(1)..=Duration::from_mins(15);
        assert!(bounds.contains(&wait), "a wait of {wait:?}");
    }
}
