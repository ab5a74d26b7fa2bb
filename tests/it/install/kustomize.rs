//! `deploy/kustomize`: what real kustomize builds of it is what the chart renders.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use cluster::Tool;
use serde_json::{Value, json};

use super::{
    chart::{documents, program, read, succeeded, template},
    packaging::install_yaml,
};
use crate::{
    guards::assert_generated,
    harness::{NAMESPACE, root},
};

/// The APIs that a ServiceMonitor and a PrometheusRule need, and all that a monitoring stack reads.
const MONITORING: [&str; 4] = [
    "--api-versions=monitoring.coreos.com/v1/ServiceMonitor",
    "--api-versions=monitoring.coreos.com/v1/PrometheusRule",
    "--set=serviceMonitor.enabled=true,prometheusRule.enabled=true",
    "--set=grafanaDashboard.enabled=true",
];
const NETWORK_POLICY: [&str; 1] = ["--set=networkPolicy.enabled=true"];
const OWN_NAMESPACE: [&str; 1] =
    ["--set=scope.mode=Namespaces,scope.namespaces={provider-secrets-system}"];

/// What only Helm's own objects carry.
const OF_HELM: [&str; 2] = ["app.kubernetes.io/managed-by", "helm.sh/chart"];

/// What real kustomize builds of an overlay beside the folder `kustomize`.
struct Overlays(tempfile::TempDir);

impl Overlays {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        // Kustomize takes no absolute path.
        let link = directory.path().join("kustomize");
        symlink(root().join("deploy/kustomize"), link).expect("a link");
        Self(directory)
    }

    fn write(&self, name: &str, kustomization: &Value) {
        let folder = self.0.path().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("kustomization.yaml");
        fs::write(path, kustomization.to_string()).expect("a file");
    }

    async fn build(&self, name: &str) -> Vec<Value> {
        let folder = self.0.path().join(name);
        let output = program(Tool::Kustomize, &["build", &folder.display().to_string()]).await;
        comparable(documents(&succeeded(output)))
    }
}

/// Writes a number that is whole as one: kustomize makes 100 of the 100.0 of a schema.
fn whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0);
            if let (None, Some(whole)) = (number.as_i64(), whole) {
                *value = serde_json::from_str(&format!("{whole:.0}")).expect("a number");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Object(members) => members.values_mut().for_each(whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Objects in the order and the form in which two lists of them are compared.
fn comparable(mut objects: Vec<Value>) -> Vec<Value> {
    objects.iter_mut().for_each(whole);
    objects.sort_by_key(key);
    objects
}

/// What names an object.
fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    format!(
        "{} {} {}",
        object["kind"], metadata["namespace"], metadata["name"]
    )
}

/// The objects of the chart as kubectl has them: without Helm's labels, and with the namespace.
async fn of_chart(arguments: &[&str]) -> Vec<Value> {
    let mut objects = documents(&succeeded(
        template(&[arguments, &["--skip-tests"]].concat()).await,
    ));
    for object in &mut objects {
        let labels = object["metadata"]["labels"].as_object_mut();
        labels
            .expect("labels")
            .retain(|name, _| !OF_HELM.contains(&name.as_str()));
    }
    objects.extend(documents(&read("deploy/kustomize/base/namespace.yaml")));
    comparable(objects)
}

/// The arguments in an order that says nothing, and after the kubelet has put the namespace in.
fn as_run(mut objects: Vec<Value>) -> Vec<Value> {
    let deployments = objects.iter_mut();
    for object in deployments.filter(|object| object["kind"] == "Deployment") {
        let namespace = object["metadata"]["namespace"].clone();
        let namespace = namespace.as_str().expect("a namespace");
        let container = &mut object["spec"]["template"]["spec"]["containers"][0];
        let variables = container["env"].as_array_mut().expect("variables");
        variables.retain(|variable| variable["name"] != "POD_NAMESPACE");
        let arguments = container["args"].as_array().expect("arguments").iter();
        // Of a list that is repeated the parts add up.
        let (mut watched, mut all) = (BTreeSet::new(), BTreeSet::new());
        for argument in arguments.map(|argument| argument.as_str().expect("a text")) {
            let argument = argument.replace("$(POD_NAMESPACE)", namespace);
            match argument.strip_prefix("--watch-namespaces=") {
                Some(names) => watched.extend(names.split(',').map(str::to_owned)),
                None => assert!(all.insert(argument.clone()), "{argument} twice"),
            }
        }
        container["args"] = json!({"watched": watched, "all": all});
    }
    objects
}

/// An overlay of the base with these components.
fn with(components: &[&str]) -> Value {
    let components: Vec<String> = components
        .iter()
        .map(|name| format!("../kustomize/components/{name}"))
        .collect();
    json!({"resources": ["../kustomize/base"], "components": components})
}

/// What the chart renders, by the name of the template, as it is written to a file.
async fn files(arguments: &[&str]) -> BTreeMap<String, String> {
    let rendered = succeeded(template(&[arguments, &["--skip-tests"]].concat()).await);
    let mut files = BTreeMap::new();
    for document in rendered.split("---\n# Source: provider-secrets/templates/") {
        let Some((name, document)) = document.split_once('\n') else {
            continue;
        };
        let is_of_helm = |line: &&str| {
            let line = line.trim_start();
            OF_HELM.iter().any(|label| line.starts_with(label))
        };
        let mut document: String = document
            .split_inclusive('\n')
            .filter(|line| !is_of_helm(line))
            .collect();
        document.truncate(document.trim_end().len());
        let file: &mut String = files.entry(name.to_owned()).or_default();
        file.push_str(if file.is_empty() {
            "# Made of the chart by `make chart`.\n"
        } else {
            "---\n"
        });
        file.push_str(document.trim_start());
        file.push('\n');
    }
    files
}

/// Every file below `deploy/kustomize` that is made of the chart.
async fn generated() -> BTreeMap<PathBuf, String> {
    let folder = root().join("deploy/kustomize");
    let base = files(&[]).await;
    let mut all = BTreeMap::new();
    for (of, arguments) in [
        ("components/monitoring", &MONITORING[..]),
        ("components/network-policy", &NETWORK_POLICY),
        ("rights", &OWN_NAMESPACE),
    ] {
        let mut more = files(arguments).await;
        more.retain(|name, _| !base.contains_key(name));
        assert!(!more.is_empty(), "{of}");
        all.extend(
            more.into_iter()
                .map(|(name, text)| (folder.join(of).join(name), text)),
        );
    }
    let base = base.into_iter();
    all.extend(base.map(|(name, text)| (folder.join("base").join(name), text)));
    all
}

#[tokio::test]
async fn the_files_are_those_of_the_chart() {
    assert_generated(&generated().await, "chart");
}

#[tokio::test]
async fn the_base_is_install_yaml() {
    let overlays = Overlays::new();
    overlays.write("all", &with(&[]));
    let built = overlays.build("all").await;
    assert_eq!(built, of_chart(&[]).await);
    assert_eq!(built, comparable(install_yaml().await));
}

#[tokio::test]
async fn each_component_adds_what_the_chart_adds() {
    let overlays = Overlays::new();
    for (components, arguments) in [
        (&["monitoring"][..], MONITORING.to_vec()),
        (&["network-policy"], NETWORK_POLICY.to_vec()),
        (&["namespaced"], OWN_NAMESPACE.to_vec()),
        (
            &["namespaced", "network-policy", "monitoring"],
            [&MONITORING[..], &NETWORK_POLICY, &OWN_NAMESPACE].concat(),
        ),
    ] {
        overlays.write("overlay", &with(components));
        let built = as_run(overlays.build("overlay").await);
        assert_eq!(built, as_run(of_chart(&arguments).await), "{components:?}");
    }
}

/// The overlay of the README of that folder.
#[tokio::test]
async fn further_namespaces_get_the_rights_that_the_chart_gives() {
    let overlays = Overlays::new();
    let remote = "https://github.com/provider-secrets/provider-secrets//deploy/kustomize/";
    let readme = read("deploy/kustomize/README.md");
    let yaml = |name: &str| -> Value {
        let (_, block) = readme
            .split_once(&format!("```yaml\n# {name}\n"))
            .expect("the README has it");
        let (block, _) = block.split_once("```").expect("it ends");
        let reference = format!("?ref=v{}", env!("CARGO_PKG_VERSION"));
        assert!(block.contains(remote) && block.contains(&reference));
        let up = "../".repeat(name.matches('/').count());
        let local = block
            .replace(remote, &format!("{up}kustomize/"))
            .replace(&reference, "");
        serde_saphyr::from_str(&local).expect("YAML")
    };
    overlays.write("platform", &yaml("platform/kustomization.yaml"));
    overlays.write(
        "platform/team-a",
        &yaml("platform/team-a/kustomization.yaml"),
    );
    let values = [
        "--set=scope.mode=Namespaces,scope.namespaces={provider-secrets-system,team-a}",
        "--set=global.imageRegistry=registry.example",
    ];
    let built = as_run(overlays.build("platform").await);
    assert_eq!(built, as_run(of_chart(&values).await));
}

#[tokio::test]
async fn an_overlay_moves_all_of_it_to_another_namespace() {
    let overlays = Overlays::new();
    let mut overlay = with(&["namespaced", "network-policy"]);
    overlay["namespace"] = json!("elsewhere");
    overlays.write("moved", &overlay);
    let built = overlays.build("moved").await;
    let text = Value::from(built.clone()).to_string();
    // The name of rights keeps it, which is a name and nothing more.
    let rest = text.replace("provider-secrets-system:provider-secrets", "");
    assert!(!rest.contains(NAMESPACE), "{rest}");
    let run = as_run(built);
    let deployment = run.iter().find(|object| object["kind"] == "Deployment");
    let arguments = &deployment.expect("one")["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(arguments["watched"], json!(["elsewhere"]));
}

#[tokio::test]
async fn two_operators_of_some_namespaces_share_only_what_is_alike() {
    let overlays = Overlays::new();
    let mut built = Vec::new();
    for name in ["op-a", "op-b"] {
        let mut overlay = with(&["namespaced", "network-policy", "monitoring"]);
        overlay["namespace"] = json!(name);
        overlays.write(name, &overlay);
        built.push(overlays.build(name).await);
    }
    let [one, two] = &built[..] else {
        panic!("there are two");
    };
    let is_shared = |object: &&Value| two.iter().any(|other| key(other) == key(object));
    let shared: Vec<&Value> = one.iter().filter(is_shared).collect();
    let kinds: Vec<&Value> = shared.iter().map(|object| &object["kind"]).collect();
    assert_eq!(
        kinds,
        ["ClusterRole", "ClusterRole", "CustomResourceDefinition"]
    );
    for object in shared {
        assert!(two.contains(object), "{object:#}");
    }
}

#[test]
fn the_documents_name_the_version_of_the_crate() {
    let version = concat!("?ref=v", env!("CARGO_PKG_VERSION"));
    for path in ["README.md", "deploy/kustomize/README.md"] {
        let text = read(path);
        let named = text.matches("?ref=").count();
        assert!(
            named > 0 && named == text.matches(version).count(),
            "{path}"
        );
    }
}

/// What is below `deploy/kustomize` is in the base, in a component or in the rights.
#[test]
fn each_file_belongs_to_a_kustomization() {
    fn look(folder: &Path) {
        let listed = fs::read_to_string(folder.join("kustomization.yaml")).unwrap_or_default();
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            if path.is_dir() {
                look(&path);
            } else if !["kustomization.yaml", "README.md"].contains(&&*name) {
                assert!(
                    listed.contains(&format!("- {name}\n")),
                    "{}",
                    path.display()
                );
            }
        }
    }
    look(&root().join("deploy/kustomize"));
}
