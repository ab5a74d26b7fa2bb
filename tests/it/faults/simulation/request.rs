//! Requests as the API server understands them.

use axum::http::{Request, header};
use kube::client::Body;
use serde_json::Value;

use super::{refusal::Refusal, store::Resource};

/// A request that was understood.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) resource: Resource,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) is_status: bool,
    query: Vec<(String, String)>,
    /// Whether it asks for metadata only.
    pub(super) is_partial: bool,
    pub(super) content_type: String,
    pub(super) body: Value,
}

impl Asked {
    /// Reads a request.
    pub(super) async fn read(request: Request<Body>) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        let (resource, rest) = route(&path).ok_or_else(Refusal::gone)?;
        let (namespace, name, part) = match rest {
            Rest::Everywhere => (None, None, None),
            Rest::In(namespace, rest) => {
                let name = rest.first().map(|name| (*name).to_owned());
                (Some(namespace.to_owned()), name, rest.get(1).copied())
            }
        };
        if part.is_some_and(|part| part != "status") {
            return Err(Refusal::gone());
        }
        let query = head.uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let header = |name| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let unreadable = || Refusal::new(400, "BadRequest", "the body is not JSON");
        let bytes = body.collect_bytes().await.map_err(|_| unreadable())?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|_| unreadable())?
        };
        Ok(Self {
            method: head.method.to_string(),
            resource,
            namespace,
            name,
            is_status: part.is_some(),
            query,
            is_partial: header(header::ACCEPT).contains("as=PartialObjectMetadata"),
            content_type: header(header::CONTENT_TYPE),
            body,
        })
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A parameter that is a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.parameter(name)?.parse().ok()
    }

    /// Whether it reads many objects, once or for a while.
    pub(super) fn is_collection(&self) -> bool {
        self.method == "GET" && self.name.is_none()
    }

    /// Whether it reads for a while.
    pub(super) fn is_watch(&self) -> bool {
        let watch = self.parameter("watch");
        self.is_collection() && watch.is_some_and(|watch| watch != "false")
    }

    /// Whether what it reads for a while begins with everything that is there.
    pub(super) fn is_stream(&self) -> bool {
        self.is_watch() && self.parameter("sendInitialEvents") == Some("true")
    }

    /// Its line in the call log.
    pub(super) fn line(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let part = if self.is_status { "/status" } else { "" };
        let verb = match (self.is_collection(), self.is_watch()) {
            _ if self.is_stream() => "STREAM",
            (_, true) => "WATCH",
            // A few objects, which a watch is compared with.
            (true, _) if self.number("limit").is_some_and(|limit| limit <= 50) => "LOOK",
            (true, _) => "LIST",
            _ => &self.method,
        };
        format!("{verb} {:?} {name}{part}", self.resource)
    }
}

enum Rest<'a> {
    Everywhere,
    In(&'a str, &'a [&'a str]),
}

fn route<'a>(path: &'a [&'a str]) -> Option<(Resource, Rest<'a>)> {
    let (["api", "v1", rest @ ..]
    | ["apis", "providersecrets.dev", "v1alpha1", rest @ ..]
    | [
        "apis",
        "events.k8s.io" | "coordination.k8s.io",
        "v1",
        rest @ ..,
    ]) = path
    else {
        return None;
    };
    let resource = |name: &str| match (path[0], path[1], name) {
        ("api", "v1", "secrets") => Some(Resource::Secrets),
        ("apis", "providersecrets.dev", "providersecrets") => Some(Resource::ProviderSecrets),
        ("apis", "events.k8s.io", "events") => Some(Resource::Events),
        ("apis", "coordination.k8s.io", "leases") => Some(Resource::Leases),
        _ => None,
    };
    match rest {
        ["namespaces", _] if path[0] == "api" => {
            Some((Resource::Namespaces, Rest::In("", &rest[1..])))
        }
        ["namespaces", namespace, name, rest @ ..] => {
            Some((resource(name)?, Rest::In(namespace, rest)))
        }
        [name] => Some((resource(name)?, Rest::Everywhere)),
        _ => None,
    }
}
