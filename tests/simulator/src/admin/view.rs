//! What the admin API shows of state and log.

use serde_json::{Map, Value, json};

use super::mask::{MASK, mask};
use crate::{account::Account, log::Exchange, provider::Provider, simulator::Simulator};

/// Accounts of all providers, or of one, with everything that they hold.
pub(super) fn state(
    simulator: &Simulator,
    provider: Option<Provider>,
    account: Option<&str>,
    masked: bool,
) -> Value {
    let mut providers = Map::new();
    for known in Provider::ALL
        .into_iter()
        .filter(|known| provider.is_none_or(|asked| asked == *known))
    {
        let accounts: Map<String, Value> = simulator
            .accounts(known)
            .iter()
            .filter(|known| account.is_none_or(|asked| asked == known.name()))
            .map(|account| (account.name().to_owned(), account_state(account, masked)))
            .collect();
        providers.insert(known.name().to_owned(), Value::Object(accounts));
    }
    Value::Object(providers)
}

fn account_state(account: &Account, masked: bool) -> Value {
    let scopes: Vec<Value> = account
        .scopes()
        .into_iter()
        .map(|scope| {
            let mut held = account.held(scope.as_deref());
            if masked {
                for held in held.values_mut() {
                    MASK.clone_into(&mut held.value);
                }
            }
            json!({ "scope": scope, "secrets": held })
        })
        .collect();
    json!({ "scopes": scopes, "variants": account.variants(), "faults": account.faults() })
}

/// A request with its values masked.
pub(super) fn request(exchange: &Exchange) -> Value {
    let body = exchange.body.as_deref().cloned().map(|mut body| {
        mask(&mut body);
        body
    });
    let duration = exchange.ended.map(|ended| {
        ended
            .saturating_duration_since(exchange.started)
            .as_micros()
    });
    let headers: Map<String, Value> = exchange
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    json!({
        "sequence": exchange.sequence,
        "provider": exchange.provider,
        "account": exchange.account,
        "key": exchange.key,
        "method": exchange.method,
        "path": exchange.path,
        "query": exchange.query,
        "headers": headers,
        "body": body,
        "time": exchange.time,
        "duration_microseconds": duration.map(|micros| u64::try_from(micros).unwrap_or(u64::MAX)),
        "status": exchange.status(),
        "outcome": exchange.outcome,
    })
}
