//! Resource versions. Kubernetes has declared those of one resource comparable as numbers; where
//! one is not a number, only equality is known.

/// Whether `seen` is a later version than `known`. What cannot be compared counts as later.
pub(super) fn is_newer(seen: &str, known: &str) -> bool {
    match (seen.parse::<u64>(), known.parse::<u64>()) {
        (Ok(seen), Ok(known)) => seen > known,
        _ => seen != known,
    }
}

#[cfg(test)]
mod tests {
    use super::is_newer;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_newer("100", "99"));
        assert!(!is_newer("99", "100"));
        assert!(!is_newer("7", "7"));
        assert!(is_newer("b", "a"));
        assert!(!is_newer("a", "a"));
    }
}
