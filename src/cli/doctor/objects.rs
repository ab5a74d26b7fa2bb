//! What an object tells of the operator, the account and itself.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    api::{ProviderSecret, Reason},
    cli::{
        reasons,
        view::{Standing, edited, is_observed, namespaced_name},
    },
};

/// After how many seconds a spec that the operator has not acted on tells of a watch that shows nothing.
const DEAF: i64 = 60;

/// What an object tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) provider: &'static str,
    pub(super) credential: String,
    pub(super) is_ready: bool,
    pub(super) is_stalled: bool,
    pub(super) reason: Option<Reason>,
    /// For how many seconds it has been so.
    pub(super) for_seconds: i64,
    /// For how many seconds it has been deleted, if it is.
    pub(super) deleted_for: Option<i64>,
    /// For how many seconds the operator has not acted on the newest spec, if it has not, as far as it shows.
    pub(super) unobserved_for: Option<i64>,
}

impl Health {
    pub(super) fn of(object: &ProviderSecret, now: Timestamp) -> Self {
        let (namespace, name) = namespaced_name(object);
        let standing = Standing::of(object);
        let since = |time: Timestamp| now.duration_since(time).as_secs().max(0);
        let deleted = object.metadata.deletion_timestamp.as_ref();
        let choice = object.spec.provider.choice();
        let is_unobserved = !is_observed(object) && deleted.is_none();
        Self {
            provider: choice.map_or("", |choice| choice.kind().as_str()),
            credential: choice
                .map_or("", |choice| &choice.api_key_secret_ref().name)
                .to_owned(),
            is_ready: standing.is_ready(),
            is_stalled: standing.is_stalled,
            reason: reasons::reason(&standing.reason),
            for_seconds: standing.since.map_or(0, since),
            deleted_for: deleted.map(|time| since(time.0)),
            unobserved_for: edited(object).filter(|_| is_unobserved).map(since),
            namespace,
            name,
        }
    }

    /// Provider, and namespace and name of the Secret with the API key.
    pub(super) fn account(&self) -> (&str, &str, &str) {
        (self.provider, &self.namespace, &self.credential)
    }

    /// Whether its status says that the account is held back.
    pub(super) fn is_held_back(&self) -> bool {
        !self.is_ready && self.reason.is_some_and(reasons::is_of_account)
    }

    /// Whether the operator seems not to hear of its spec.
    pub(super) fn is_deaf(&self) -> bool {
        self.unobserved_for.is_some_and(|seconds| seconds >= DEAF)
    }

    /// `namespace/name`.
    pub(super) fn namespaced_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// A command about it.
    pub(super) fn command(&self, command: &str) -> String {
        format!(
            "kubectl provider-secrets {command} {} -n {}",
            self.name, self.namespace
        )
    }
}

/// What two looks show: a spec that waits for the operator only since the first one is new, however old it seems to be.
pub(super) fn seen_twice(first: &[Health], again: Vec<Health>) -> Vec<Health> {
    let unobserved = first.iter().filter(|of| of.unobserved_for.is_some());
    let names: BTreeSet<String> = unobserved.map(Health::namespaced_name).collect();
    let seen = again.into_iter().map(|health| Health {
        unobserved_for: health
            .unobserved_for
            .filter(|_| names.contains(&health.namespaced_name())),
        ..health
    });
    seen.collect()
}
