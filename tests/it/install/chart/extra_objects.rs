//! Objects of the user's that the chart installs too.

use serde_json::json;

use super::{list, template};

#[tokio::test]
async fn an_object_that_the_operator_must_delete_for_is_not_of_its_release() {
    let values = tempfile::NamedTempFile::new().expect("a file");
    let path = format!("--values={}", values.path().display());
    let with = async |policy: &str| {
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "first"},
            "spec": {"deletionPolicy": policy},
        });
        let list = list(std::slice::from_ref(&object));
        let all = [
            json!({"extraObjects": [object]}),
            json!({"extraObjects": [object.to_string()]}),
            json!({"extraObjects": [list]}),
            json!({"extraObjects": [format!("---\nkind: ConfigMap\n---\n{object}\n")]}),
            json!({"extraObjects": [format!("  ---\n{object}\n")]}),
            json!({"extraObjects": [format!("\n---\n ---\n{object}\n")]}),
        ];
        let mut outputs = Vec::new();
        for text in all {
            std::fs::write(values.path(), text.to_string()).expect("it is written");
            outputs.push(template(&[&path]).await);
        }
        outputs
    };
    for output in with("Retain").await {
        assert!(output.success, "{}", output.stderr);
    }
    for output in with("Delete").await {
        assert!(!output.success);
        let reason = "the ProviderSecret first has deletionPolicy Delete";
        assert!(output.stderr.contains(reason), "{}", output.stderr);
    }
}
