//! What the API server and the operator refuse of a manifest, found without either.
//!
//! The rules are those of the [`definition`](crate::api::definition) that this program carries: its schema, and its CEL
//! rules evaluated by a CEL engine (docs/decisions/0014-offline-validation.md). The tests of the resource put every spec
//! that they offer to a real API server before [`Validator`] too.

mod metadata;
mod refusals;
mod rules;
mod schema;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::Resource as _;
use serde::Serialize;
use serde_json::Value;

pub use self::refusals::refusals;
use self::{rules::Rules, schema::Patterns};
use crate::api::{self, GROUP, ProviderSecret};

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The field, such as `spec.data[0].name`; empty where the whole object is meant.
    pub path: String,
    /// What is wrong, without the field and without its value: a value may be a secret in the wrong place.
    pub message: String,
}

/// Why the definition of this program cannot be used to validate.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It has no schema.
    #[error("the CustomResourceDefinition has no schema")]
    NoSchema,
    /// The schema of metadata cannot be read.
    #[error("the schema of metadata cannot be read")]
    Metadata(#[from] serde_json::Error),
    /// A pattern of the schema is none for the regex engine.
    #[error("the pattern {0} of the CustomResourceDefinition cannot be read")]
    Pattern(String),
    /// A rule of the schema is none for the CEL engine.
    #[error("the rule {0} of the CustomResourceDefinition cannot be read")]
    Rule(String),
}

/// The schema of the resource, compiled once for many objects.
pub struct Validator {
    /// The schema of the whole object, metadata included.
    root: JSONSchemaProps,
    patterns: Patterns,
    rules: Rules,
}

impl Validator {
    /// Compiles the schema that this program carries.
    ///
    /// # Errors
    /// [`Unusable`]. A test holds that it does not happen.
    pub fn new() -> Result<Self, Unusable> {
        let definition = api::definition();
        let mut versions = definition.spec.versions.into_iter();
        let schema = versions.next().and_then(|version| version.schema);
        let mut root = schema
            .and_then(|schema| schema.open_api_v3_schema)
            .ok_or(Unusable::NoSchema)?;
        let implied = root.properties.get_or_insert_default();
        for name in ["apiVersion", "kind"] {
            implied.insert(name.to_owned(), schema::text());
        }
        implied.insert("metadata".to_owned(), metadata::schema()?);
        Ok(Self {
            patterns: Patterns::of(&root)?,
            rules: Rules::of(&root)?,
            root,
        })
    }

    /// What the API server would refuse if this object were created: unknown fields, what the schema forbids, and each
    /// CEL rule that holds for a creation. Rules that compare with the old object do not.
    pub fn problems(&self, object: &Value) -> Vec<Problem> {
        let mut findings = Findings::default();
        if let Some(problem) = unserved(object) {
            return vec![problem];
        }
        schema::unknown_fields(&self.root, object, "", &mut findings);
        let mut object = object.clone();
        // The API server drops it from an object that is created.
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        schema::drop_nulls(&self.root, &mut object);
        schema::check(&self.root, &object, "", &self.patterns, &mut findings);
        metadata::generate_name(&mut object);
        metadata::check(&object["metadata"], &mut findings);
        // As in the API server: a rule may rely on what the schema requires.
        if !findings.is_blocked {
            self.rules.check(&self.root, &object, &mut findings);
        }
        findings.problems
    }
}

/// Whether an object is of the group of the resource, so that a [`Validator`] has something to say of it.
pub fn is_of_the_group(object: &Value) -> bool {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version
        .split_once('/')
        .is_some_and(|(group, _)| group == GROUP)
}

/// What is wrong with the version or the kind, as the API server then serves nothing of the kind.
fn unserved(object: &Value) -> Option<Problem> {
    let expected = [
        ("apiVersion", ProviderSecret::api_version(&())),
        ("kind", ProviderSecret::kind(&())),
    ];
    let mut wrong = expected
        .into_iter()
        .filter(|(field, word)| object[field].as_str() != Some(word));
    wrong.next().map(|(field, word)| Problem {
        path: field.to_owned(),
        message: format!("must be {word}"),
    })
}

/// The problems that were found so far.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    /// Whether the API server would evaluate no rule.
    is_blocked: bool,
}

impl Findings {
    fn add(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            path: path.to_owned(),
            message: message.into(),
        });
    }

    /// Adds a problem that keeps the API server from evaluating rules: a field of another type, a missing one, one that is
    /// too long, or one that is none of the allowed words.
    fn add_blocking(&mut self, path: &str, message: impl Into<String>) {
        self.add(path, message);
        self.is_blocked = true;
    }
}

/// The path of a field of an object.
fn member(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The path of an item of a list.
fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

#[cfg(test)]
mod tests;
