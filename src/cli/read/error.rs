//! Words for what the API server refused. No text of an answer is shown.

use std::time::Duration;

/// Longest wait for an answer. A page of a list may have some megabytes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// One line for a call that failed. `what` is a verb and its object, such as `list providersecrets`.
pub(in crate::cli) fn refused(what: &str, namespace: Option<&str>, error: &kube::Error) -> String {
    let place = namespace.map_or_else(
        || " in all namespaces".to_owned(),
        |namespace| format!(" in namespace {namespace}"),
    );
    match error {
        kube::Error::Api(status) => match status.code {
            401 => "the API server does not accept this credential: log in again".to_owned(),
            403 => format!("you may not {what}{place}: a right is missing, or an admission policy forbids it"),
            404 if is_of_kind(&status.message) => "the resource ProviderSecret is not installed: kubectl provider-secrets crds | kubectl apply -f -".to_owned(),
            404 => format!("not found: {what}{place}"),
            409 => format!("another writer was faster: {what}{place}; try again"),
            410 => format!("the list took too long: {what}{place}; try again"),
            422 => format!("the API server refused to {what}{place}: it does not fit the schema, or a policy forbids it"),
            code => format!("the API server answered {code} to: {what}{place}"),
        },
        kube::Error::Auth(_) => {
            "the kubeconfig gives no credential: its exec plugin or token failed".to_owned()
        }
        kube::Error::SerdeError(_) => {
            format!("the answer of the API server could not be read: {what}{place}")
        }
        _ => "the API server cannot be reached: see kubectl cluster-info".to_owned(),
    }
}

/// Whether a 404 means that the kind is not known, and not that one object is not there.
pub(in crate::cli) fn is_of_kind(message: &str) -> bool {
    message.starts_with("404 page not found") || message.contains("the server could not find")
}
