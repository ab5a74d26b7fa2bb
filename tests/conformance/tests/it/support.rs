//! The five APIs at the simulator, with a foreign secret in each.

use std::collections::BTreeMap;

use bytes::Bytes;
use conformance::{Report, Run, Target};
use provider_secrets::{
    api::ProviderKind,
    http::{Transport, TransportError},
};
use simulator::{Account, Provider, Simulator, baseten, braintrust, pipecat, prime_intellect};
use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};

pub(crate) const KEY: &str = "C4n4ryInTheM1ne-key";
/// A name and a set that no run may touch.
const FOREIGN: (&str, &str) = ("FOREIGN", "foreign");

/// One of the five APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Api {
    pub(crate) provider: Provider,
    pub(crate) kind: ProviderKind,
    pub(crate) scope: Option<&'static str>,
}

/// The scope is what the five APIs differ in beside the provider.
pub(crate) const APIS: [Api; 7] = [
    api(Provider::Baseten, ProviderKind::Baseten, None),
    api(Provider::Baseten, ProviderKind::Baseten, Some("team-b")),
    api(Provider::PrimeIntellect, ProviderKind::PrimeIntellect, None),
    api(
        Provider::PrimeIntellect,
        ProviderKind::PrimeIntellect,
        Some("team-b"),
    ),
    api(Provider::Pipecat, ProviderKind::Pipecat, None),
    api(Provider::Braintrust, ProviderKind::Braintrust, None),
    api(
        Provider::Braintrust,
        ProviderKind::Braintrust,
        Some("organization-b"),
    ),
];

const fn api(provider: Provider, kind: ProviderKind, scope: Option<&'static str>) -> Api {
    Api {
        provider,
        kind,
        scope,
    }
}

impl Api {
    /// An account with this API, and in each of its scopes a foreign secret.
    pub(crate) fn account(self, simulator: &Simulator) -> Account {
        let account = match self.provider {
            Provider::Baseten => simulator.baseten().add_account(
                baseten::NewAccount::new("acme", KEY)
                    .team("team-a", "One")
                    .team("team-b", "Two"),
            ),
            Provider::PrimeIntellect => simulator
                .prime_intellect()
                .add_account(prime_intellect::NewAccount::new("acme", KEY).team("team-b")),
            Provider::Pipecat => simulator
                .pipecat()
                .add_account(pipecat::NewAccount::new("acme", KEY)),
            Provider::Braintrust => simulator.braintrust().add_account(
                // Without a name the key would stand for all of several organizations.
                self.scope
                    .into_iter()
                    .fold(braintrust::NewAccount::new("acme", KEY), |new, name| {
                        new.organization("organization-a").organization(name)
                    }),
            ),
        };
        let account = account.expect("the account is a new one");
        let (name, set) = FOREIGN;
        if self.provider == Provider::Pipecat {
            let written = account.foreign_write(Some(set), name, "theirs");
            written.expect("the set can be made");
        }
        for scope in account.scopes() {
            let written = account.foreign_write(scope.as_deref(), name, "theirs");
            written.expect("the scope is known");
        }
        account
    }

    /// The account as a target, in process.
    pub(crate) fn target(self, simulator: &Simulator) -> Target {
        Target {
            kind: self.kind,
            base: "http://127.0.0.1/".parse().expect("this is a URL"),
            key: KEY.into(),
            scope: self.scope.map(str::to_owned),
            transport: transport(simulator, self.provider),
        }
    }

    /// One run, cleaned up.
    pub(crate) async fn run_at(self, simulator: &Simulator, account: &Account) -> Report {
        let seen = account.clone();
        let is_set = self.provider == Provider::Pipecat;
        let run = Run::new(self.target(simulator)).with_eye(Box::new(move |name, set| {
            let scope = if is_set { Some(set) } else { self.scope };
            let mut held = seen.held(scope);
            held.remove(name).map(|held| held.value)
        }));
        let mut report = run.check(|_| ()).await;
        report.results.push(run.clean().await);
        report
    }
}

/// Everything an account holds, with the times of each, so that a write of the same value is seen.
pub(crate) fn holdings(account: &Account) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for scope in account.scopes() {
        for (name, held) in account.held(scope.as_deref()) {
            all.insert(format!("{scope:?}/{name}"), format!("{held:?}"));
        }
    }
    all
}

/// The simulator as what carries requests, in process and so under a paused clock.
fn transport(simulator: &Simulator, provider: Provider) -> Transport {
    let service = simulator.service(provider);
    BoxCloneSyncService::new(service_fn(move |request: http::Request<Bytes>| {
        let service = service.clone();
        async move {
            let request = request.map(axum::body::Body::from);
            let answer = service
                .oneshot(request)
                .await
                .map_err(|_| TransportError::Cut)?;
            let (parts, body) = answer.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX)
                .await
                .map_err(|_| TransportError::Cut)?;
            Ok(http::Response::from_parts(parts, body))
        }
    }))
}
