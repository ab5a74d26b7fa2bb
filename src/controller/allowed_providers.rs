//! Which providers and endpoints the objects of a namespace may use. Pure.
//!
//! The policy `allowed-providers` of the chart decides by the same words: tests/allowed-providers.json holds both to it.

use super::error::Failure;
use crate::{
    api::{ALLOWED_PROVIDERS, ProviderKind, Reason},
    provider::Choice,
};

/// What a namespace allows, as its annotation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllowedProviders {
    /// Everything: it has no annotation, and none is required.
    All,
    /// Nothing: it has no annotation, and one is required.
    Unsaid,
    /// What the annotation names: providers and endpoints as in `--endpoint PROVIDER[/NAME]`.
    Named(Vec<String>),
}

impl AllowedProviders {
    /// Reads the annotation of a namespace. What is no provider or endpoint allows nothing, so that a typo closes
    /// and never opens.
    pub(crate) fn of(annotation: Option<&str>, is_required: bool) -> Self {
        match annotation {
            Some(text) => Self::Named(text.split(',').map(|item| item.trim().to_owned()).collect()),
            None if is_required => Self::Unsaid,
            None => Self::All,
        }
    }

    /// Why an object of `namespace` may not use its provider; none if it may.
    pub(crate) fn refusal(&self, choice: Choice<'_>, namespace: &str) -> Option<Failure> {
        let (kind, endpoint) = (choice.kind(), choice.endpoint());
        if self.allows(kind, endpoint) {
            return None;
        }
        let item = match endpoint {
            Choice::DEFAULT_ENDPOINT => kind.flag().to_owned(),
            endpoint => format!("{}/{endpoint}", kind.flag()),
        };
        let why = match self {
            Self::Unsaid => format!(
                "has no annotation {ALLOWED_PROVIDERS}, without which this operator sends nothing of it"
            ),
            Self::All | Self::Named(_) => {
                format!("does not name {item} in its annotation {ALLOWED_PROVIDERS}")
            }
        };
        let message = format!(
            "Namespace {namespace} {why}. Nothing is written to {kind} or deleted there, and what was written stays. Add {item} to the annotation if values of this namespace may go there."
        );
        Some(Failure::config(Reason::ProviderNotAllowed, message))
    }

    /// Whether objects may use an endpoint of a provider. A provider alone stands for its default endpoint, as in
    /// the flag, and `PROVIDER/*` for each.
    pub(crate) fn allows(&self, kind: ProviderKind, endpoint: &str) -> bool {
        let Self::Named(items) = self else {
            return *self == Self::All;
        };
        let is_default = endpoint == Choice::DEFAULT_ENDPOINT;
        items.iter().any(|item| match item.split_once('/') {
            Some((provider, name)) => provider == kind.flag() && (name == endpoint || name == "*"),
            None => item == kind.flag() && is_default,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Annotation, provider with endpoint, whether it is allowed. The policy of the chart is tried with the same.
    const TABLE: &str = include_str!("../../tests/allowed-providers.json");

    fn kind(flag: &str) -> ProviderKind {
        let mut kinds = ProviderKind::ALL.into_iter();
        kinds.find(|kind| kind.flag() == flag).expect("a provider")
    }

    #[test]
    fn an_annotation_names_providers_and_endpoints() {
        let table: Vec<(Option<String>, String, bool)> = serde_json::from_str(TABLE).unwrap();
        assert!(table.len() > 20);
        for (annotation, used, is_allowed) in table {
            let (provider, endpoint) = used.split_once('/').unwrap();
            let allowed = AllowedProviders::of(annotation.as_deref(), false);
            let allows = allowed.allows(kind(provider), endpoint);
            assert_eq!(allows, is_allowed, "{annotation:?} {used}");
            // With an annotation it makes no difference whether one is required; without one nothing is allowed then.
            let strict = AllowedProviders::of(annotation.as_deref(), true);
            let is_strictly_allowed = is_allowed && annotation.is_some();
            assert_eq!(strict.allows(kind(provider), endpoint), is_strictly_allowed);
        }
    }

    /// The policy of the chart makes the one of the other.
    #[test]
    fn a_provider_is_named_by_its_member_in_lower_case() {
        for kind in ProviderKind::ALL {
            assert_eq!(kind.member().to_lowercase(), kind.flag());
        }
    }
}
