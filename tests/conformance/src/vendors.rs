//! What the suite knows of each vendor beside the operator's descriptor: one row each.

use provider_secrets::{
    api::{Entry, ProviderKind},
    provider::Options,
};
use serde_json::{Value, json};

use crate::Failure;

/// What the suite knows of a vendor. A field that says "none" is a check that is not offered there.
#[derive(Debug)]
pub(crate) struct Vendor {
    kind: ProviderKind,
    /// Its environment variables.
    pub(crate) variables: Variables,
    /// The field of its member of `spec.provider` that names the scope; none where the key alone says it.
    pub(crate) scope_field: Option<&'static str>,
    /// How many secrets a page of its listing has; none where one answer has all.
    pub(crate) page: Option<usize>,
    /// Managed options of an entry, as JSON; none where it has no options.
    options: Option<&'static str>,
    /// The options that make an entry a file, as JSON; none where it takes no files.
    file: Option<&'static str>,
}

/// The environment variables of a provider. They are those of the vendor's own tools, where there are some.
#[derive(Clone, Copy, Debug)]
pub struct Variables {
    /// The API key.
    pub key: &'static str,
    /// The team or the organization.
    pub scope: Option<&'static str>,
    /// The base URL.
    pub base: &'static str,
}

static VENDORS: [Vendor; ProviderKind::ALL.len()] = [
    Vendor {
        kind: ProviderKind::Baseten,
        variables: Variables {
            key: "BASETEN_API_KEY",
            scope: Some("BASETEN_TEAM_ID"),
            base: "BASETEN_REMOTE_URL",
        },
        scope_field: Some("teamId"),
        page: None,
        options: None,
        file: None,
    },
    Vendor {
        kind: ProviderKind::PrimeIntellect,
        variables: Variables {
            key: "PRIME_API_KEY",
            scope: Some("PRIME_TEAM_ID"),
            base: "PRIME_API_BASE_URL",
        },
        scope_field: Some("teamId"),
        page: Some(100),
        options: Some(r#"{"description": "A check of provider-secrets"}"#),
        file: Some(r#"{"isFile": true}"#),
    },
    Vendor {
        kind: ProviderKind::Pipecat,
        variables: Variables {
            key: "PIPECAT_API_KEY",
            scope: None,
            base: "PIPECAT_API_URL",
        },
        scope_field: None,
        page: None,
        options: None,
        file: None,
    },
    Vendor {
        kind: ProviderKind::Braintrust,
        variables: Variables {
            key: "BRAINTRUST_API_KEY",
            scope: Some("BRAINTRUST_ORG_NAME"),
            base: "BRAINTRUST_API_URL",
        },
        scope_field: Some("orgName"),
        page: Some(100),
        options: Some(r#"{"type": "openai", "metadata": {"checked_by": "provider-secrets"}}"#),
        file: None,
    },
];

impl Vendor {
    /// The row of `kind`.
    pub(crate) fn of(kind: ProviderKind) -> &'static Self {
        &VENDORS[kind as usize]
    }

    /// [`Options`] with everything that is managed, and with each of that left out in turn.
    ///
    /// # Errors
    /// When the operator does not know the options of the row.
    pub(crate) fn options(&self) -> Result<Option<(Options, Vec<Options>)>, Failure> {
        let Some(all) = self.options else {
            return Ok(None);
        };
        let all: Value = serde_json::from_str(all).map_err(|_| unknown())?;
        let names = all.as_object().ok_or_else(unknown)?.keys();
        let without = |name: &String| {
            let mut fewer = all.clone();
            fewer[name] = Value::Null;
            self.parse(&fewer)
        };
        let fewer: Result<Vec<Options>, Failure> = names.map(without).collect();
        Ok(Some((self.parse(&all)?, fewer?)))
    }

    /// The options that make an entry a file.
    ///
    /// # Errors
    /// When the operator does not know them.
    pub(crate) fn file(&self) -> Result<Option<Options>, Failure> {
        let parsed = |text: &str| self.parse(&serde_json::from_str(text).map_err(|_| unknown())?);
        self.file.map(parsed).transpose()
    }

    /// The options of an entry that `spec.data` gives so.
    fn parse(&self, options: &Value) -> Result<Options, Failure> {
        let entry = json!({"name": "A", self.kind.member(): options});
        let entry: Entry = serde_json::from_value(entry).map_err(|_| unknown())?;
        Ok(entry.options())
    }
}

impl Variables {
    /// Those of `kind`.
    pub fn of(kind: ProviderKind) -> Self {
        Vendor::of(kind).variables
    }
}

fn unknown() -> Failure {
    Failure::new("the operator does not know the options")
}

/// Rows that are not in the order of [`ProviderKind`] do not compile.
const _: () = {
    let mut row = 0;
    while row < VENDORS.len() {
        assert!(
            VENDORS[row].kind as usize == row,
            "VENDORS is in the order of ProviderKind"
        );
        row += 1;
    }
};

#[cfg(test)]
mod tests {
    use provider_secrets::{api::definition, provider::rules};

    use super::*;

    /// A row that says "none" where the operator has something would skip its check in silence.
    #[test]
    fn a_row_has_all_that_the_operator_knows_of_the_vendor() {
        let definition = serde_json::to_value(definition()).unwrap();
        let spec = definition
            .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties")
            .unwrap();
        for kind in ProviderKind::ALL {
            let vendor = Vendor::of(kind);
            let member = kind.member();
            let (all, fewer) = match vendor.options().unwrap() {
                Some((all, fewer)) => (all, fewer.len()),
                None => (Options::default(), 0),
            };
            let known = &spec["data"]["items"]["properties"][member]["properties"];
            let known = known.as_object().map_or(0, serde_json::Map::len);
            let file = vendor.file().unwrap();
            // What makes a file is fixed, so it is no managed option that changes.
            assert_eq!(
                fewer + usize::from(file.is_some()),
                known,
                "options of {kind}"
            );
            assert_eq!(all != Options::default(), fewer > 0, "options of {kind}");
            assert_eq!(
                file.is_some(),
                rules(kind).files.is_some(),
                "files of {kind}"
            );
            assert!(
                file.is_none_or(|options| rules(kind).is_file(&options)),
                "files of {kind}"
            );
            let fields = &spec["provider"]["properties"][member]["properties"];
            assert!(
                vendor
                    .scope_field
                    .is_none_or(|field| fields[field]["type"] == "string"),
                "scope of {kind}"
            );
            assert_eq!(
                vendor.scope_field.is_some(),
                vendor.variables.scope.is_some(),
                "scope of {kind}"
            );
        }
    }
}
