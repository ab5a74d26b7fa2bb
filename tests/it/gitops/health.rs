//! Whether an object is healthy: what Argo CD, kstatus (which Flux and Helm use), and `kubectl wait` say of every status
//! that the operator can write, on a real API server. The table of `docs/gitops/health.md` is made here.

mod table; // the document's

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use cluster::Cluster;
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use provider_secrets::api::{FINALIZER, ProviderSecret};
use serde_json::{Value, json};

use self::table::{Verdicts, table};
use super::{cluster_without_operator, gitops};
use crate::guards::assert_generated;
use crate::harness::{root, run, statuses, until};
use crate::install::chart::{kubectl, namespace};

const DOCUMENT: &str = "docs/gitops/health.md";
const BEGIN: &str = "<!-- Generated from tests/statuses.jsonl by `make statuses`. -->\n";
const END: &str = "<!-- End of what is generated. -->";

/// The fixture that a cluster with our definition never shows, because the definition has a default for status.
const NO_STATUS: &str = "no-status";

/// What was done to an object after its status was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Then {
    Nothing,
    /// Its spec was edited.
    Edited,
    /// It was deleted, and a finalizer keeps it.
    Deleted,
}

impl Then {
    const ALL: [Self; 3] = [Self::Nothing, Self::Edited, Self::Deleted];

    fn namespace(self) -> &'static str {
        match self {
            Self::Nothing => "statuses",
            Self::Edited => "edited",
            Self::Deleted => "deleted",
        }
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("a name")
}

fn is_deleted(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// Makes an object with the status of a fixture.
async fn make(client: &Client, fixture: &Value, then: Then) {
    let objects: Api<ProviderSecret> = Api::namespaced(client.clone(), then.namespace());
    let name = name(fixture);
    let parameters = PatchParams::default();
    let mut object = json!({
        "apiVersion": fixture["apiVersion"],
        "kind": fixture["kind"],
        "metadata": {"name": name},
        "spec": fixture["spec"],
    });
    let keeps = is_deleted(fixture) || then == Then::Deleted;
    if keeps {
        object["metadata"]["finalizers"] = json!([FINALIZER]);
    }
    let object = serde_json::from_value(object).expect("an object");
    objects
        .create(&PostParams::default(), &object)
        .await
        .expect("it is made");
    let delete = async || {
        let deleted = objects.delete(name, &DeleteParams::default()).await;
        deleted.expect("it is deleted");
    };
    if is_deleted(fixture) {
        delete().await;
    }
    let live = objects.get(name).await.expect("it is there");
    let mut status = fixture["status"].clone();
    if status["observedGeneration"] == fixture["metadata"]["generation"] {
        // A deletion counts as a generation.
        let generation = json!(live.metadata.generation);
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            condition["observedGeneration"] = generation.clone();
        }
        status["observedGeneration"] = generation;
    }
    if status["conditions"].is_array() {
        let patch = Patch::Merge(json!({"status": status}));
        objects
            .patch_status(name, &parameters, &patch)
            .await
            .expect("status is written");
    }
    match then {
        Then::Nothing => {}
        Then::Edited => {
            let patch = Patch::Merge(json!({"spec": {"verifyInterval": "1h30m"}}));
            objects
                .patch(name, &parameters, &patch)
                .await
                .expect("it is edited");
        }
        Then::Deleted => delete().await,
    }
}

/// What the tools say of the objects of a namespace.
async fn verdicts(cluster: &Cluster, namespace: &str) -> BTreeMap<String, Verdicts> {
    let get = ["get", "psec", "--namespace", namespace, "--output=json"];
    let list: Value = serde_json::from_str(&kubectl(cluster, &get, None).await).expect("JSON");
    let objects = list["items"].as_array().expect("a list");
    // At once: whether the condition holds now.
    let wait = [
        "wait",
        "psec",
        "--all",
        "--namespace",
        namespace,
        "--for=condition=Ready",
        "--timeout=0",
    ];
    let waited = cluster
        .kubectl_output(&wait, None)
        .await
        .expect("kubectl runs");
    let met: BTreeSet<&str> = waited
        .stdout
        .lines()
        .filter_map(|line| line.strip_suffix(" condition met")?.rsplit('/').next())
        .collect();
    let said = gitops("health", None, objects).await;
    let said = objects.iter().zip(said).map(|(object, said)| {
        let status = |tool: &str| said[tool]["status"].as_str().expect("a status").to_owned();
        assert_ne!(said["argo"]["message"], "", "{object}");
        let verdicts = Verdicts {
            argo: status("argo"),
            kstatus: status("kstatus"),
            wait: met.contains(name(object)),
        };
        (name(object).to_owned(), verdicts)
    });
    said.collect()
}

/// A status without the default of the definition, as before it had one.
async fn make_without_status(cluster: &Cluster, fixture: &Value) {
    let default = "/spec/versions/0/schema/openAPIV3Schema/properties/status/default";
    let patch = json!([{"op": "remove", "path": default}]).to_string();
    let crd = "crd/providersecrets.providersecrets.dev";
    kubectl(
        cluster,
        &["patch", crd, "--type=json", "--patch", &patch],
        None,
    )
    .await;
    let objects: Api<ProviderSecret> = Api::namespaced(cluster.client(), "statuses");
    until("an object has no status", async || {
        make(&cluster.client(), fixture, Then::Nothing).await;
        let made = objects.get(NO_STATUS).await.expect("it is there");
        if made.status.is_none() {
            return Ok(());
        }
        let deleted = objects.delete(NO_STATUS, &DeleteParams::default()).await;
        deleted.expect("it is deleted");
        Err("the definition still has its default".to_owned())
    })
    .await;
}

/// Cases: R-16
#[test]
fn four_tools_agree_on_every_status_that_the_operator_can_write() {
    run(async {
        let cluster = cluster_without_operator().await;
        let (client, fixtures) = (cluster.client(), statuses());
        let mut said = BTreeMap::new();
        for then in Then::ALL {
            namespace(&cluster, then.namespace(), &json!({})).await;
            let made = fixtures.iter().filter(|fixture| name(fixture) != NO_STATUS);
            // What is being deleted already is edited and deleted no more.
            let made = made.filter(|fixture| then == Then::Nothing || !is_deleted(fixture));
            let made = made.map(|fixture| make(&client, fixture, then));
            futures::future::join_all(made).await;
        }
        for then in Then::ALL {
            for (name, verdicts) in verdicts(&cluster, then.namespace()).await {
                said.insert((then, name), verdicts);
            }
        }
        // The default is given on reading too, so the others are asked before it goes.
        let without = fixtures.iter().find(|fixture| name(fixture) == NO_STATUS);
        make_without_status(&cluster, without.expect("a fixture")).await;
        let mut of_none = verdicts(&cluster, Then::Nothing.namespace()).await;
        let of_none = of_none.remove(NO_STATUS).expect("the object");
        said.insert((Then::Nothing, NO_STATUS.to_owned()), of_none);
        let unnamed: Vec<_> = said
            .iter()
            .filter(|(_, verdicts)| verdicts.differences().is_none())
            .collect();
        assert!(unnamed.is_empty(), "{unnamed:#?}");

        let path = root().join(DOCUMENT);
        let committed = fs::read_to_string(&path).expect("the document");
        let (before, rest) = committed.split_once(BEGIN).expect("the table begins");
        let (_, after) = rest.split_once(END).expect("the table ends");
        let document = format!("{before}{BEGIN}\n{}\n{END}{after}", table(&fixtures, &said));
        assert_generated(&BTreeMap::from([(path, document)]), "statuses");
    });
}

/// Without a fixture of a reason nothing would say what tools make of it.
#[test]
fn each_reason_of_a_condition_is_in_the_table() {
    let document = fs::read_to_string(root().join(DOCUMENT)).expect("the document");
    let table = fs::read_to_string(root().join("docs/reasons.yaml")).expect("the table");
    let table: Value = serde_saphyr::from_str(&table).expect("YAML");
    for row in table["reasons"].as_array().expect("rows") {
        let reason = row["reason"].as_str().expect("a reason");
        // That of the condition beside Ready, which has the reason that counts.
        let is_shown = row["class"] != "event only" && reason != "ProgressingWithRetry";
        let cell = format!("| [`{reason}`](");
        assert_eq!(document.contains(&cell), is_shown, "{reason}");
    }
}
