//! The resource, as it may be stored when a schema was older, relaxed or got around.

use std::time::Duration;

use provider_secrets::{
    api::{DataFromSource, Entry, ProviderSecret, ProviderSecretSpec},
    provider::rules,
};

/// Decodes a `ProviderSecret` and asks it everything that the operator asks.
///
/// # Panics
/// When an answer is not sane.
pub fn resource(input: &[u8]) {
    let Ok(object) = serde_json::from_slice::<ProviderSecret>(input) else {
        return;
    };
    read(&object.spec);
    if let Some(choice) = object.spec.provider.choice() {
        let kind = choice.kind();
        assert_eq!(rules(kind).kind, kind);
        assert!(
            object
                .spec
                .secret_names()
                .contains(&choice.api_key_secret_ref().name.as_str())
        );
        let _ = choice.endpoint();
        for entry in object.spec.entries() {
            let folded = (rules(kind).fold)(&entry.name);
            assert_eq!((rules(kind).fold)(&folded), folded, "folding ends");
            let _ = (rules(kind).check_name)(&entry.name);
        }
    }
    // What was read can be written and is then read as the same.
    let text = serde_json::to_vec(&object).expect("a resource can be written");
    let again: ProviderSecret = serde_json::from_slice(&text).expect("and read");
    assert_eq!(again.spec, object.spec);
    assert_eq!(again.status, object.status);
}

fn read(spec: &ProviderSecretSpec) {
    let _ = (
        spec.is_suspended(),
        spec.deletion_policy(),
        spec.conflict_policy(),
    );
    let bounds = Duration::from_mins(1)..=Duration::from_hours(168);
    for interval in [spec.verify_interval(), spec.rewrite_interval()] {
        assert!(interval.is_none_or(|interval| bounds.contains(&interval)));
    }
    let names = spec.secret_names();
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]));
    let is_there = |entry: &Entry| {
        let source = entry.source();
        source.is_none_or(|source| names.contains(&source.secret_name()))
    };
    assert!(spec.entries().iter().all(is_there));
    let is_there = |source: &DataFromSource| names.contains(&source.secret_ref.name.as_str());
    assert!(spec.bulk_sources().iter().all(is_there));
}
