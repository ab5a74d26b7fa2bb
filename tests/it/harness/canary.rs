//! The canary: a mark in every value and API key of the tests, which no output may contain.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// The mark. Letters and digits only, so that URL encoding and JSON escapes leave it as it is.
pub(crate) const CANARY: &str = "C4n4ryInTheM1ne";

/// The forms of the mark that are in `text`.
pub(crate) fn traces(text: &str) -> Vec<String> {
    forms(CANARY)
        .into_iter()
        .filter(|form| text.contains(form))
        .collect()
}

/// A mark as it is, in base64 at each of the three alignments, in hexadecimal, and reversed.
fn forms(mark: &str) -> Vec<String> {
    let mut forms = vec![mark.to_owned(), mark.chars().rev().collect()];
    let hexadecimal: Vec<String> = mark.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.push(hexadecimal.concat());
    for offset in 0..3 {
        let padded = [vec![b'.'; offset], mark.as_bytes().to_vec()].concat();
        let encoded = STANDARD_NO_PAD.encode(padded);
        // The characters that hold bits of a neighbour differ from place to place.
        let first = (offset * 8).div_ceil(6);
        let last = encoded.len() - 1;
        forms.push(encoded[first..last].to_owned());
    }
    forms
}

#[test]
fn the_canary_is_found_in_every_form() {
    for prefix in ["", "x", "xy", "xyz"] {
        let text = format!("{prefix}{CANARY}suffix");
        let encoded = base64::engine::general_purpose::STANDARD.encode(&text);
        assert!(!traces(&encoded).is_empty(), "{encoded}");
        assert!(!traces(&text).is_empty());
    }
    assert!(traces("nothing of the kind").is_empty());
}
