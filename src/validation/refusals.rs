//! What the operator refuses of an object that the API server takes.

use serde_json::Value;

use super::Problem;
use crate::{
    api::ProviderSecretSpec,
    controller::{Sources, desired_state},
    http::ErrorClass,
    provider,
};

/// What the operator would refuse from the spec alone, in the words of its conditions: a template, a pattern, two names
/// that are one to the provider, or names that are too long together. `object` has no [problems](super::Validator::problems).
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
    match desired_state(&spec, name, &Sources::default(), rules) {
        Err(failure) => vec![problem(failure.message)],
        Ok(desired) => {
            let failures = desired
                .entries
                .into_iter()
                .filter_map(|entry| entry.value.err());
            // The rest waits for Secrets, of which nothing is known here.
            failures
                .filter(|failure| failure.class == ErrorClass::Config)
                .map(|failure| problem(failure.message))
                .collect()
        }
    }
}

fn problem(message: String) -> Problem {
    Problem {
        path: String::new(),
        message,
    }
}
