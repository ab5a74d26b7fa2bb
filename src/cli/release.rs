//! `release NAME`: lets a deleted object go although what it wrote is still at the provider.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use serde_json::json;

use super::{
    answer::{Answer, Answered, Refusal},
    flags::{ClusterFlags, WaitFlags},
    print,
    question::is_confirmed,
    read::{Reader, on_cluster},
    view::{namespaced_name, resource_name},
    wait::Wait,
};
use crate::api::{DELETION_OVERRIDE, DeletionPolicy, FINALIZER, ProviderSecret};

/// The flags of `release`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The object, which is being deleted
    #[arg(value_name = "NAME")]
    name: String,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    wait: WaitFlags,
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let object = reader.object(&flags.name).await?;
        let question = question(&object)?;
        if !flags.yes && !is_confirmed(&question)? {
            return Ok(Answer::new("nothing was changed\n".to_owned(), false));
        }
        let (namespace, name) = namespaced_name(&object);
        let patch = json!({"metadata": {"annotations": {DELETION_OVERRIDE: "orphan"}}});
        reader.patch(&namespace, &name, &patch).await?;
        print(&format!("{} released\n", resource_name(&name)))?;
        if flags.wait.wait {
            return gone(&reader, &object, flags.wait.timeout).await;
        }
        Ok(Answer::done(String::new()))
    })
}

/// What the user is asked.
///
/// # Errors
/// The object is not being deleted, or nothing of it would be kept.
fn question(object: &ProviderSecret) -> Result<String, Refusal> {
    let (namespace, name) = namespaced_name(object);
    if object.metadata.deletion_timestamp.is_none() {
        return Err(Refusal::failed(format!(
            "{namespace}/{name} is not being deleted: kubectl delete psec {name} -n {namespace} --wait=false comes first"
        )));
    }
    let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
    let others: Vec<&str> = finalizers
        .iter()
        .map(String::as_str)
        .filter(|of| *of != FINALIZER)
        .collect();
    if !finalizers.iter().any(|of| of == FINALIZER) {
        return Err(Refusal::failed(format!(
            "{namespace}/{name} does not wait for the operator but for {}",
            others.join(", ")
        )));
    }
    let entries = object.status.iter().flat_map(|status| &status.entries);
    let names: Vec<&str> = entries.map(|entry| entry.name.as_str()).collect();
    let choice = object.spec.provider.choice();
    let provider = choice.map_or("the provider", |choice| choice.kind().as_str());
    let what = match (names.as_slice(), object.spec.deletion_policy()) {
        (_, DeletionPolicy::Retain) | ([], _) => "nothing of it is deleted".to_owned(),
        ([one], _) => format!("{one} stays"),
        (names, _) => format!("{} stay", names.join(", ")),
    };
    Ok(format!(
        "Release {namespace}/{name}? At {provider} {what}, without an owner. [y/N] "
    ))
}

/// Waits until the object is gone.
async fn gone(reader: &Reader, object: &ProviderSecret, timeout: Duration) -> Answered {
    let (namespace, name) = namespaced_name(object);
    let wait = Wait::new(timeout);
    loop {
        if reader.awaited(object, wait).await?.is_none() {
            return Ok(Answer::done(format!("{} deleted\n", resource_name(&name))));
        }
        if !wait.pause().await {
            return Err(Refusal::timeout(format!(
                "timed out waiting for {namespace}/{name} to go: see kubectl provider-secrets why {name} -n {namespace}"
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn object(metadata: Value, policy: &str) -> ProviderSecret {
        let mut metadata = metadata;
        metadata["name"] = "object".into();
        metadata["namespace"] = "ml".into();
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret", "metadata": metadata,
            "spec": {
                "provider": {"baseten": {"apiKeySecretRef": {"name": "api", "key": "key"}}},
                "deletionPolicy": policy,
            },
            "status": {"entries": [{"name": "A", "state": "Synced"}, {"name": "B", "state": "Synced"}]},
        });
        serde_json::from_value(object).unwrap()
    }

    #[rstest]
    #[case(json!({}), "Delete", Err("is not being deleted"))]
    #[case(json!({"deletionTimestamp": "2026-11-29T12:00:00Z", "finalizers": ["other/one"]}), "Delete", Err("for other/one"))]
    #[case(json!({"deletionTimestamp": "2026-11-29T12:00:00Z", "finalizers": [FINALIZER]}), "Delete", Ok("At Baseten A, B stay, without"))]
    #[case(json!({"deletionTimestamp": "2026-11-29T12:00:00Z", "finalizers": [FINALIZER]}), "Retain", Ok("nothing of it is deleted"))]
    fn the_question_says_what_stays_at_the_provider(
        #[case] metadata: Value,
        #[case] policy: &str,
        #[case] expected: Result<&str, &str>,
    ) {
        let asked = question(&object(metadata, policy)).map_err(|refusal| refusal.text);
        match (&asked, expected) {
            (Ok(text), Ok(part)) | (Err(text), Err(part)) => assert!(text.contains(part), "{text}"),
            _ => panic!("{asked:?}"),
        }
    }
}
