//! The finalizer that keeps a deleted object until what it wrote is deleted.
//!
//! It is added and removed by a JSON patch with tests, never by server-side apply, which would
//! create the object anew if it is gone (docs/decisions/0003-status-merge-patch.md#finalizer).

use std::sync::Arc;

use kube::{ResourceExt, api::Patch};
use serde_json::{Value, json};

use super::remember;
use crate::{
    api::{FINALIZER, ProviderSecret},
    controller::{
        context::Context,
        kubernetes::{KubernetesError, bounded, patch_params, written},
        object::has_finalizer,
    },
};

/// How often a patch is tried when others write the object at the same time.
const TRIES: u32 = 5;

/// Adds or removes it, and gives the object as it is then.
///
/// # Errors
/// [`KubernetesError::NotFound`] when the object is gone or, to add it, being deleted; else why the object
/// could not be patched.
pub(crate) async fn set(
    context: &Context,
    object: &Arc<ProviderSecret>,
    is_wanted: bool,
) -> Result<Arc<ProviderSecret>, KubernetesError> {
    let namespace = object.namespace().unwrap_or_default();
    let (api, parameters) = (context.objects(&namespace), patch_params());
    let mut newest = Arc::clone(object);
    for _ in 0..TRIES {
        if has_finalizer(&*newest) == is_wanted {
            return Ok(newest);
        }
        if is_wanted && newest.metadata.deletion_timestamp.is_some() {
            return Err(KubernetesError::NotFound);
        }
        let patch = patch(&*newest, is_wanted).ok_or(KubernetesError::Unavailable)?;
        match written(
            &context.leadership,
            api.patch(&object.name_any(), &parameters, &patch),
        )
        .await
        {
            Ok(answer) => return Ok(remember(context, answer)),
            // Another writer changed the list, or the object was replaced: a failed test is answered
            // with 422.
            Err(KubernetesError::Conflict | KubernetesError::Invalid) => {
                let live = bounded(api.get(&object.name_any())).await?;
                if live.uid() != object.uid() {
                    return Err(KubernetesError::NotFound);
                }
                newest = remember(context, live);
            }
            Err(error) => return Err(error),
        }
    }
    Err(KubernetesError::Conflict)
}

pub(crate) fn patch(object: &impl ResourceExt, is_wanted: bool) -> Option<Patch<Value>> {
    let list = object.finalizers();
    let uid = json!({"op": "test", "path": "/metadata/uid", "value": object.uid()?});
    let operations = if !is_wanted {
        let at = list.iter().position(|name| name == FINALIZER)?;
        let path = format!("/metadata/finalizers/{at}");
        json!([
            uid,
            {"op": "test", "path": path, "value": FINALIZER},
            {"op": "remove", "path": path},
        ])
    } else if list.is_empty() {
        json!([
            uid,
            {"op": "test", "path": "/metadata/finalizers", "value": null},
            {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]},
        ])
    } else {
        json!([
            uid,
            {"op": "test", "path": "/metadata/finalizers", "value": list},
            {"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER},
        ])
    };
    serde_json::from_value(operations).ok().map(Patch::Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(finalizers: &[&str]) -> ProviderSecret {
        serde_json::from_value(json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "o", "uid": "u", "finalizers": finalizers},
            "spec": {"provider": {}},
        }))
        .unwrap()
    }

    fn operations(finalizers: &[&str], is_wanted: bool) -> Value {
        match patch(&object(finalizers), is_wanted) {
            Some(Patch::Json(patch)) => serde_json::to_value(patch).unwrap(),
            _ => Value::Null,
        }
    }

    #[test]
    fn every_patch_tests_the_object_and_the_list() {
        let cases = [
            (vec![], true, "/metadata/finalizers"),
            (vec!["other"], true, "/metadata/finalizers/-"),
            (vec!["other", FINALIZER], false, "/metadata/finalizers/1"),
        ];
        for (list, is_wanted, path) in cases {
            let operations = operations(&list, is_wanted);
            assert_eq!(operations[0]["path"], "/metadata/uid");
            assert_eq!(operations[1]["op"], "test");
            assert_eq!(operations[2]["path"], path);
        }
        assert_eq!(operations(&["other"], false), Value::Null);
    }
}
