//! The names of the metrics.

use std::collections::BTreeSet;

use super::*;
use crate::{api::Reason, telemetry::ObjectSample};

#[derive(Debug)]
struct Nothing;

impl AccountStates for Nothing {
    fn held_back(&self) -> Vec<(ProviderKind, Reason)> {
        vec![]
    }

    fn parked(&self) -> Vec<(ProviderKind, usize)> {
        [1, 0, 2].map(|count| (ProviderKind::Baseten, count)).into()
    }
}

impl ObjectSamples for Nothing {
    type Object = ();

    fn objects(&self) -> Vec<()> {
        vec![]
    }

    fn sample((): &()) -> Option<ObjectSample<'_>> {
        None
    }
}

/// Metrics with everything in them that there is to count.
fn whole() -> Metrics {
    let (metrics, kind) = (Metrics::default(), ProviderKind::Baseten);
    metrics.reconciled(ReconcileResult::Synced, Duration::from_millis(3));
    metrics.provider_request(kind, "upsert", "200", Duration::from_millis(5));
    metrics.keys_written(kind, "create", 2);
    metrics.keys_deleted(kind, 1);
    metrics.keys_left_behind(kind, 1);
    metrics.drift_detected(kind, "missing", 1);
    metrics.paused(kind, Duration::from_millis(1500));
    metrics.watch_heard("Secret");
    metrics.watch_was_deaf("Secret");
    metrics.rotated(kind, Duration::from_millis(7));
    metrics.register_queue(|| 4);
    metrics.register_accounts(Nothing);
    metrics.register_unverified(|| vec![ProviderKind::Baseten; 2]);
    metrics.register_objects(Nothing);
    metrics
}

#[test]
fn metrics_have_their_series() {
    let text = whole().render();
    for series in [
        "provider_secrets_build_info{version=",
        "provider_secrets_reconcile_total{kind=\"ProviderSecret\",result=\"synced\"} 1",
        "provider_secrets_reconcile_duration_seconds_count 1",
        "provider_secrets_provider_requests_total{provider=\"baseten\",operation=\"upsert\",code=\"200\"} 1",
        "provider_secrets_provider_request_duration_seconds_count{provider=\"baseten\"} 1",
        "provider_secrets_keys_written_total{provider=\"baseten\",operation=\"create\"} 2",
        "provider_secrets_provider_throttled_seconds_total{provider=\"baseten\"} 1.5",
        "provider_secrets_objects_queued 4",
        "provider_secrets_objects_parked{provider=\"baseten\"} 3",
        "provider_secrets_objects_unverified{provider=\"baseten\"} 2",
        "provider_secrets_rotation_duration_seconds_bucket{le=\"0.01\",provider=\"baseten\"} 1",
    ] {
        assert!(text.contains(series), "{series} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

/// Prometheus sees how a counter grows, and not the value with which it comes.
#[test]
fn the_counters_that_alerts_read_begin_at_0() {
    let metrics = Metrics::default();
    metrics.watch_begins("Secret");
    let text = metrics.render();
    for kind in ProviderKind::ALL {
        let provider = kind.flag();
        for (metric, zero) in [
            ("provider_throttled_seconds", "0.0"),
            ("keys_left_behind", "0"),
        ] {
            let series =
                format!("provider_secrets_{metric}_total{{provider=\"{provider}\"}} {zero}\n");
            assert!(text.contains(&series), "{series} is not in\n{text}");
        }
    }
    let deaf = |metrics: &Metrics, count| {
        let series = format!("provider_secrets_watch_deaf_total{{kind=\"Secret\"}} {count}\n");
        metrics.render().contains(&series)
    };
    assert!(deaf(&metrics, 0), "{text}");
    metrics.watch_was_deaf("Secret");
    metrics.watch_begins("Secret");
    assert!(deaf(&metrics, 1), "{}", metrics.render());
}

#[test]
fn each_metric_is_in_the_reference_and_each_of_the_reference_is_there() {
    let reference = include_str!("../../../docs/reference.md").lines();
    let rows = reference.filter_map(|line| line.strip_prefix("| `provider_secrets_"));
    let documented: BTreeSet<_> = rows.filter_map(|row| row.split('`').next()).collect();
    let text: String = whole().chunks(Exposition::Text).collect();
    let types = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE provider_secrets_"));
    let served: BTreeSet<_> = types.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(served, documented);
}
