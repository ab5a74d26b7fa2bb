//! The CustomResourceDefinition, as it is installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps,
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
        if let Some(status) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
            .and_then(|root| root.properties.as_mut())
            .and_then(|properties| properties.get_mut("status"))
        {
            set_default(status);
        }
    }
    definition
}

fn set_default(status: &mut JSONSchemaProps) {
    status.default = Some(JSON(serde_json::json!({"observedGeneration": -1})));
}
