//! Options that only one provider knows.

use provider_secrets::{
    api::{BraintrustOptions, PrimeIntellectOptions, ProviderKind},
    provider::Options,
};
use serde_json::json;

use crate::{Failure, Outcome, Run};

/// A managed description, type and metadata, on what is new and on what is there.
pub(super) async fn managed(run: &Run) -> Result<Outcome, Failure> {
    let mut options = Options::default();
    match run.target.kind {
        ProviderKind::PrimeIntellect => {
            options.prime_intellect = PrimeIntellectOptions {
                description: Some("A check of provider-secrets".to_owned()),
                is_file: None,
            };
        }
        ProviderKind::Braintrust => {
            options.braintrust = BraintrustOptions {
                r#type: Some("openai".to_owned()),
                metadata: json!({ "checked_by": "provider-secrets" })
                    .as_object()
                    .cloned(),
            };
        }
        ProviderKind::Baseten | ProviderKind::Pipecat => return Ok(Outcome::NotOffered),
    }
    let sandbox = run.sandbox("options")?;
    let name = sandbox.name("A");
    sandbox.write_with(&name, "one", &options).await?;
    let first = sandbox.only(&name).await?;
    // Metadata is replaced, which is another call at Braintrust than a change without it.
    sandbox.write_with(&name, "two", &options).await?;
    sandbox.expect_value(&name, "two")?;
    options.braintrust.metadata = None;
    sandbox.write_with(&name, "three", &options).await?;
    sandbox.expect_value(&name, "three")?;
    if sandbox.only(&name).await?.id == first.id {
        Ok(Outcome::Ok)
    } else {
        Err(Failure::new("the id is another one"))
    }
}
