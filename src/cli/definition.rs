//! The CustomResourceDefinition in the cluster beside the one that this program carries.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::Api;
use serde::Serialize;

use super::read::{Known, Reader, bounded, known};
use crate::api;

/// Its name.
const NAME: &str = "providersecrets.providersecrets.dev";

/// What can be said of the definition in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinitionFact {
    /// Whether there is one.
    pub(super) is_there: bool,
    /// Whether the API server serves it.
    pub(super) is_established: bool,
    /// Fields that this program knows and the definition lacks: it is older.
    pub(super) lacks: Vec<String>,
    /// Fields that the definition has and this program does not know: this program is older.
    pub(super) unknown: Vec<String>,
}

impl DefinitionFact {
    fn of(found: Option<&CustomResourceDefinition>) -> Self {
        let Some(found) = found else {
            return Self::default();
        };
        let status = found.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_ref());
        let is_established = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Established" && condition.status == "True");
        let (theirs, ours) = (fields(found), fields(&api::definition()));
        Self {
            is_there: true,
            is_established,
            lacks: ours.difference(&theirs).cloned().collect(),
            unknown: theirs.difference(&ours).cloned().collect(),
        }
    }
}

impl Reader {
    /// The definition in the cluster.
    pub(super) async fn definition(&self) -> Known<DefinitionFact> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let what = format!("get customresourcedefinition {NAME}");
        let found = bounded(&what, None, api.get_opt(NAME)).await;
        known(found).map(|found| DefinitionFact::of(found.as_ref()))
    }
}

/// The paths of all fields of the version that this program knows.
fn fields(definition: &CustomResourceDefinition) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut versions = definition.spec.versions.iter();
    let version = versions.find(|version| version.name == "v1alpha1");
    let schema = version.and_then(|version| version.schema.as_ref());
    if let Some(root) = schema.and_then(|schema| schema.open_api_v3_schema.as_ref()) {
        for part in ["spec", "status"] {
            if let Some(part_of) = root.properties.as_ref().and_then(|fields| fields.get(part)) {
                collect(part_of, part, &mut paths);
            }
        }
    }
    paths
}

fn collect(schema: &JSONSchemaProps, path: &str, paths: &mut BTreeSet<String>) {
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        collect(field, &path, paths);
        paths.insert(path);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect(items, &format!("{path}[]"), paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_this_program_lacks_nothing() {
        let fact = DefinitionFact::of(Some(&api::definition()));
        let expected = DefinitionFact {
            is_there: true,
            ..DefinitionFact::default()
        };
        assert_eq!(fact, expected);
    }

    #[test]
    fn an_older_definition_lacks_fields_and_a_newer_one_has_more() {
        let mut other = api::definition();
        let schema = other.spec.versions[0].schema.as_mut().unwrap();
        let root = schema
            .open_api_v3_schema
            .as_mut()
            .unwrap()
            .properties
            .as_mut()
            .unwrap();
        let spec = root.get_mut("spec").unwrap().properties.as_mut().unwrap();
        let suspend = spec.remove("suspend").unwrap();
        spec.insert("later".to_owned(), suspend);
        let fact = DefinitionFact::of(Some(&other));
        assert_eq!(
            (fact.lacks, fact.unknown),
            (
                vec!["spec.suspend".to_owned()],
                vec!["spec.later".to_owned()]
            )
        );
    }

    #[test]
    fn fields_of_lists_count() {
        let fields = fields(&api::definition());
        assert!(
            fields.contains("status.entries[].record.seal"),
            "{fields:?}"
        );
    }
}
