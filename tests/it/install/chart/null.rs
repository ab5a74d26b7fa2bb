//! A value that is null: what is rendered then, and that the API server takes it.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    DRY_RUN, arguments_of, container, find, has, install, kubectl, list, namespace, pod, render,
    shared_cluster,
    values::{maps_of_schema, names_of_schema},
};

/// Runs of Helm at once.
const AT_ONCE: usize = 4;

/// Every value of the schema, and every map of values.
fn all_values() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in names_of_schema() {
        let parts: Vec<&str> = name.split('.').collect();
        all.extend((1..=parts.len()).map(|count| parts[..count].join(".")));
    }
    all
}

#[tokio::test]
async fn every_value_may_be_null() {
    let cluster = shared_cluster().await;
    let mut seen = BTreeSet::new();
    let rendered = stream::iter(all_values()).map(async |name| {
        let set = format!("--set={name}=null");
        let objects = install("provider-secrets", &[&set, "--namespace=chart-null"]).await;
        (name, objects)
    });
    let rendered: Vec<(String, Vec<Value>)> = rendered.buffer_unordered(AT_ONCE).collect().await;
    for (name, objects) in rendered {
        assert!(has(&objects, "Deployment"), "{name}");
        // Nobody loses every ProviderSecret for a null.
        let definition = find(&objects, "CustomResourceDefinition", "");
        let annotations = &definition["metadata"]["annotations"];
        assert_eq!(annotations["helm.sh/resource-policy"], "keep", "{name}");
        seen.extend(objects.iter().map(Value::to_string));
    }
    // Two replicas without a lease are refused by the schema, so null is no such thing.
    let elects = render(&["--set=leaderElection=null"]).await;
    assert!(arguments_of(&elects).contains(&"--leader-elect=true"));

    namespace(cluster, "chart-null", &json!({})).await;
    let items: Vec<Value> = seen
        .iter()
        .map(|object| serde_json::from_str(object).expect("JSON"))
        .collect();
    assert!(items.len() > 40, "{}", items.len());
    let all = list(&items);
    kubectl(cluster, &DRY_RUN, Some(&all)).await;
}

/// A second file of values takes away so what the first one gave.
#[tokio::test]
async fn an_entry_of_a_map_that_is_null_is_not_there() {
    let file = tempfile::NamedTempFile::with_suffix(".json").expect("a file");
    let path = format!("--values={}", file.path().display());
    let rendered = async |values: &Value| {
        std::fs::write(file.path(), values.to_string()).expect("it is written");
        render(&[&path]).await
    };
    let monitor = json!({"enabled": true, "renderMode": "alwaysRender"});
    let mut values = json!({
        "serviceMonitor": monitor, "podMonitor": monitor, "prometheusRule": monitor,
        "grafanaDashboard": {"enabled": true}, "argocd": {"healthConfigMap": {"enabled": true}},
        "networkPolicy": {"enabled": true},
    });
    let without = rendered(&values).await;
    let maps = maps_of_schema();
    assert!(maps.len() > 20, "{maps:?}");
    for name in &maps {
        let entry = if name == "endpoints" {
            "baseten"
        } else if name.to_lowercase().contains("probe") {
            "successThreshold"
        } else {
            "entry"
        };
        let mut map = &mut values;
        for part in name.split('.') {
            map = &mut map[part];
        }
        map[entry] = Value::Null;
    }
    assert_eq!(rendered(&values).await, without);
}

#[tokio::test]
async fn what_is_null_is_not_there() {
    let set = "--set=securityContext=null,probes=null,log=null,metrics.service=null,\
        podSecurityContext.runAsUser=null,replicaCount=null";
    let objects = render(&[set]).await;
    let container = container(&objects);
    for member in ["securityContext", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[member], Value::Null, "{member}");
    }
    let context = &pod(&objects)["spec"]["securityContext"];
    assert_eq!(context["runAsUser"], Value::Null);
    assert_eq!(context["runAsNonRoot"], true);
    assert!(!has(&objects, "Service"));
    let deployment = find(&objects, "Deployment", "");
    // A HorizontalPodAutoscaler, or a hand, has the say then.
    assert_eq!(deployment["spec"]["replicas"], Value::Null);
    assert!(has(&objects, "PodDisruptionBudget"));
    let arguments = arguments_of(&objects);
    assert!(!arguments.iter().any(|flag| flag.starts_with("--log-")));
    assert!(arguments.contains(&"--health-probe-bind-address=:8081"));
}
