//! Templates: the input is the template and, after a zero byte, the values of its keys `a` and `b`.

use std::collections::BTreeMap;

use provider_secrets::template::{Fault, Renderer, Template};
use zeroize::Zeroizing;

/// What a value may hold at most.
const MAX: usize = 1024 * 1024;

/// Checks and renders a template: no input panics or makes more than a value may hold, and the same
/// input makes the same text. A text without tags is itself.
pub fn template(input: &[u8]) {
    let mut parts = input.split(|byte| *byte == 0);
    let source = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let data: BTreeMap<String, Zeroizing<Vec<u8>>> = ["a", "b"]
        .into_iter()
        .zip(parts)
        .map(|(key, value)| (key.to_owned(), Zeroizing::new(value.to_vec())))
        .collect();
    let made = make(&source, &data);
    assert_eq!(made, make(&source, &data), "a template has one text");
    if let Ok(text) = &made {
        assert!(text.len() <= MAX, "a text is bounded");
        if !source.contains('{') {
            assert_eq!(text.as_slice(), source.as_bytes(), "a text is itself");
        }
    }
}

fn make(
    source: &str,
    data: &BTreeMap<String, Zeroizing<Vec<u8>>>,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let made = Renderer::new().render(&Template::new(source)?, data)?;
    Ok(made.text)
}
