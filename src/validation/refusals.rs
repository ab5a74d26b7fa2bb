//! What the operator refuses of an object that the API server takes.

use serde_json::Value;

use super::Problem;
use crate::{
    api::ProviderSecretSpec,
    controller::{bulk_name, desired_state, unread_sources},
    http::ErrorClass,
    provider::{self, Rules},
};

/// What the operator would refuse from the spec alone, in the words of its conditions: a template, a pattern, a name or
/// prefix that the provider does not take, two names that are one to it, the object's own API key as a source, or names
/// that are too long together. `object` has no [problems](super::Validator::problems).
pub fn refusals(object: &Value) -> Vec<Problem> {
    let spec = serde_json::from_value::<ProviderSecretSpec>(object["spec"].clone());
    let Ok(spec) = spec else {
        return vec![problem("The operator cannot read the spec.".to_owned())];
    };
    let Some(choice) = spec.provider.choice() else {
        return Vec::new();
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let rules = provider::rules(choice.kind());
    match desired_state(&spec, name, &unread_sources(&spec), rules) {
        Err(failure) => vec![problem(failure.message)],
        Ok(desired) => {
            let entries = desired.entries.into_iter();
            let failures = entries.filter_map(|entry| entry.value.err());
            let mut messages: Vec<String> = failures
                .chain(desired.unread.into_values())
                // The rest waits for Secrets, of which nothing is known here.
                .filter(|failure| failure.class == ErrorClass::Config)
                .map(|failure| failure.message)
                .collect();
            messages.extend(unfit_prefixes(&spec, rules));
            // One Secret may feed many entries.
            messages.sort();
            messages.dedup();
            messages.into_iter().map(problem).collect()
        }
    }
}

/// The prefixes with which no key becomes a name that the provider takes.
fn unfit_prefixes(spec: &ProviderSecretSpec, rules: &Rules) -> impl Iterator<Item = String> {
    let sources = spec.bulk_sources().iter().enumerate();
    sources.filter_map(|(index, source)| {
        let prefix = source.prefix.as_deref()?;
        (rules.check_name)(&bulk_name("A", source)).err()?;
        Some(format!(
            "{} takes no name that begins with {prefix} (spec.dataFrom[{index}].prefix): a name {}. Give another prefix.",
            rules.kind, rules.name_rule
        ))
    })
}

fn problem(message: String) -> Problem {
    Problem {
        path: String::new(),
        message,
    }
}
