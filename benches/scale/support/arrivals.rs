//! What arrives at the providers, and when.

use std::collections::HashMap;

use serde_json::Value;
use simulator::Exchange;
use tokio::time::Instant;

use super::{PATIENCE, value, wait};
use crate::it::harness::TestEnv;

/// When the values of a series, as [`value`] makes them, arrived at their providers.
pub(crate) struct Arrivals {
    prefix: String,
    sequence: u64,
    times: HashMap<usize, Instant>,
}

impl Arrivals {
    /// Looks for the values `text` from now on.
    pub(crate) fn new(env: &TestEnv, text: &str) -> Self {
        let whole = value(text, 0);
        Self {
            prefix: whole[..whole.len() - 1].to_owned(),
            sequence: env.simulator().last_sequence(),
            times: HashMap::new(),
        }
    }

    /// How many have arrived.
    pub(crate) fn count(&mut self, env: &TestEnv) -> usize {
        let mut is_known = true;
        for request in env.simulator().requests_since(self.sequence) {
            // One that still runs is looked at again.
            is_known &= request.ended.is_some();
            if is_known {
                self.sequence = request.sequence;
            }
            let texts = request.body.as_deref().into_iter().flat_map(texts);
            for text in texts {
                let index = text.strip_prefix(&self.prefix);
                let index = index.and_then(|index| index.parse().ok());
                let taken = index.zip(arrival(&request, text));
                if let Some((index, time)) = taken {
                    self.times.entry(index).or_insert(time);
                }
            }
        }
        self.times.len()
    }

    /// Waits until so many have arrived.
    pub(crate) async fn wait(&mut self, env: &TestEnv, count: usize) {
        wait("the values arrive", PATIENCE, async || {
            let arrived = self.count(env);
            (arrived >= count)
                .then_some(())
                .ok_or_else(|| format!("{arrived} of {count}"))
        })
        .await;
    }

    /// When each arrived, by its index.
    pub(crate) fn times(&self) -> &HashMap<usize, Instant> {
        &self.times
    }
}

/// When a provider took a value, if this is the request that wrote it.
pub(crate) fn arrival(request: &Exchange, value: &str) -> Option<Instant> {
    let is_written = request.is_write() && request.status().is_some_and(|status| status < 300);
    if !is_written {
        return None;
    }
    let ended = request.ended?;
    let body = request.body.as_deref()?;
    texts(body).any(|text| text == value).then_some(ended)
}

/// Every text in a body.
pub(crate) fn texts(body: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match body {
        Value::String(text) => Box::new(std::iter::once(text.as_str())),
        Value::Array(items) => Box::new(items.iter().flat_map(texts)),
        Value::Object(members) => Box::new(members.values().flat_map(texts)),
        _ => Box::new(std::iter::empty()),
    }
}
