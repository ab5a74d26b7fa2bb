//! What of an entry differs between a file and the object that is there, where its value is not known. Pure.

use crate::{
    api::{Entry, ProviderSecret},
    cli::{
        origin::{Keys, origins},
        plan::document::Document,
    },
    provider::{Choice, Rules},
};

/// What differs, as far as it may make another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Nothing.
    None,
    /// The Secret, or its keys.
    Origin,
    /// The template, with the same keys.
    Template,
    /// Options, which are sent with the value: it is sent again whatever that is.
    Options,
}

impl Difference {
    pub(super) fn of(document: &Document, name: &str, rules: &Rules) -> Self {
        let wanted = &document.wanted;
        let Some(live) = &document.live else {
            return Self::Origin;
        };
        let (before, after) = (entry(live, name, rules), entry(wanted, name, rules));
        let options = |entry: Option<&Entry>| entry.map(Entry::options).unwrap_or_default();
        let template = |entry: Option<&Entry>| entry.and_then(|entry| entry.template.clone());
        let keys = Keys::new();
        if options(before) != options(after) || image_pull_host(live) != image_pull_host(wanted) {
            Self::Options
        } else if origins(live, name, &keys) != origins(wanted, name, &keys) {
            Self::Origin
        } else if template(before) != template(after) {
            Self::Template
        } else {
            Self::None
        }
    }

    /// What is said of an entry whose value may be the one that the provider has.
    pub(super) fn note(self, name: &str) -> Option<String> {
        let note = match self {
            Self::None => format!("if {name} has the value of its last write, nothing is sent"),
            Self::Origin => {
                format!("{name} comes from another key; if its value is the same, nothing is sent")
            }
            Self::Template => {
                format!("{name} has another template; if it gives the same value, nothing is sent")
            }
            Self::Options => return None,
        };
        Some(note)
    }
}

fn entry<'a>(object: &'a ProviderSecret, name: &str, rules: &Rules) -> Option<&'a Entry> {
    let folded = (rules.fold)(name);
    let mut entries = object.spec.entries().iter();
    entries.find(|entry| (rules.fold)(&entry.name) == folded)
}

/// The registry, if the object names the one of an image pull secret.
fn image_pull_host(object: &ProviderSecret) -> Option<&str> {
    let choice = object.spec.provider.choice();
    let secret = choice.and_then(Choice::image_pull_secret);
    secret.and_then(|secret| secret.host.as_deref())
}
