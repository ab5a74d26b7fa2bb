//! Words for what the API server refused. Of its own words only the names of fields are shown.

use std::{collections::BTreeSet, time::Duration};

use kube::{client::AuthError, core::Status};

use crate::{
    http::{CertificateFault, certificate_fault},
    telemetry::visible,
};

/// Longest wait for an answer. A page of a list may have some megabytes.
pub(in crate::cli) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// What the API server says before the fields that it does not know or has twice. Their names alone follow.
const STRICT: &str = "strict decoding error: ";

/// What is said where none is sent.
const CREDENTIAL: &str = "the kubeconfig gives no credential: its exec plugin or token failed";
/// Where to look in a request that is none.
const FORM: &str = "see the names, labels and fields in it";

/// One line for a call that failed. `what` is a verb and its object, such as `list providersecrets`.
pub(in crate::cli) fn refused(what: &str, namespace: Option<&str>, error: &kube::Error) -> String {
    let place = namespace.map_or_else(
        || " in all namespaces".to_owned(),
        |namespace| format!(" in namespace {namespace}"),
    );
    if let kube::Error::Api(status) = error
        && let Some((_, fields)) = status.message.split_once(STRICT)
    {
        let fields = visible(fields);
        return format!("the API server refused to {what}{place}: {fields}");
    }
    if let Some(fault) = certificate_fault(error) {
        let (what, advice) = (fault.what(), certificate_advice(fault));
        return format!("the certificate of the API server {what}: {advice}");
    }
    match error {
        kube::Error::Api(status) => match status.code {
            400 => format!("the API server does not understand the request to {what}{place}: {FORM}"),
            401 => "the API server does not accept this credential: log in again".to_owned(),
            403 => format!("you may not {what}{place}: a right is missing, or an admission policy forbids it"),
            404 if is_of_kind(&status.message) => "the resource ProviderSecret is not installed: kubectl provider-secrets crds | kubectl apply -f -".to_owned(),
            404 => format!("not found: {what}{place}"),
            409 => format!("another writer was faster: {what}{place}; try again"),
            410 => format!("the list took too long: {what}{place}; try again"),
            422 => {
                let fields = fields(status);
                format!("the API server refused to {what}{place}: it does not fit the schema{fields}, or a policy forbids it")
            }
            code => format!("the API server answered {code} to: {what}{place}"),
        },
        kube::Error::Auth(_) => CREDENTIAL.to_owned(),
        kube::Error::Service(error) if error.is::<AuthError>() => CREDENTIAL.to_owned(),
        kube::Error::SerdeError(_) => {
            format!("the answer of the API server could not be read: {what}{place}")
        }
        kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => {
            format!("no request could be made to {what}{place}: {FORM}")
        }
        _ => "the API server cannot be reached: see kubectl cluster-info".to_owned(),
    }
}

/// Whether a call may succeed later although no user changes anything: the API server restarts, has too much to do or
/// cannot be reached, a list took too long, or another writer was faster.
pub(in crate::cli) fn is_transient(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 408..=410 | 429 | 500..),
        // A kubeconfig with another CA is for a user to change.
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
            certificate_fault(error).is_none()
        }
        _ => false,
    }
}

/// Where to look for what is wrong with the certificate of the API server, or with what is expected of it.
fn certificate_advice(fault: CertificateFault) -> &'static str {
    match fault {
        CertificateFault::NotTrusted => {
            "see certificate-authority and certificate-authority-data of its cluster in the kubeconfig"
        }
        CertificateFault::OtherHost => {
            "see server and tls-server-name of its cluster in the kubeconfig"
        }
        _ => "it has to be renewed, or the clock of this machine is wrong",
    }
}

/// The fields that a refused object has to change, where the answer names them. What stands in them is not shown.
fn fields(status: &Status) -> String {
    let details = status.details.as_ref();
    let causes = details.into_iter().flat_map(|details| &details.causes);
    let fields: BTreeSet<&str> = causes.map(|cause| cause.field.as_str()).collect();
    let fields: Vec<&str> = fields
        .into_iter()
        .filter(|field| !field.is_empty())
        .collect();
    if fields.is_empty() {
        String::new()
    } else {
        format!(" at {}", visible(&fields.join(", ")))
    }
}

/// Whether a 404 means that the kind is not known, and not that one object is not there.
pub(in crate::cli) fn is_of_kind(message: &str) -> bool {
    message.starts_with("404 page not found") || message.contains("the server could not find")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn answered(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(Status {
            code,
            message: message.to_owned(),
            ..Status::default()
        }))
    }

    #[test]
    fn fields_that_are_not_known_are_told_in_one_line() {
        let message = "ProviderSecret in version \"v1alpha1\" cannot be handled as a ProviderSecret: strict decoding error: unknown field \"spec.approvall\", duplicate field \"spec.suspend\"";
        let said = refused(
            "create providersecret a",
            Some("ml"),
            &answered(400, message),
        );
        assert_eq!(
            said,
            "the API server refused to create providersecret a in namespace ml: unknown field \"spec.approvall\", duplicate field \"spec.suspend\""
        );
    }

    /// As of an exec plugin that fails when its token is over.
    #[test]
    fn a_credential_that_is_none_is_told() {
        let error = kube::Error::Service(Box::new(AuthError::MissingCommand));
        let said = refused("list providersecrets", None, &error);
        assert!(said.contains("gives no credential"), "{said}");
    }

    fn not_built() -> kube::Error {
        let error = "a b".parse::<http::Uri>().unwrap_err();
        kube::Error::HttpError(error.into())
    }

    /// The API server can be reached.
    #[rstest]
    #[case::refused(answered(400, "unable to parse requirement"))]
    #[case::not_built(not_built())]
    fn a_request_that_is_none_is_told(#[case] error: kube::Error) {
        let said = refused("list providersecrets", Some("ml"), &error);
        let what =
            "to list providersecrets in namespace ml: see the names, labels and fields in it";
        assert!(said.ends_with(what), "{said}");
        assert!(!is_transient(&error));
    }

    #[rstest]
    #[case(untrusted(), false)]
    #[case(answered(503, ""), true)]
    #[case(answered(500, ""), true)]
    #[case(answered(429, ""), true)]
    #[case(answered(410, ""), true)]
    #[case(answered(409, ""), true)]
    #[case(answered(401, ""), false)]
    #[case(answered(403, ""), false)]
    #[case(answered(404, ""), false)]
    #[case(kube::Error::Service("connection refused".into()), true)]
    #[case(kube::Error::TlsRequired, false)]
    fn what_heals_by_itself_is_known(#[case] error: kube::Error, #[case] expected: bool) {
        assert_eq!(is_transient(&error), expected);
    }

    /// As of the client: the refusal of TLS within errors of input and output.
    fn untrusted() -> kube::Error {
        let refused = rustls::CertificateError::UnknownIssuer;
        let refused = std::io::Error::other(rustls::Error::InvalidCertificate(refused));
        kube::Error::Service(std::io::Error::other(refused).into())
    }

    /// Cases: R-26
    #[test]
    fn a_certificate_that_is_not_trusted_is_told_as_such() {
        let said = refused("list providersecrets", None, &untrusted());
        assert_eq!(
            said,
            "the certificate of the API server is not trusted: see certificate-authority and certificate-authority-data of its cluster in the kubeconfig"
        );
    }
}
