//! Which keys of a bulk source are taken, and under which names.

use globset::{Glob, GlobMatcher};

use crate::{
    api::{DataFromSource, NameTransform, Reason},
    controller::error::Failure,
};

/// Each pattern by itself: globset's `GlobSet` looks at the extension of a file name first, and
/// takes a key that ends in a dot to have no name at all.
type Globs = Vec<GlobMatcher>;

/// `include` and `exclude` of a source.
pub(crate) struct KeyFilter {
    include: Option<Globs>,
    exclude: Option<Globs>,
}

impl KeyFilter {
    pub(crate) fn new(index: usize, source: &DataFromSource) -> Result<Self, Failure> {
        let field = format!("spec.dataFrom[{index}]");
        Ok(Self {
            include: globs(source.include.as_deref(), &format!("{field}.include"))?,
            exclude: globs(source.exclude.as_deref(), &format!("{field}.exclude"))?,
        })
    }

    pub(crate) fn takes(&self, key: &str) -> bool {
        let matches = |globs: &Globs| globs.iter().any(|glob| glob.is_match(key));
        self.include.as_ref().is_none_or(matches) && !self.exclude.as_ref().is_some_and(matches)
    }
}

fn globs(patterns: Option<&[String]>, field: &str) -> Result<Option<Globs>, Failure> {
    let compiled = |(index, pattern): (usize, &String)| {
        let glob = Glob::new(pattern).map_err(|_| not_a_pattern(&format!("{field}[{index}]")))?;
        Ok(glob.compile_matcher())
    };
    patterns
        .map(|patterns| patterns.iter().enumerate().map(compiled).collect())
        .transpose()
}

fn not_a_pattern(field: &str) -> Failure {
    Failure::config(
        Reason::InvalidSpec,
        format!("{field} is not a pattern. Close every bracket, as in *_KEY or [ab]*."),
    )
}

/// The name of a bulk entry: transform, then prefix.
pub(crate) fn bulk_name(key: &str, source: &DataFromSource) -> String {
    let name = match source.name_transform {
        Some(NameTransform::UpperSnake) => upper_snake(key),
        None => key.to_owned(),
    };
    format!("{}{name}", source.prefix.as_deref().unwrap_or_default())
}

/// Whether a bulk source could give this name if its Secret held the right key. Of transformed names
/// the key is not known, so the filter does not count there.
pub(crate) fn may_give(name: &str, index: usize, source: &DataFromSource) -> bool {
    let prefix = source.prefix.as_deref().unwrap_or_default();
    let Some(rest) = name.strip_prefix(prefix) else {
        return false;
    };
    match source.name_transform {
        Some(NameTransform::UpperSnake) => upper_snake(rest) == rest,
        None => KeyFilter::new(index, source).is_ok_and(|filter| filter.takes(rest)),
    }
}

fn upper_snake(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 4);
    let mut last = None;
    // So that a name that is right already stays: S3BUCKET is not S3_BUCKET.
    let is_mixed = key.contains(|letter: char| letter.is_ascii_lowercase());
    for letter in key.chars() {
        let is_joint =
            |last: char| last.is_ascii_lowercase() || (is_mixed && last.is_ascii_digit());
        if letter.is_ascii_uppercase() && last.is_some_and(is_joint) {
            name.push('_');
        }
        name.push(if matches!(letter, '-' | '.') {
            '_'
        } else {
            letter.to_ascii_uppercase()
        });
        last = Some(letter);
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("api-key", "API_KEY")]
    #[case("api.keyName", "API_KEY_NAME")]
    #[case("APIKey", "APIKEY")]
    #[case("key2Value", "KEY2_VALUE")]
    #[case("key2value", "KEY2VALUE")]
    #[case("S3BUCKET", "S3BUCKET")]
    #[case("already_SNAKE", "ALREADY_SNAKE")]
    #[case("", "")]
    fn upper_snake_makes_names(#[case] key: &str, #[case] name: &str) {
        assert_eq!(upper_snake(key), name);
    }

    #[test]
    fn the_longest_name_fits_into_status() {
        let key = format!("{}a", "aB".repeat(126));
        assert_eq!(key.len(), 253);
        let source = json!({"secretRef": {"name": "s"}, "nameTransform": "UpperSnake", "prefix": "P".repeat(128)});
        let source = serde_json::from_value(source).unwrap();
        let longest = bulk_name(&key, &source).len();
        assert_eq!(longest, 507);
        assert!(longest <= crate::api::MAX_NAME);
    }

    fn taken(key: &str, include: Option<&[String]>, exclude: Option<&[String]>) -> bool {
        let source = json!({"secretRef": {"name": "s"}, "include": include, "exclude": exclude});
        let source = serde_json::from_value(source).unwrap();
        let filter = KeyFilter::new(0, &source);
        filter.unwrap().takes(key)
    }

    #[rstest]
    #[case("?a.", "xa.", true)]
    #[case("?.", "..", true)]
    #[case("*.", "key.", true)]
    #[case("*.pem.", "tls.pem.", true)]
    #[case("..", ".", false)]
    fn a_key_may_end_in_a_dot(#[case] pattern: &str, #[case] key: &str, #[case] is_taken: bool) {
        assert_eq!(taken(key, Some(&[pattern.to_owned()]), None), is_taken);
    }

    proptest! {
        /// A name that a key gave may always come from the source again.
        #[test]
        fn what_a_source_gave_it_may_give(
            key in "[-._a-zA-Z0-9]{1,20}", is_transformed in any::<bool>(), prefix in "([A-Z]{1,3}_)?",
            include in prop::collection::vec("[-._a-c*?]{1,4}", 0..4),
        ) {
            let mut source = json!({"secretRef": {"name": "s"}, "include": include});
            if is_transformed {
                source["nameTransform"] = "UpperSnake".into();
            }
            if !prefix.is_empty() {
                source["prefix"] = prefix.into();
            }
            let source: DataFromSource = serde_json::from_value(source).unwrap();
            let is_taken = KeyFilter::new(0, &source).unwrap().takes(&key);
            prop_assert!(!is_taken || may_give(&bulk_name(&key, &source), 0, &source));
        }

        #[test]
        fn upper_snake_is_idempotent_and_keeps_letters(key in "[-._a-zA-Z0-9]{1,253}") {
            let name = upper_snake(&key);
            prop_assert_eq!(&upper_snake(&name), &name);
            prop_assert!(!name.contains(|letter: char| letter.is_ascii_lowercase() || "-.".contains(letter)));
            let letters = |text: &str| -> String {
                let kept = text.chars().filter(char::is_ascii_alphanumeric);
                kept.map(|letter| letter.to_ascii_uppercase()).collect()
            };
            prop_assert_eq!(letters(&name), letters(&key));
        }

        #[test]
        fn exclude_wins_and_every_key_is_taken_without_include(
            key in "[-._a-zA-Z0-9]{1,20}",
            include in prop::collection::vec("[-._a-c*?]{1,4}", 0..4),
            exclude in prop::collection::vec("[-._a-c*?]{1,4}", 0..4),
        ) {
            let is_excluded = !taken(&key, None, Some(&exclude));
            let is_included = taken(&key, Some(&include), None);
            prop_assert_eq!(
                taken(&key, Some(&include), Some(&exclude)),
                is_included && !is_excluded
            );
            prop_assert!(taken(&key, None, None));
            prop_assert!(!taken(&key, Some(&[]), None), "a list of no patterns takes no key");
        }

        #[test]
        fn a_pattern_without_wildcards_is_one_key(
            key in "[-._a-zA-Z0-9]{1,20}", other in "[-._a-zA-Z0-9]{1,20}",
        ) {
            let pattern = [key.clone()];
            prop_assert!(taken(&key, Some(&pattern), None));
            prop_assert_eq!(taken(&other, Some(&pattern), None), other == key);
            for pattern in ["*".to_owned(), format!("{}*", &key[..1]), format!("?{}", &key[1..])] {
                prop_assert!(taken(&key, Some(std::slice::from_ref(&pattern)), None), "{}", pattern);
            }
        }

        #[test]
        fn no_pattern_panics(pattern in "\\PC{0,40}") {
            let _ = globs(Some(&[pattern]), "spec.dataFrom[0].include");
        }
    }
}
