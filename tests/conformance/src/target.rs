//! The account that a run talks to.

use std::sync::Arc;

use provider_secrets::{
    account::{EndpointFlag, Endpoints},
    api::{ProviderKind, ProviderSpec},
    http::{ApiClient, Http, Transport, Unmonitored},
    leadership::Leadership,
    provider::{Choice, connect, rules},
    telemetry::Metrics,
};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use crate::{Failure, Guarded, Variables, vendors::Vendor};

/// An account at a provider.
pub struct Target {
    /// Which provider.
    pub kind: ProviderKind,
    /// Where its API is.
    pub base: Url,
    /// A key that may write secrets.
    pub key: SecretString,
    /// The team or the organization; none where the key alone says it, and at Pipecat.
    pub scope: Option<String>,
    /// What carries requests there.
    pub transport: Transport,
}

impl Target {
    /// The account that the environment names; none without a key, which is no error.
    ///
    /// # Errors
    /// When the base URL is not one to which the operator would send a key.
    pub fn from_environment(
        kind: ProviderKind,
        variable: impl Fn(&str) -> Option<String>,
        transport: Transport,
    ) -> Result<Option<Self>, String> {
        let names = Variables::of(kind);
        let given = |name: &str| variable(name).filter(|text| !text.is_empty());
        let Some(key) = given(names.key) else {
            return Ok(None);
        };
        let flag = given(names.base)
            .map(|url| format!("{}={url}", kind.flag()).parse::<EndpointFlag>())
            .transpose()
            .map_err(|error| format!("{}: {error}", names.base))?;
        let endpoints = Endpoints::new(flag);
        let base = endpoints
            .get(kind, Choice::DEFAULT_ENDPOINT)
            .ok_or("the provider has no endpoint")?;
        Ok(Some(Self {
            kind,
            base: base.clone(),
            key: key.into(),
            scope: names.scope.and_then(given),
            transport,
        }))
    }

    /// The account's way to its provider.
    ///
    /// # Errors
    /// When no header can hold the key.
    pub fn session(&self, key: &SecretString) -> Result<ApiClient, Failure> {
        let http = Http::new(
            self.transport.clone(),
            Metrics::default(),
            Leadership::unopposed(),
        );
        ApiClient::new(
            http,
            self.kind,
            self.base.clone(),
            rules(self.kind).scheme,
            key,
            Arc::new(Unmonitored),
        )
        .map_err(|_| Failure::new("no header can hold the key"))
    }

    /// The provider with another key, scope, set or region.
    ///
    /// # Errors
    /// When no header can hold the key.
    pub(crate) fn connect(&self, with: &With<'_>) -> Result<Guarded, Failure> {
        let session = self.session(with.key.unwrap_or(&self.key))?;
        let scope = with.scope.or(self.scope.as_deref()).map(str::to_owned);
        let mut member = json!({
            // The spec names a Secret, which is not read here.
            "apiKeySecretRef": {"name": "conformance", "key": "conformance"},
            "region": with.region,
        });
        if let Some(field) = Vendor::of(self.kind).scope_field {
            member[field] = json!(scope);
        }
        let spec: ProviderSpec = serde_json::from_value(json!({ self.kind.member(): member }))
            .map_err(|_| Failure::new("the operator does not know the account"))?;
        let choice = spec
            .choice()
            .ok_or_else(|| Failure::new("the spec names one provider"))?;
        let provider = connect(choice, with.set, session);
        Ok(Guarded::new(provider))
    }
}

/// What a connection has of its own.
#[derive(Default)]
pub(crate) struct With<'a> {
    pub(crate) key: Option<&'a SecretString>,
    pub(crate) scope: Option<&'a str>,
    pub(crate) set: &'a str,
    pub(crate) region: Option<&'a str>,
}
