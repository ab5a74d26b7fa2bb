//! What providers hold and no object has recorded: it is listed, and never deleted.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;

use crate::{
    account::{Credential, EndpointFlag, Endpoints},
    api::{ProviderKind, ProviderSecret, Reason},
    cli::{
        USER_AGENT, answer::Refusal, egress::EgressFlags, placement::Placement, read::Reader,
        schemes::Schemes, view::namespaced_name,
    },
    controller::{credential_failure, is_power},
    http::{self, ApiClient, Http, ProviderError, Unmonitored},
    leadership::Leadership,
    provider::{self, Choice, Provider, SetKeys, Unit},
    telemetry::Metrics,
};

/// A name that a provider holds and that no object has recorded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unowned {
    pub(super) provider: &'static str,
    pub(super) endpoint: String,
    /// Whose secrets these are, as far as the provider tells.
    pub(super) scope: Option<String>,
    /// The name, with that of its set.
    pub(super) name: String,
}

/// The way to the providers.
pub(super) struct Way {
    http: Http,
    endpoints: Endpoints,
}

impl Way {
    /// The way that the flags say.
    ///
    /// # Errors
    /// The flags cannot be used.
    pub(super) fn new(
        endpoints: &[EndpointFlag],
        schemes: &Schemes,
        egress: &EgressFlags,
    ) -> Result<Self, Refusal> {
        let transport = http::transport(USER_AGENT, egress.egress());
        let transport = transport.map_err(|what| Refusal::usage(what.to_string()))?;
        Ok(Self {
            http: Http::new(transport, Metrics::default(), Leadership::unopposed()),
            endpoints: Endpoints::new(endpoints.iter().cloned()).with_schemes(schemes.0.clone()),
        })
    }

    /// The client of an account.
    fn client(&self, choice: Choice<'_>, credential: &Credential) -> Option<ApiClient> {
        let base = self.endpoints.get(choice.kind(), choice.endpoint())?;
        let scheme = self.endpoints.scheme(choice.kind());
        let (http, key) = (self.http.clone(), credential.key());
        ApiClient::new(
            http,
            choice.kind(),
            base.clone(),
            scheme,
            key,
            Arc::new(Unmonitored),
        )
        .ok()
    }
}

/// Asks the account of each API key for what it holds. Gives what no object has recorded, and a line for each account
/// that did not answer.
pub(super) async fn unowned(
    reader: &Reader,
    way: &Way,
    objects: &[ProviderSecret],
    owned: &[Placement],
) -> (Vec<Unowned>, Vec<String>) {
    let (mut all, mut failures) = (BTreeSet::new(), Vec::new());
    let mut asked = BTreeSet::new();
    for object in objects {
        let Some(choice) = object.spec.provider.choice() else {
            continue;
        };
        let (namespace, name) = namespaced_name(object);
        let reference = choice.api_key_secret_ref();
        let key = format!("{namespace}/{} key {}", reference.name, reference.key);
        let is_set = provider::rules(choice.kind()).unit == Unit::Set;
        // A listing is the same for all objects of an account, and the keys of a set are not.
        let set = choice.set_name(&name).filter(|_| is_set).map(str::to_owned);
        if !asked.insert((key.clone(), choice.target(), set)) {
            continue;
        }
        let client = match client(&reader.within(&namespace), way, choice).await {
            Ok(client) => client,
            Err(why) => {
                failures.push(why);
                continue;
            }
        };
        let provider = provider::connect(choice, &name, client);
        match stored(&*provider, choice).await {
            Ok(held) => all.extend(
                held.into_iter()
                    .filter(|held| !is_owned(held, choice.kind(), owned)),
            ),
            Err(error) => failures.push(format!(
                "{} {} for Secret {key}",
                choice.kind(),
                error.what()
            )),
        }
    }
    (all.into_iter().collect(), failures)
}

/// The client of an account that an object of the reader's namespace names, if the operator would send the API key there.
///
/// # Errors
/// Why it would not, or why there is no API key, in one line.
async fn client(reader: &Reader, way: &Way, choice: Choice<'_>) -> Result<ApiClient, String> {
    let namespace = &reader.namespace;
    let allowed = reader.allowed_providers().await;
    let allowed = allowed.map_err(|refusal| refusal.text)?;
    if let Some(failure) = allowed.refusal(choice, namespace) {
        return Err(failure.message);
    }
    let reference = choice.api_key_secret_ref();
    let secret = reader.secret_values(namespace, &reference.name).await;
    let secret = secret.map_err(|refusal| refusal.text)?;
    if secret.as_ref().is_some_and(|secret| is_power(&secret.kind)) {
        let failure = credential_failure(Reason::SourceRefused, reference);
        return Err(format!("namespace {namespace}: {}", failure.message));
    }
    let bytes = secret
        .as_ref()
        .and_then(|secret| secret.data.get(&reference.key));
    let credential = bytes.and_then(|bytes| Credential::new(bytes).ok());
    let client = credential.and_then(|credential| way.client(choice, &credential));
    client.ok_or_else(|| {
        format!(
            "{}: there is no API key in Secret {namespace}/{} key {}, or no endpoint {}",
            choice.kind(),
            reference.name,
            reference.key,
            choice.endpoint()
        )
    })
}

/// What an account holds: every name, and the keys of the object's set.
async fn stored(
    provider: &dyn Provider,
    choice: Choice<'_>,
) -> Result<Vec<Unowned>, ProviderError> {
    let listing = provider.list().await?;
    let at = |name: String| Unowned {
        provider: choice.kind().as_str(),
        endpoint: choice.endpoint().to_owned(),
        scope: listing.scope.clone(),
        name,
    };
    let mut names: Vec<Unowned> = listing
        .remotes
        .iter()
        .map(|remote| at(remote.name.clone()))
        .collect();
    if provider.rules().unit == Unit::Set
        && let SetKeys::Shown(keys) = provider.set_keys().await?
    {
        let set = provider.listed_name("").to_owned();
        names.extend(keys.into_iter().map(|key| at(format!("{set}/{key}"))));
    }
    Ok(names)
}

/// Whether any object has recorded a name, or may have: the doubt makes it owned.
fn is_owned(held: &Unowned, kind: ProviderKind, owned: &[Placement]) -> bool {
    let fold = provider::rules(kind).fold;
    let name = fold(&held.name);
    owned.iter().any(|placement| {
        let is_there = placement.provider == held.provider && placement.endpoint == held.endpoint;
        let is_scope = match (&placement.scope, &held.scope) {
            (Some(theirs), Some(this)) => theirs == this,
            _ => true,
        };
        // A set belongs to the object that has a key in it.
        let is_name =
            fold(&placement.full_name()) == name || placement.set.as_deref() == Some(&held.name);
        is_there && is_scope && is_name
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        api::ALLOWED_PROVIDERS,
        cli::{
            egress::EndpointFlags,
            origin::Keys,
            placement::placements,
            tests::samples::{answering, fleet},
        },
    };

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        endpoint: EndpointFlags,

        #[command(flatten)]
        schemes: Schemes,

        #[command(flatten)]
        egress: EgressFlags,
    }

    #[rstest]
    #[case::allowed(json!({ALLOWED_PROVIDERS: "baseten"}), "Opaque", "")]
    #[case::no_bound(json!({}), "Opaque", "")]
    #[case::another_provider(json!({ALLOWED_PROVIDERS: "pipecat"}), "Opaque", "does not name baseten")]
    #[case::power(json!({}), "kubernetes.io/service-account-token", "a power over this cluster")]
    #[tokio::test]
    async fn what_the_operator_refuses_to_send_is_sent_to_no_provider(
        #[case] annotations: Value,
        #[case] kind: &str,
        #[case] expected: &str,
    ) {
        // Another test may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let namespace = json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": {"name": "ml", "annotations": annotations},
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": kind,
            "metadata": {"namespace": "ml", "name": "baseten"}, "data": {"token": "a2V5"},
        });
        let reader = answering(vec![(200, namespace), (200, secret)]);
        let Line {
            endpoint,
            schemes,
            egress,
        } = Line::try_parse_from(["inventory"]).unwrap();
        let way = Way::new(&endpoint.endpoint, &schemes, &egress).unwrap();
        let object = fleet().remove(1);
        let choice = object.spec.provider.choice().unwrap();
        let why = client(&reader, &way, choice).await.err();
        let why = why.unwrap_or_default();
        assert_eq!(why.is_empty(), expected.is_empty(), "{why}");
        assert!(why.contains(expected), "{why}");
    }

    #[rstest]
    #[case("Baseten", Some("team-7Hq"), "HF_TOKEN", true)]
    #[case("Baseten", Some("team-7Hq"), "OLD_TOKEN", false)]
    #[case::another_team("Baseten", Some("team-other"), "HF_TOKEN", false)]
    #[case::unknown_team("Baseten", None, "HF_TOKEN", true)]
    #[case::a_set("Pipecat", None, "agent-keys", true)]
    #[case::its_key("Pipecat", None, "agent-keys/OPENAI_API_KEY", true)]
    #[case::another_key("Pipecat", None, "agent-keys/OLD", false)]
    #[case::another_set("Pipecat", None, "old-agents", false)]
    fn what_an_object_has_recorded_is_owned(
        #[case] provider: &'static str,
        #[case] scope: Option<&str>,
        #[case] name: &str,
        #[case] expected: bool,
    ) {
        let owned: Vec<Placement> = fleet()
            .iter()
            .flat_map(|object| placements(object, &Keys::new()))
            .collect();
        let held = Unowned {
            provider,
            endpoint: "default".to_owned(),
            scope: scope.map(str::to_owned),
            name: name.to_owned(),
        };
        let kind = provider::PROVIDERS
            .iter()
            .find(|of| of.name == provider)
            .unwrap()
            .kind;
        assert_eq!(is_owned(&held, kind, &owned), expected);
    }
}
