//! The words of a name, however an API spells it.

/// The words that names without any mark between them are made of, such as `nextpagetoken`.
const JOINED: &[&str] = &[
    "has",
    "is",
    "next",
    "more",
    "page",
    "pages",
    "token",
    "cursor",
    "link",
    "url",
    "uri",
    "href",
    "key",
    "keys",
    "id",
    "offset",
    "marker",
    "start",
    "end",
    "last",
    "total",
    "count",
    "item",
    "items",
    "size",
    "result",
    "results",
    "records",
    "num",
    "found",
    "evaluated",
    "truncated",
    "available",
    "continuation",
    "remaining",
    "secrets",
];
/// The longest word that is looked at for such words.
const MAX_WORD: usize = 40;

/// The words of a name, in lower case: `nextPageToken`, `next_page_token`, `X-Next-Page-Token`.
pub(super) fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, letter) in letters.iter().enumerate() {
        let is_upper = |at: usize| letters.get(at).is_some_and(char::is_ascii_uppercase);
        let is_lower = |at: usize| letters.get(at).is_some_and(char::is_ascii_lowercase);
        // `nextPage`, and `URLOfNext`.
        let begins = is_upper(index) && index > 0 && (!is_upper(index - 1) || is_lower(index + 1));
        if begins || !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if let (Some(word), true) = (words.last_mut(), letter.is_ascii_alphanumeric()) {
            word.push(letter.to_ascii_lowercase());
        }
    }
    let words = words.iter().filter(|word| !word.is_empty());
    words
        .flat_map(|word| parts(word).unwrap_or_else(|| vec![word.clone()]))
        .collect()
}

/// The known words that a word is made of, if it is made of nothing else.
fn parts(word: &str) -> Option<Vec<String>> {
    if word.is_empty() {
        return Some(Vec::new());
    }
    if word.len() > MAX_WORD {
        return None;
    }
    JOINED.iter().find_map(|known| {
        let mut rest = parts(word.strip_prefix(known)?)?;
        rest.insert(0, (*known).to_owned());
        Some(rest)
    })
}
