//! What the chart renders.

use serde_json::{Value, json};

use super::{
    arguments_of, chart, container, documents, find, has, pod, read, render, shared_cluster,
};

#[tokio::test]
async fn lint_finds_nothing() {
    let arguments = ["lint", "--strict", &chart()];
    let output = shared_cluster()
        .await
        .helm_output(&arguments, None)
        .await
        .unwrap();
    assert!(output.success, "{}{}", output.stdout, output.stderr);
    assert!(!output.stdout.contains("[WARNING]"), "{}", output.stdout);
}

#[tokio::test]
async fn a_pod_stands_by() {
    let objects = render(&[]).await;
    let deployment = find(&objects, "Deployment", "");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let rolling = json!({"maxUnavailable": 0, "maxSurge": 1});
    assert_eq!(
        deployment["spec"]["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": rolling})
    );
    let arguments = arguments_of(&objects);
    for argument in [
        "--leader-elect=true",
        "--leader-election-id=provider-secrets",
        "--leader-election-lease-duration=15s",
    ] {
        assert!(arguments.contains(&argument), "{arguments:?}");
    }
    let selector = &deployment["spec"]["selector"];
    let budget = find(&objects, "PodDisruptionBudget", "");
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    assert_eq!(&budget["spec"]["selector"], selector);
    let spread = &pod(&objects)["spec"]["topologySpreadConstraints"];
    assert_eq!(spread[0]["topologyKey"], "kubernetes.io/hostname");
    assert_eq!(&spread[0]["labelSelector"], selector);
}

#[tokio::test]
async fn one_pod_at_a_time_without_a_lease() {
    let objects = render(&["--set=leaderElection.enabled=false,replicaCount=1"]).await;
    let deployment = find(&objects, "Deployment", "");
    assert_eq!(deployment["spec"]["strategy"], json!({"type": "Recreate"}));
    assert!(arguments_of(&objects).contains(&"--leader-elect=false"));
    for kind in ["Role", "RoleBinding", "PodDisruptionBudget"] {
        assert!(!has(&objects, kind), "{kind}");
    }
}

/// Cases: K-01
#[tokio::test]
async fn the_lease_is_named_and_the_only_one() {
    let objects = render(&["--set=fullnameOverride=other"]).await;
    let role = find(&objects, "Role", "other-lease");
    let leases = |rule: Value| {
        let mut whole = json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]});
        whole
            .as_object_mut()
            .unwrap()
            .extend(rule.as_object().unwrap().clone());
        whole
    };
    assert_eq!(
        role["rules"],
        json!([
            leases(json!({"resourceNames": ["other"], "verbs": ["get", "list", "watch", "patch"]})),
            leases(json!({"verbs": ["create"]})),
        ])
    );
    assert!(arguments_of(&objects).contains(&"--leader-election-id=other"));
}

#[tokio::test]
async fn the_pod_may_do_little() {
    let objects = render(&[]).await;
    let spec = &pod(&objects)["spec"];
    assert_eq!(
        spec["securityContext"],
        json!({
            "runAsNonRoot": true,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
    assert_eq!(
        container(&objects)["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        })
    );
    assert_eq!(spec["automountServiceAccountToken"], true);
    let account = find(&objects, "ServiceAccount", "");
    assert_eq!(account["automountServiceAccountToken"], false);
    assert_eq!(spec["serviceAccountName"], account["metadata"]["name"]);
}

/// Cases: K-01
#[tokio::test]
async fn the_operator_has_the_verbs_it_uses_and_no_other() {
    let objects = render(&[]).await;
    let role = find(&objects, "ClusterRole", "provider-secrets");
    let allow = |group: &str, resource: &str, verbs: &[&str]| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
    assert_eq!(
        role["rules"],
        json!([
            allow(
                "providersecrets.dev",
                "providersecrets",
                &["get", "list", "watch", "patch"]
            ),
            allow("providersecrets.dev", "providersecrets/status", &["patch"]),
            allow("", "secrets", &["get", "list", "watch"]),
            allow("", "namespaces", &["get"]),
            allow("events.k8s.io", "events", &["create"]),
        ])
    );
    let binding = find(&objects, "ClusterRoleBinding", "");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(
        binding["subjects"][0]["name"],
        find(&objects, "ServiceAccount", "")["metadata"]["name"]
    );
}

#[tokio::test]
async fn roles_of_people_never_touch_secrets() {
    let objects = render(&[]).await;
    for end in ["-view", "-edit"] {
        let role = find(&objects, "ClusterRole", end);
        assert!(!role["rules"].to_string().contains("\"secrets\""), "{role}");
    }
    let labels = &find(&objects, "ClusterRole", "-edit")["metadata"]["labels"];
    assert_eq!(
        labels["rbac.authorization.k8s.io/aggregate-to-edit"],
        "true"
    );
    assert_eq!(
        labels["rbac.authorization.k8s.io/aggregate-to-view"],
        Value::Null
    );
    let none = render(&[
        "--set",
        "rbac.aggregateClusterRoles=false,rbac.create=false",
    ])
    .await;
    assert!(!has(&none, "ClusterRole") && !has(&none, "ClusterRoleBinding"));
}

#[tokio::test]
async fn values_become_flags() {
    let objects = render(&[]).await;
    assert_eq!(
        arguments_of(&objects),
        [
            "run",
            "--metrics-bind-address=:8080",
            "--metrics-per-resource=true",
            "--health-probe-bind-address=:8081",
            "--max-concurrent-reconciles=32",
            "--max-calls-per-account=8",
            "--verify-interval=10m",
            "--deletion-timeout=15m",
            "--removal-grace=1m",
            "--require-source-opt-in=false",
            "--require-namespace-opt-in=false",
            "--baseten-authorization=api-key",
            "--leader-elect=true",
            "--leader-election-id=provider-secrets",
            "--leader-election-lease-duration=15s",
            "--leader-election-renew-deadline=10s",
            "--leader-election-retry-period=2s",
            "--log-level=info",
            "--log-format=json",
        ]
    );
    let objects = render(&[
        "--set=endpoints.baseten=https://one.example",
        "--set=endpoints.braintrust/eu=https://two.example",
        "--set=extraArgs={--another-flag=1}",
        "--set=leaderElection.leaseDuration=30s,leaderElection.renewDeadline=20s",
        "--set=metrics.enabled=false,metrics.perResource=false",
        "--set=probes.port=9081,log.format=text,basetenAuthorization=bearer",
        "--set=concurrency.maxConcurrentReconciles=1000",
        "--set=verifyInterval=1h,deletionTimeout=5m,removalGrace=1h30m",
        "--set=requireSourceOptIn=true,requireNamespaceOptIn=true",
    ])
    .await;
    assert_eq!(
        arguments_of(&objects),
        [
            "run",
            "--metrics-bind-address=127.0.0.1:8080",
            "--metrics-per-resource=false",
            "--health-probe-bind-address=:9081",
            "--max-concurrent-reconciles=1000",
            "--max-calls-per-account=8",
            "--verify-interval=1h",
            "--deletion-timeout=5m",
            "--removal-grace=1h30m",
            "--require-source-opt-in=true",
            "--require-namespace-opt-in=true",
            "--baseten-authorization=bearer",
            "--leader-elect=true",
            "--leader-election-id=provider-secrets",
            "--leader-election-lease-duration=30s",
            "--leader-election-renew-deadline=20s",
            "--leader-election-retry-period=2s",
            "--log-level=info",
            "--log-format=text",
            "--endpoint=baseten=https://one.example",
            "--endpoint=braintrust/eu=https://two.example",
            "--another-flag=1",
        ]
    );
    assert!(!has(&objects, "Service"));
}

#[tokio::test]
async fn ports_meet() {
    let objects = render(&["--set=metrics.port=9090,metrics.service.port=80"]).await;
    let ports = &container(&objects)["ports"];
    assert_eq!(ports[0]["name"], "probes");
    assert_eq!(
        ports[1],
        json!({"name": "metrics", "containerPort": 9090, "protocol": "TCP"})
    );
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(
            container(&objects)[probe]["httpGet"],
            json!({"path": path, "port": "probes"})
        );
    }
    let service = find(&objects, "Service", "-metrics");
    assert_eq!(service["spec"]["ports"][0]["port"], 80);
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "metrics");
    let selector = service["spec"]["selector"].as_object().unwrap();
    let labels = pod(&objects)["metadata"]["labels"].as_object().unwrap();
    assert!(
        selector
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
    );
}

#[tokio::test]
async fn an_image_has_a_tag_or_a_digest() {
    let version = env!("CARGO_PKG_VERSION");
    let objects = render(&[]).await;
    let image = format!("provider-secrets/provider-secrets:{version}");
    assert_eq!(container(&objects)["image"], image);

    let digest = format!("sha256:{}", "0a".repeat(32));
    let objects = render(&[
        &format!("--set=image.digest={digest},image.tag=unused"),
        "--set=global.imageRegistry=registry.example",
        "--set=global.imagePullSecrets[0].name=shared,imagePullSecrets[0].name=own",
    ])
    .await;
    let image = format!("registry.example/provider-secrets/provider-secrets@{digest}");
    assert_eq!(container(&objects)["image"], image);
    let pull = json!([{"name": "shared"}, {"name": "own"}]);
    assert_eq!(pod(&objects)["spec"]["imagePullSecrets"], pull);
    // As an umbrella chart gives them that knows names alone.
    let names = "--set=global.imagePullSecrets={shared,own},imagePullSecrets[0].name=own";
    let objects = render(&[names]).await;
    for pod in [pod(&objects), find(&objects, "Pod", "-doctor")] {
        assert_eq!(pod["spec"]["imagePullSecrets"], pull);
    }
}

#[tokio::test]
async fn the_definition_is_the_generated_one() {
    let mut definition = find(&render(&[]).await, "CustomResourceDefinition", "").clone();
    let keep = &definition["metadata"]["annotations"]["helm.sh/resource-policy"];
    assert_eq!(keep, "keep");
    let labels = &definition["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/part-of"], "provider-secrets");

    let generated = documents(&read("crds/providersecrets.yaml")).remove(0);
    definition["metadata"] = generated["metadata"].clone();
    assert_eq!(definition, generated);
}

#[tokio::test]
async fn the_definition_can_be_left_out_or_go_with_the_release() {
    assert!(!has(
        &render(&["--set=crds.enabled=false"]).await,
        "CustomResourceDefinition"
    ));

    let objects = render(&["--set=crds.keep=false"]).await;
    let definition = find(&objects, "CustomResourceDefinition", "");
    assert_eq!(definition["metadata"]["annotations"], Value::Null);

    let objects = render(&["--set=crds.annotations.mine=yes,commonAnnotations.ours=too"]).await;
    let definition = find(&objects, "CustomResourceDefinition", "");
    assert_eq!(
        definition["metadata"]["annotations"],
        json!({"helm.sh/resource-policy": "keep", "mine": "yes", "ours": "too"})
    );
}

#[tokio::test]
async fn names_and_labels_can_be_changed() {
    let objects = render(&[
        "--set=fullnameOverride=psec,namespaceOverride=elsewhere",
        "--set=commonLabels.team=ml,commonAnnotations.note=hello",
    ])
    .await;
    assert!(!objects.is_empty());
    for object in &objects {
        assert_eq!(object["metadata"]["labels"]["team"], "ml", "{object}");
        assert_eq!(
            object["metadata"]["annotations"]["note"], "hello",
            "{object}"
        );
    }
    let deployment = find(&objects, "Deployment", "");
    assert_eq!(deployment["metadata"]["name"], "psec");
    assert_eq!(deployment["metadata"]["namespace"], "elsewhere");
    assert_eq!(pod(&objects)["metadata"]["labels"]["team"], "ml");
    // A selector can never change, so no label of a user is in it.
    assert_eq!(
        deployment["spec"]["selector"]["matchLabels"]["team"],
        Value::Null
    );
}

#[tokio::test]
async fn everything_a_pod_may_need_can_be_given() {
    let values = json!({
        "podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}, "deploymentAnnotations": {"e": "f"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"a": "b"}}}],
        "priorityClassName": "high", "runtimeClassName": "gvisor",
        "terminationGracePeriodSeconds": 45, "revisionHistoryLimit": 0,
        "dnsPolicy": "Default", "dnsConfig": {"nameservers": ["192.0.2.1"]},
        "hostAliases": [{"ip": "192.0.2.2", "hostnames": ["proxy.example"]}],
        "extraEnv": [{"name": "RUST_LOG", "value": "info"}],
        "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ssl/more"}],
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-map"}},
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\n",
        ],
    });
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(file.path(), values.to_string()).unwrap();
    let objects = render(&["--values", &file.path().display().to_string()]).await;

    let deployment = find(&objects, "Deployment", "");
    assert_eq!(
        deployment["metadata"]["annotations"],
        values["deploymentAnnotations"]
    );
    assert_eq!(deployment["spec"]["revisionHistoryLimit"], 0);
    let pod = pod(&objects);
    assert_eq!(pod["metadata"]["labels"]["a"], "b");
    assert_eq!(pod["metadata"]["annotations"], values["podAnnotations"]);
    for field in [
        "nodeSelector",
        "tolerations",
        "affinity",
        "topologySpreadConstraints",
        "priorityClassName",
        "runtimeClassName",
        "terminationGracePeriodSeconds",
        "dnsPolicy",
        "dnsConfig",
        "hostAliases",
    ] {
        assert_eq!(pod["spec"][field], values[field], "{field}");
    }
    assert_eq!(pod["spec"]["volumes"], values["extraVolumes"]);
    let container = container(&objects);
    assert_eq!(container["env"][0]["name"], "POD_NAME");
    assert_eq!(container["env"][1], values["extraEnv"][0]);
    assert_eq!(container["envFrom"], values["extraEnvFrom"]);
    assert_eq!(container["volumeMounts"], values["extraVolumeMounts"]);
    find(&objects, "ConfigMap", "provider-secrets-map");
    find(&objects, "ConfigMap", "text");
}
