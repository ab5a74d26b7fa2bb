//! The namespaces that the operator works in.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// The namespaces to watch; where none is named, all.
///
/// The setting is used twice: only these are listed and watched, and a reconcile leaves an object of any
/// other alone. Argo CD once had the second check missing (CVE-2023-22736).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces(BTreeSet<String>);

impl Namespaces {
    /// The named ones, in order; none means that all are watched.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether every namespace is watched.
    pub(crate) fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether objects of a namespace are the operator's business.
    pub(crate) fn contains(&self, namespace: &str) -> bool {
        self.is_all() || self.0.contains(namespace)
    }
}

impl FromStr for Namespaces {
    type Err = &'static str;

    /// Names with commas between them. An empty text names none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let names = text.split(',').map(|name| {
            is_label(name).then(|| name.to_owned()).ok_or(
                "want names of namespaces with commas between them and no spaces; a name has 1 to 63 lower-case letters, digits and -",
            )
        });
        names.collect::<Result<_, _>>().map(Self)
    }
}

impl FromIterator<Self> for Namespaces {
    fn from_iter<T: IntoIterator<Item = Self>>(lists: T) -> Self {
        Self(lists.into_iter().flat_map(|list| list.0).collect())
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return formatter.write_str("all");
        }
        let names: Vec<&str> = self.names().collect();
        formatter.write_str(&names.join(","))
    }
}

/// Whether a text is a DNS label (RFC 1123), which the name of every namespace is.
fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", "all")]
    #[case("a", "a")]
    #[case("b,a,b", "a,b")]
    #[case("team-1,0", "0,team-1")]
    fn names_are_separated_by_commas(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<Namespaces>().unwrap().to_string(), shown);
    }

    #[rstest]
    #[case(",")]
    #[case("a,")]
    #[case("a, b")]
    #[case("A")]
    #[case("-a")]
    #[case("a-")]
    #[case("a.b")]
    #[case("a/b")]
    #[case("*")]
    #[case("ä")]
    #[case("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    fn what_no_namespace_is_called_is_refused(#[case] text: &str) {
        assert!(text.parse::<Namespaces>().is_err(), "{text}");
    }

    #[test]
    fn only_the_named_ones_are_its_business_or_all() {
        let lists = ["a,b", "", "c"].map(|list| list.parse::<Namespaces>().unwrap());
        let some: Namespaces = lists.into_iter().collect();
        assert!(["a", "b", "c"].iter().all(|name| some.contains(name)));
        assert!(!some.contains("d") && !some.contains(""));
        assert!(Namespaces::default().contains("d"));
    }
}
