use std::path::Path;

use super::*;
use crate::cli::{
    manifests::{parse, read},
    tests::samples::documented,
};

const AGENTS: &str = "
apiVersion: providersecrets.dev/v1alpha1
kind: ProviderSecret
metadata:
  name: agent-keys
  namespace: voice
spec:
  provider:
    pipecat:
      apiKeySecretRef: {name: pipecat-api, key: token}
  verifyInterval: 30s
  data:
  - name: OPENAI.KEY
    secretKeyRef: {name: agent-env, key: OPENAI_KEY}
  - name: DEEPGRAM_API_KEY
    secretKey: {name: agent-env, key: DEEPGRAM_API_KEY}
";

const SERVING: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: db}
- apiVersion: providersecrets.dev/v1alpha1
  kind: ProviderSecret
  metadata:
    name: llm-serving
    namespace: ml
  spec:
    provider:
      baseten:
        apiKeySecretRef: {name: baseten, key: token}
    data:
    - name: DATABASE_URL
      template: 'postgres://{{ user }}:{{ password | base64 }}@db'
      secretRef: {name: db}
---
apiVersion: providersecrets.dev/v1alpha1
kind: ProviderSecret
metadata:
  name: train-pool
  namespace: ml
spec:
  provider:
    primeIntellect:
      apiKeySecretRef: {name: prime, key: token}
  dataFrom:
  - secretRef: {name: training}
";

/// The objects of files with these names and texts.
fn manifests(files: &[(&str, &str)]) -> Vec<Manifest> {
    let mut manifests = Vec::new();
    for (file, text) in files {
        parse(file, text.as_bytes().to_vec(), &mut manifests).unwrap();
    }
    manifests
}

fn deploy() -> Vec<Manifest> {
    manifests(&[("deploy/agents.yaml", AGENTS), ("deploy/ml.yaml", SERVING)])
}

/// Why a text is refused.
fn refused(text: &str) -> String {
    let refusal = parse("a.yaml", text.as_bytes().to_vec(), &mut Vec::new());
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.code, crate::cli::USAGE);
    refusal.text
}

#[test]
fn a_line_is_shown_for_each_problem() {
    let shown = validate(&deploy(), Format::Table).unwrap();
    insta::assert_snapshot!("problems", shown.text);
    documented("validate -f deploy/", &shown.text);
    assert_eq!(shown.code, 1);
}

#[test]
fn problems_are_shown_for_programs_too() {
    let shown = validate(&deploy(), Format::Json).unwrap();
    insta::assert_snapshot!("json", shown.text);
    let names = validate(&deploy(), Format::Name).unwrap();
    assert_eq!(names.text, "voice/agent-keys\nml/llm-serving\n");
}

#[test]
fn what_is_valid_is_counted() {
    let mut valid = deploy();
    valid.retain(|manifest| {
        manifest.label != "voice/agent-keys" && manifest.label != "ml/llm-serving"
    });
    let line = |manifests: &[Manifest]| {
        let answer = validate(manifests, Format::Table).unwrap();
        assert_eq!(answer.code, 0);
        answer.text
    };
    assert_eq!(
        line(&valid),
        "The ProviderSecret is valid; 1 object of another kind was left alone.\n"
    );
    valid.push(valid[1].clone());
    valid.push(valid[0].clone());
    assert_eq!(
        line(&valid),
        "All 2 ProviderSecrets are valid; 2 objects of other kinds were left alone.\n"
    );
    valid.retain(|manifest| manifest.label == "db");
    assert_eq!(
        line(&valid),
        "There is no ProviderSecret; 2 objects of other kinds were left alone.\n"
    );
}

#[test]
fn what_is_no_manifest_is_refused_without_its_text() {
    for (text, expected) in [
        ("a: {", "a.yaml is not YAML in line 1"),
        ("a: *canary", "a.yaml is not YAML in line 1"),
        (
            "kind: A\nkind: B\n",
            "a.yaml is not YAML in line 2: it gives kind twice",
        ),
        ("{{ canary }}", "a.yaml is not YAML in line 1"),
        (
            "canary",
            "a.yaml is no manifest: object 1 in it lacks apiVersion or kind",
        ),
        (
            "{apiVersion: v1, kind: A}\n---\n\n---\n{apiVersion: v1}",
            "a.yaml is no manifest: object 2 in it lacks apiVersion or kind",
        ),
        (
            "{apiVersion: v1, kind: List, items: [7]}",
            "a.yaml is no manifest: object 1 in it lacks apiVersion or kind",
        ),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
    let refusal = parse("a.yaml", vec![0xff], &mut Vec::new()).unwrap_err();
    assert_eq!(refusal.text, "a.yaml is not YAML: it is not UTF-8 text");
}

#[test]
fn json_is_read_as_well() {
    let object = r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"generateName": "a-", "namespace": "b"}}"#;
    let read = manifests(&[("a.json", object)]);
    assert_eq!(read[0].label, "b/a-");
}

#[test]
fn json_documents_follow_each_other_as_for_kubectl() {
    let text = "{\"apiVersion\": \"v1\", \"kind\": \"A\"}\n\n{\"apiVersion\": \"v1\",\n\t\"kind\": \"\\ud83d\\ude00\"}{\"apiVersion\": \"v1\", \"kind\": \"C\"}\n";
    let read = manifests(&[("a.json", text)]);
    let kinds: Vec<&str> = read
        .iter()
        .filter_map(|of| of.object["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["A", "\u{1f600}", "C"]);
    let twice = "{\"apiVersion\": \"v1\", \"kind\": \"A\"}\n{\"apiVersion\": \"v1\",\n\"kind\": \"B\", \"kind\": \"C\"}\n";
    let expected = "a.yaml is not YAML in line 3: it gives kind twice";
    assert_eq!(refused(twice), expected);
    // The braces of YAML are no JSON.
    let flow = manifests(&[(
        "a.yaml",
        "{apiVersion: v1, kind: A}\n---\n{\"apiVersion\": \"v1\", \"kind\": \"B\"}\n",
    )]);
    assert_eq!(flow.len(), 2);
}

#[test]
fn a_finalizer_has_the_name_of_one() {
    let text = AGENTS.replace("metadata:\n", "metadata:\n  finalizers: [a b]\n");
    let shown = validate(&manifests(&[("a.yaml", &text)]), Format::Table).unwrap();
    assert!(
        shown.text.contains("metadata.finalizers[0]: must be NAME"),
        "{}",
        shown.text
    );
}

#[test]
fn a_folder_is_read_as_by_kubectl() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, kind: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("{{apiVersion: v1, kind: {kind}}}")).unwrap();
    };
    write("b.yaml", "B");
    write("a.yml", "A");
    write("c.json", "C");
    write("notes.txt", "Notes");
    write("kustomization.yaml", "Kustomization");
    write("inner/d.yaml", "D");
    write("empty/notes.txt", "Notes");
    let kinds = |path: &Path, is_recursive: bool| -> Result<Vec<String>, String> {
        let read = read(&[path.to_owned()], is_recursive).map_err(|refusal| refusal.text)?;
        let kinds = read
            .iter()
            .map(|of| of.object["kind"].as_str().unwrap().to_owned());
        Ok(kinds.collect())
    };
    let all = |kinds: &[&str]| Ok(kinds.iter().map(|kind| (*kind).to_owned()).collect());
    assert_eq!(kinds(folder.path(), false), all(&["A", "B", "C"]));
    assert_eq!(kinds(folder.path(), true), all(&["A", "B", "C", "D"]));
    let empty = folder.path().join("empty");
    let text = format!("{} has no .yaml, .yml or .json file", empty.display());
    assert_eq!(kinds(&empty, true), Err(text));
    let absent = folder.path().join("absent.yaml");
    assert_eq!(
        kinds(&absent, false),
        Err(format!("{} does not exist", absent.display()))
    );
    // A file that is named is read whatever its name is.
    let named = folder.path().join("kustomization.yaml");
    assert_eq!(kinds(&named, false), all(&["Kustomization"]));
}
