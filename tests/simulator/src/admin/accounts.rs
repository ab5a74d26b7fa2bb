//! Accounts from JSON; the one match from a provider's name to its module.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    account::{Account, AccountError},
    baseten, braintrust, pipecat, prime_intellect,
    provider::Provider,
    simulator::Simulator,
};

/// Adds an account that is described by the JSON form of the vendor's `NewAccount`.
pub(crate) fn add(
    simulator: &Simulator,
    provider: Provider,
    account: Value,
) -> Result<Account, AccountError> {
    match provider {
        Provider::Baseten => simulator
            .baseten()
            .add_account(parse::<baseten::NewAccount>(account)?),
        Provider::PrimeIntellect => simulator
            .prime_intellect()
            .add_account(parse::<prime_intellect::NewAccount>(account)?),
        Provider::Pipecat => simulator
            .pipecat()
            .add_account(parse::<pipecat::NewAccount>(account)?),
        Provider::Braintrust => simulator
            .braintrust()
            .add_account(parse::<braintrust::NewAccount>(account)?),
    }
}

fn parse<T: DeserializeOwned>(account: Value) -> Result<T, AccountError> {
    serde_json::from_value(account).map_err(|error| AccountError::Invalid(error.to_string()))
}
