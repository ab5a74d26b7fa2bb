//! The CustomResourceDefinition, as it is installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

use super::ProviderSecret;

/// The CustomResourceDefinition of [`ProviderSecret`], made from the types.
///
/// `status` gets the default `observedGeneration: -1`. Without it, kstatus (Flux, Helm) takes an
/// object that no operator has seen for current.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = ProviderSecret::crd();
    for version in &mut definition.spec.versions {
        let schema = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut());
        let Some(root) = schema else { continue };
        unwrap_descriptions(root);
        if let Some(status) = root
            .properties
            .as_mut()
            .and_then(|fields| fields.get_mut("status"))
        {
            status.default = Some(JSON(serde_json::json!({"observedGeneration": -1})));
        }
    }
    definition
}

/// Joins the lines of each description: `kubectl explain` would show the line breaks of our source.
fn unwrap_descriptions(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        let paragraphs = description
            .split("\n\n")
            .map(|paragraph| paragraph.replace('\n', " "));
        *description = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
    schema
        .properties
        .iter_mut()
        .flatten()
        .for_each(|(_, field)| unwrap_descriptions(field));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        unwrap_descriptions(items);
    }
}
