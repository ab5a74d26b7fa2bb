//! What users have asked of an object in its annotations.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::{FLUX_REQUESTED_AT, ProviderSecret, SYNC_REQUESTED_AT};

/// The annotations that request a sync.
pub(crate) const REQUESTS: [&str; 2] = [SYNC_REQUESTED_AT, FLUX_REQUESTED_AT];
/// How many characters of a request count; status holds no more.
const LONGEST_REQUEST: usize = 1024;

/// The request for a sync that was not acted on yet. Of two annotations the later time counts, whatever its zone is;
/// one that is no time counts for less than one that is, and of two such ones the later text.
pub(crate) fn requested(object: &ProviderSecret) -> Option<String> {
    let annotations = object.annotations();
    let asked = REQUESTS
        .into_iter()
        .filter_map(|key| annotations.get(key))
        .max_by_key(|asked| request_order(asked))?;
    let asked: String = asked.chars().take(LONGEST_REQUEST).collect();
    let status = object.status.as_ref();
    let handled = status.and_then(|status| status.last_handled_sync_request.as_deref());
    is_new_request(&asked, handled).then_some(asked)
}

/// Whether a request is a newer one than that which was handled last. Of two times only the later one is: an annotation
/// that somebody takes away or puts back leaves an earlier one, which would confirm what is held.
pub(crate) fn is_new_request(asked: &str, handled: Option<&str>) -> bool {
    let Some(handled) = handled else { return true };
    let (asked, handled) = (request_order(asked), request_order(handled));
    if asked.0.is_some() && handled.0.is_some() {
        asked > handled
    } else {
        asked.1 != handled.1
    }
}

/// What orders requests: that of two which is greater is the later one.
pub(crate) fn request_order(asked: &str) -> (Option<Timestamp>, &str) {
    (asked.parse().ok(), asked)
}

/// Whether users have asked the same of two states of an object: neither the spec nor a request differs.
pub(crate) fn is_asked_alike(one: &ProviderSecret, other: &ProviderSecret) -> bool {
    let requests =
        |object: &ProviderSecret| REQUESTS.map(|key| object.annotations().get(key).cloned());
    one.metadata.generation == other.metadata.generation && requests(one) == requests(other)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn object() -> ProviderSecret {
        serde_json::from_value(json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "o", "namespace": "n"},
            "spec": {"provider": {"baseten": {"apiKeySecretRef": {"name": "key", "key": "k"}}}},
        }))
        .unwrap()
    }

    #[test]
    fn either_annotation_asks() {
        for annotation in REQUESTS {
            let mut object = object();
            let annotations = object.annotations_mut();
            annotations.insert(annotation.to_owned(), "2026-11-21T12:00:00Z".to_owned());
            let asked = requested(&object);
            assert_eq!(asked.as_deref(), Some("2026-11-21T12:00:00Z"));
        }
    }

    /// One that was handled stays in its annotation.
    #[rstest]
    #[case::in_another_zone("2026-11-21T15:00:00+02:00", "2026-11-21T13:30:00Z", true)]
    #[case::before_it_in_another_zone("2026-11-21T13:00:00Z", "2026-11-21T14:30:00+02:00", false)]
    #[case::after_what_is_no_time("now", "2026-11-21T12:00:00Z", true)]
    #[case::what_is_no_time("1", "2", true)]
    #[case::what_is_an_earlier_text_and_no_time("2", "1", false)]
    fn of_two_requests_the_later_one_counts(
        #[case] handled: &str,
        #[case] asked: &str,
        #[case] counts: bool,
    ) {
        let mut object = object();
        let annotations = object.annotations_mut();
        annotations.insert(FLUX_REQUESTED_AT.to_owned(), handled.to_owned());
        annotations.insert(SYNC_REQUESTED_AT.to_owned(), asked.to_owned());
        let status = object.status.get_or_insert_default();
        status.last_handled_sync_request = Some(handled.to_owned());
        assert_eq!(requested(&object).as_deref(), counts.then_some(asked));
    }

    /// The later one was handled, and its annotation is taken away or set back.
    #[rstest]
    #[case::earlier("2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z", false)]
    #[case::earlier_elsewhere("2026-11-02T00:00:00Z", "2026-11-02T01:00:00+02:00", false)]
    #[case::later("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z", true)]
    #[case::no_time_after_one("2026-11-02T00:00:00Z", "now", true)]
    #[case::a_time_after_none("now", "2026-11-01T00:00:00Z", true)]
    fn what_was_asked_before_the_last_request_is_no_new_one(
        #[case] handled: &str,
        #[case] left: &str,
        #[case] counts: bool,
    ) {
        for annotation in REQUESTS {
            let mut object = object();
            let annotations = object.annotations_mut();
            annotations.insert(annotation.to_owned(), left.to_owned());
            let status = object.status.get_or_insert_default();
            status.last_handled_sync_request = Some(handled.to_owned());
            assert_eq!(requested(&object).as_deref(), counts.then_some(left));
        }
    }
}
