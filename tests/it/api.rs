//! The custom resource as the API server sees it.

mod examples; // every manifest of examples/
mod schema; // the CustomResourceDefinition: rules, messages, bounds
mod validation; // what `validate` says without an API server, beside one
