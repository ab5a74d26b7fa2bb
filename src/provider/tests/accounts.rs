//! What a member of `spec.provider` says is what its account means.

use std::sync::Arc;

use bytes::Bytes;
use secrecy::SecretString;
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;
use crate::{
    http::{ApiClient, Http, TransportError, Unmonitored},
    leadership::Leadership,
    telemetry::Metrics,
};

/// A client that no request leaves.
fn client(kind: ProviderKind) -> ApiClient {
    let unreachable = |_: http::Request<Bytes>| async { Err(TransportError::Connect) };
    ApiClient::new(
        Http::new(
            BoxCloneSyncService::new(service_fn(unreachable)),
            Metrics::default(),
            Leadership::unopposed(),
        ),
        kind,
        "https://provider.example".parse().unwrap(),
        rules(kind).scheme,
        &SecretString::from("key"),
        Arc::new(Unmonitored),
    )
    .expect("a header can hold the key")
}

/// A field that its account ignored would write to another account than the user asked for, in
/// silence: `endpoint` to the public API, a team to the personal secrets of the key's owner.
#[test]
fn each_field_of_a_member_is_in_its_account() {
    let schema = schema();
    for kind in ProviderKind::ALL {
        let member = kind.member();
        let fields = &schema["provider"]["properties"][member]["properties"];
        let is_text = |field: &&str| {
            fields[*field]["type"] == "string" && fields[*field].get("enum").is_none()
        };
        let texts: BTreeSet<&str> = keys(fields).into_iter().filter(is_text).collect();
        // The value of each field is its name.
        let mut account = json!({"apiKeySecretRef": {"name": "secret", "key": "key"}});
        for field in &texts {
            account[*field] = json!(field);
        }
        let spec: ProviderSpec = serde_json::from_value(json!({ member: account })).unwrap();
        let choice = spec.choice().unwrap();
        let key = choice.api_key_secret_ref();
        assert_eq!((&*key.name, &*key.key), ("secret", "key"), "{member}");
        assert_eq!(
            choice.endpoint(),
            "endpoint",
            "endpoint() of spec.provider.{member}"
        );
        let provider = connect(choice, "object", client(kind));
        let set = provider.set();
        assert_eq!(
            choice.set_name("object"),
            set.map(|set| set.name),
            "{member}"
        );
        let meant = [
            Some(choice.endpoint()),
            choice.scope_field(),
            set.map(|set| set.name),
            set.and_then(|set| set.region),
        ];
        assert_eq!(
            meant.into_iter().flatten().collect::<BTreeSet<&str>>(),
            texts,
            "what scope_field() and connect() of spec.provider.{member} give on the left, its fields on the right"
        );
    }
}

#[test]
fn an_absent_field_is_the_public_api_and_no_scope() {
    for kind in ProviderKind::ALL {
        let spec = spec(&[kind.member()]);
        let choice = spec.choice().unwrap();
        assert_eq!(choice.endpoint(), Choice::DEFAULT_ENDPOINT, "{kind}");
        assert_eq!(choice.scope_field(), None, "{kind}");
        let set = connect(choice, "object", client(kind)).set().is_some();
        assert_eq!(set, rules(kind).unit == Unit::Set, "{kind}");
    }
}
