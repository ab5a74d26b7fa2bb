//! The proxy and the CAs that the chart gives to the operator.

use serde_json::{Value, json};

use super::{arguments_of, container, find, pod, render, template};

/// Cases: K-06
#[tokio::test]
async fn a_proxy_and_cas_come_as_files() {
    let set = "--set=proxy.https=http://proxy1:3128,proxy.noProxy=.internal,proxy.credentials.secretName=proxy,\
        caBundle.secretName=ca,caBundle.key=all.pem,extraVolumes[0].name=more,extraVolumeMounts[0].name=more,\
        extraVolumeMounts[0].mountPath=/more,networkPolicy.enabled=true";
    let objects = render(&[set]).await;
    let arguments = arguments_of(&objects);
    for argument in [
        "--https-proxy=http://proxy1:3128",
        "--no-proxy=.internal",
        "--https-proxy-credentials=/etc/provider-secrets/proxy/credentials",
        "--ca-bundle=/etc/provider-secrets/ca/all.pem",
    ] {
        assert!(arguments.contains(&argument), "{arguments:?}");
    }
    let names = |list: &Value| -> Vec<Value> {
        let list = list.as_array().expect("a list");
        list.iter().map(|one| one["name"].clone()).collect()
    };
    let volumes = &pod(&objects)["spec"]["volumes"];
    let mounts = &container(&objects)["volumeMounts"];
    assert_eq!(names(volumes), names(mounts));
    assert_eq!(volumes[0]["secret"], json!({"secretName": "ca"}));
    assert_eq!(mounts[0]["mountPath"], "/etc/provider-secrets/ca");
    assert_eq!(mounts[0]["readOnly"], true);
    assert_eq!(volumes[1]["secret"], json!({"secretName": "proxy"}));
    assert_eq!(mounts[1]["mountPath"], "/etc/provider-secrets/proxy");
    assert_eq!(volumes[2], json!({"name": "more"}));
    let policy = find(&objects, "NetworkPolicy", "");
    let ports = policy["spec"]["egress"][1]["ports"].to_string();
    assert!(ports.contains("3128"), "{ports}");
}

#[tokio::test]
async fn without_either_nothing_is_mounted() {
    let objects = render(&["--set=proxy.credentials.secretName=unused"]).await;
    assert_eq!(pod(&objects)["spec"]["volumes"], Value::Null);
    assert_eq!(container(&objects)["volumeMounts"], Value::Null);
    let of_egress = |argument: &&&str| argument.contains("proxy") || argument.contains("ca-bundle");
    let arguments = arguments_of(&objects);
    assert_eq!(arguments.iter().find(of_egress), None);
}

#[tokio::test]
async fn what_would_be_seen_or_unclear_is_refused() {
    for set in [
        "--set=proxy.https=http://user:password@proxy:3128",
        "--set=proxy.https=proxy:3128",
        "--set=caBundle.configMapName=a,caBundle.secretName=b",
    ] {
        assert!(!template(&[set]).await.success, "{set}");
    }
}
