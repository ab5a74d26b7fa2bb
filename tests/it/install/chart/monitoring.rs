//! What the chart installs for monitoring, and the NetworkPolicy.

use serde_json::{Value, json};

use super::{DRY_RUN, documents, find, has, kubectl, namespace, read, render, shared_cluster};
use crate::guards::ALERTS;

/// The API of the Prometheus operator, as helm is told of it.
const API: [&str; 3] = [
    "--api-versions=monitoring.coreos.com/v1/ServiceMonitor",
    "--api-versions=monitoring.coreos.com/v1/PodMonitor",
    "--api-versions=monitoring.coreos.com/v1/PrometheusRule",
];
const ALL: &str =
    "--set=serviceMonitor.enabled=true,podMonitor.enabled=true,prometheusRule.enabled=true";

#[tokio::test]
async fn where_the_api_is_missing_there_is_nothing() {
    let objects = render(&[ALL]).await;
    for kind in ["ServiceMonitor", "PodMonitor", "PrometheusRule"] {
        assert!(!has(&objects, kind), "{kind}");
    }
    // One API may be there without another.
    let objects = render(&[ALL, API[2]]).await;
    assert!(has(&objects, "PrometheusRule") && !has(&objects, "ServiceMonitor"));
}

/// `helm template` knows no API server.
#[tokio::test]
async fn a_missing_api_is_a_failure_or_none_where_that_is_asked_for() {
    for (name, kind) in [
        ("serviceMonitor", "ServiceMonitor"),
        ("podMonitor", "PodMonitor"),
        ("prometheusRule", "PrometheusRule"),
    ] {
        let set = |mode: &str| format!("--set={name}.enabled=true,{name}.renderMode={mode}");
        let objects = render(&[&set("alwaysRender")]).await;
        assert!(has(&objects, kind), "{kind}");
        assert!(!has(&render(&[&set("skipIfMissing")]).await, kind));
        let fails = set("failIfMissing");
        let refused = super::template(&[&fails]).await;
        let api = format!("monitoring.coreos.com/v1/{kind}");
        assert!(!refused.success && refused.stderr.contains(&api), "{kind}");
        let api = format!("--api-versions={api}");
        assert!(has(&render(&[&fails, &api]).await, kind), "{kind}");
        // Nothing is missing where nothing is asked for.
        let off = format!("--set={name}.renderMode=failIfMissing");
        assert!(!has(&render(&[&off]).await, kind), "{kind}");
    }
}

#[tokio::test]
async fn a_monitor_finds_the_metrics_and_leaves_the_namespace_of_a_series() {
    let more = "--set=serviceMonitor.additionalLabels.release=prom,serviceMonitor.interval=15s";
    let objects = render(&[&API[..], &[ALL, more]].concat()).await;
    let monitor = find(&objects, "ServiceMonitor", "");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prom");
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert_eq!(
        *endpoint,
        json!({"port": "metrics", "path": "/metrics", "honorLabels": true, "interval": "15s"})
    );
    let service = find(&objects, "Service", "-metrics");
    let selected = monitor["spec"]["selector"]["matchLabels"].as_object();
    for (name, value) in selected.expect("labels") {
        assert_eq!(&service["metadata"]["labels"][name], value, "{name}");
    }
    let monitor = find(&objects, "PodMonitor", "");
    let deployment = find(&objects, "Deployment", "");
    assert_eq!(monitor["spec"]["selector"], deployment["spec"]["selector"]);
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["honorLabels"], true);
    let ports = deployment["spec"]["template"]["spec"]["containers"][0]["ports"].as_array();
    let has_port = |port: &Value| port["name"] == endpoint["port"];
    assert!(ports.expect("ports").iter().any(has_port));
}

#[tokio::test]
async fn a_monitor_or_alerts_of_nothing_are_refused() {
    for (set, reason) in [
        (
            "--set=serviceMonitor.enabled=true,metrics.service.enabled=false",
            "serviceMonitor.enabled needs",
        ),
        (
            "--set=podMonitor.enabled=true,metrics.enabled=false",
            "podMonitor.enabled needs",
        ),
        (
            "--set=prometheusRule.enabled=true,metrics.enabled=false",
            "prometheusRule.enabled needs",
        ),
    ] {
        let output = super::template(&[&API[..], &[set]].concat()).await;
        assert!(!output.success);
        assert!(output.stderr.contains(reason), "{}", output.stderr);
    }
}

#[tokio::test]
async fn the_rules_are_those_of_the_file_and_the_users() {
    let more = "--set-json=prometheusRule={\"enabled\":true,\"rules\":[{\"alert\":\"Mine\",\"expr\":\"up == 0\"}]}";
    let objects = render(&[&API[..], &[more]].concat()).await;
    let groups = &find(&objects, "PrometheusRule", "")["spec"]["groups"];
    let file = documents(&read(ALERTS)).remove(0);
    assert_eq!(groups[0], file["groups"][0]);
    assert_eq!(groups[1]["rules"][0]["alert"], "Mine");
    assert_eq!(groups.as_array().map(Vec::len), Some(2));
}

/// Cases: K-06
#[tokio::test]
async fn a_network_policy_lets_through_what_the_operator_needs() {
    let cluster = shared_cluster().await;
    namespace(cluster, "chart-network", &json!({})).await;
    let ports = |policy: &Value, rule: usize| -> Vec<Value> {
        let ports = policy["spec"]["egress"][rule]["ports"].as_array();
        let port = |port: &Value| port["port"].clone();
        ports.expect("ports").iter().map(port).collect()
    };
    let on = "--set=networkPolicy.enabled=true,namespaceOverride=chart-network";
    let objects = render(&[on]).await;
    let policy = find(&objects, "NetworkPolicy", "");
    let deployment = find(&objects, "Deployment", "");
    // The pods of the Deployment, and that of `helm test`.
    let mut labels = deployment["spec"]["selector"]["matchLabels"].clone();
    let component = "app.kubernetes.io/component";
    labels.as_object_mut().expect("labels").remove(component);
    let selector = json!({
        "matchLabels": labels,
        "matchExpressions": [
            {"key": component, "operator": "In", "values": ["controller", "doctor"]},
        ],
    });
    assert_eq!(policy["spec"]["podSelector"], selector);
    let doctor = find(&objects, "Pod", "");
    for (name, value) in labels.as_object().expect("labels") {
        assert_eq!(&doctor["metadata"]["labels"][name], value);
    }
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(ports(policy, 0), [json!(53), json!(53)]);
    assert_eq!(ports(policy, 1), [json!(443), json!(6443)]);

    let more = "--set=endpoints.baseten=https://proxy.example:8443/base,endpoints.pipecat/test=https://x.example,\
        endpoints.braintrust=https://[fd00::1]:444,metrics.enabled=false,networkPolicy.egress[0].ports[0].port=3128";
    let objects = render(&[on, more]).await;
    let policy = find(&objects, "NetworkPolicy", "");
    let expected = [443, 6443, 8443, 444].map(|port| json!(port));
    let mut found = ports(policy, 1);
    found.sort_by_key(Value::to_string);
    let mut expected = expected.to_vec();
    expected.sort_by_key(Value::to_string);
    assert_eq!(found, expected);
    assert_eq!(ports(policy, 2), [json!(3128)]);
    // Nobody reads metrics that are not served.
    assert!(policy["spec"]["ingress"].is_null());
    kubectl(cluster, &DRY_RUN, Some(&policy.to_string())).await;
}
