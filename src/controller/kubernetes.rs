//! Calls to the Kubernetes API. Each is bounded in time, and no text of an answer leaves here.
//!
//! A call names its namespace, which is always the object's own: there is no way to name another.

use std::{collections::BTreeMap, future::Future, time::Duration};

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{Api, Client, api::PatchParams, core::Status, runtime::watcher};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::object::is_labelled;
use crate::{
    api::{ALLOWED_PROVIDERS, GROUP},
    http::certificate_fault,
    leadership::Leadership,
};

/// Longest wait for an answer. A stalled API server does not answer at all
/// (docs/architecture.md#calls-to-the-api-server).
const TIMEOUT: Duration = Duration::from_secs(10);
/// The reason that kube makes up where an answer holds no `Status`: it is a proxy's, and not the API server's.
const NO_STATUS: &str = "Failed to parse error data";

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KubernetesError {
    /// 404 of the API server, which names what is not there.
    NotFound,
    /// 403.
    Forbidden,
    /// 409.
    Conflict,
    /// 422: a test of a JSON patch failed, or the object does not fit its schema.
    Invalid,
    /// Anything else: no answer in time, none that was understood, 5xx. Or nothing was sent, because this
    /// process does not lead.
    Unavailable,
}

impl KubernetesError {
    /// The word for it in the log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A Secret as it is needed: its version and values that are erased when they are dropped.
pub(crate) struct ReadSecret {
    pub(crate) version: String,
    /// The type, such as `Opaque`.
    pub(crate) kind: String,
    /// Whether its labels say that it may leave the cluster.
    pub(crate) is_labelled: bool,
    pub(crate) data: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

/// Bounds a call and reduces its error to what decides what happens next.
pub(crate) async fn bounded<T>(
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, KubernetesError> {
    match timeout(TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(refusal(&status)),
        Ok(Err(_)) | Err(_) => Err(KubernetesError::Unavailable),
    }
}

/// What an answer that is no success says. Where a proxy answers for the API server, it says nothing of the object.
fn refusal(status: &Status) -> KubernetesError {
    let details = status.details.as_ref();
    let names_object = || details.is_some_and(|details| !details.name.is_empty());
    match status.code {
        _ if status.reason == NO_STATUS => KubernetesError::Unavailable,
        403 => KubernetesError::Forbidden,
        404 if status.reason == "NotFound" && names_object() => KubernetesError::NotFound,
        409 => KubernetesError::Conflict,
        422 => KubernetesError::Invalid,
        _ => KubernetesError::Unavailable,
    }
}

/// The same for a write, which a process sends only while it leads.
pub(crate) async fn written<T>(
    leadership: &Leadership,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, KubernetesError> {
    if !leadership.is_held() {
        return Err(KubernetesError::Unavailable);
    }
    bounded(call).await
}

/// The HTTP status of an answer that ended a watch; none where another failure did.
pub(crate) fn watch_status(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

/// Why a watch had no answer.
pub(crate) fn unreached(error: &watcher::Error) -> String {
    certificate_fault(error).map_or_else(
        || "the API server could not be reached".to_owned(),
        |fault| format!("the certificate of the API server {}", fault.what()),
    )
}

/// The parameters of every patch: the operator's name as field manager.
pub(crate) fn patch_params() -> PatchParams {
    PatchParams {
        field_manager: Some(GROUP.to_owned()),
        ..PatchParams::default()
    }
}

/// Reads a Secret.
pub(crate) async fn read_secret(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<ReadSecret, KubernetesError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = bounded(api.get(name)).await?;
    let data = secret.data.unwrap_or_default().into_iter();
    let labels = secret.metadata.labels.unwrap_or_default();
    Ok(ReadSecret {
        is_labelled: is_labelled(&labels),
        version: secret.metadata.resource_version.unwrap_or_default(),
        kind: secret.type_.unwrap_or_default(),
        data: data
            .map(|(key, value)| (key, Zeroizing::new(value.0)))
            .collect(),
    })
}

/// The annotation of a namespace that bounds which providers its objects may use; none where it has none.
pub(crate) async fn allowed_providers(
    client: &Client,
    namespace: &str,
) -> Result<Option<String>, KubernetesError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let namespace = bounded(api.get_metadata(namespace)).await?;
    let annotations = namespace.metadata.annotations;
    Ok(annotations.and_then(|mut annotations| annotations.remove(ALLOWED_PROVIDERS)))
}

/// Whether a namespace is being deleted. One that is gone counts as deleted; one that cannot be read does not.
pub(crate) async fn is_terminating(client: &Client, namespace: &str) -> bool {
    let api: Api<Namespace> = Api::all(client.clone());
    match bounded(api.get(namespace)).await {
        Ok(namespace) => namespace.metadata.deletion_timestamp.is_some(),
        Err(error) => error == KubernetesError::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use ::http::{Request, Response};
    use kube::client::Body;
    use rstest::rstest;
    use tokio::time::Instant;
    use tower::service_fn;

    use super::*;

    /// A proxy that answers for the API server tells nothing of an object.
    #[rstest]
    #[case::of_an_object(
        404,
        r#"{"kind": "Status", "reason": "NotFound", "details": {"name": "s"}, "code": 404}"#,
        KubernetesError::NotFound
    )]
    #[case::of_a_resource(
        404,
        r#"{"kind": "Status", "reason": "NotFound", "details": {}, "code": 404}"#,
        KubernetesError::Unavailable
    )]
    #[case::of_a_path(404, "404 page not found", KubernetesError::Unavailable)]
    #[case::a_page(404, "<html>Not here</html>", KubernetesError::Unavailable)]
    #[case::json_of_another(404, r#"{"error": "no route"}"#, KubernetesError::Unavailable)]
    #[case::a_refusal(
        403,
        r#"{"kind": "Status", "reason": "Forbidden", "code": 403}"#,
        KubernetesError::Forbidden
    )]
    #[case::a_page_that_refuses(403, "<html>Blocked</html>", KubernetesError::Unavailable)]
    #[case::a_conflict(409, r#"{"kind": "Status", "code": 409}"#, KubernetesError::Conflict)]
    #[case::a_page_of_a_conflict(409, "", KubernetesError::Unavailable)]
    #[tokio::test]
    async fn only_the_api_server_says_that_something_is_gone_or_refused(
        #[case] code: u16,
        #[case] body: &'static str,
        #[case] expected: KubernetesError,
    ) {
        let answer = move |_: Request<Body>| {
            let body = Body::from(body.as_bytes().to_vec());
            let answer = Response::builder().status(code).body(body);
            std::future::ready(Ok::<_, std::io::Error>(answer.unwrap()))
        };
        let client = Client::new(service_fn(answer), "default");
        let secret = read_secret(&client, "ml", "s").await;
        assert_eq!(secret.err(), Some(expected));
        let is_gone = is_terminating(&client, "ml").await;
        assert_eq!(is_gone, expected == KubernetesError::NotFound);
    }

    /// Cases: A-07
    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_not_answered_ends_after_ten_seconds() {
        let began = Instant::now();
        let answer = bounded(std::future::pending::<kube::Result<()>>()).await;
        assert_eq!(answer, Err(KubernetesError::Unavailable));
        let took = began.elapsed().as_millis();
        assert!((10_000..10_100).contains(&took), "{took} ms");
    }

    /// Cases: R-26
    #[test]
    fn a_certificate_of_the_api_server_that_is_not_trusted_is_told_as_such() {
        let refused = rustls::CertificateError::UnknownIssuer;
        let refused = std::io::Error::other(rustls::Error::InvalidCertificate(refused));
        let error = watcher::Error::InitialListFailed(kube::Error::Service(refused.into()));
        assert_eq!(
            unreached(&error),
            "the certificate of the API server is not trusted"
        );
        let error = watcher::Error::InitialListFailed(kube::Error::TlsRequired);
        assert_eq!(unreached(&error), "the API server could not be reached");
    }
}
