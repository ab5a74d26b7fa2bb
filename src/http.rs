//! The one outbound client.
//!
//! Bounded in time and size, without redirects and without proxies from the environment. A
//! credential is bound to its endpoint in a [`Session`] and goes nowhere else. The transport is a
//! boxed tower service, so that tests can put a provider's router in its place.

mod error;
mod retry_after;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout};
use tower::{Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use url::Url;
use zeroize::Zeroizing;

pub use error::{Class, ProviderError};
pub use retry_after::retry_after;

use crate::{
    api::{ProviderKind, Reason},
    telemetry::Metrics,
};

/// Longest wait for a TCP and TLS connection. Vendors' own clients wait 10 s (providers.md 1.4).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a whole answer, its body included: a reconcile holds a slot meanwhile.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer that is read, in bytes. A page of 100 secrets is below 64 KiB.
const MAX_ANSWER: usize = 1024 * 1024;

/// Why a request got no answer. It carries no text of a library or a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection: DNS, TCP or TLS. Nothing was sent.
    #[error("no connection")]
    Connect,
    /// The connection ended, or timed out, after the request may have left.
    #[error("connection cut")]
    Cut,
    /// The answer is larger than is read.
    #[error("answer too large")]
    TooLarge,
}

/// What carries a request to a provider and its answer back.
pub type Transport =
    BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, TransportError>;

/// The real transport: one connection pool for the process.
///
/// # Errors
/// When no CA certificates are found, because then no provider could be reached.
pub fn transport(user_agent: &str) -> Result<Transport, reqwest::Error> {
    let client = reqwest::Client::builder()
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_mins(1))
        .tcp_keepalive(Duration::from_secs(30))
        .build()?;
    Ok(BoxCloneSyncService::new(service_fn(
        move |request: http::Request<Bytes>| {
            let client = client.clone();
            async move { exchange(&client, request).await }
        },
    )))
}

async fn exchange(
    client: &reqwest::Client,
    request: http::Request<Bytes>,
) -> Result<http::Response<Bytes>, TransportError> {
    let request = reqwest::Request::try_from(request).map_err(|_| TransportError::Connect)?;
    let mut response = client.execute(request).await.map_err(|error| {
        if error.is_connect() {
            TransportError::Connect
        } else {
            TransportError::Cut
        }
    })?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| TransportError::Cut)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(TransportError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = http::Response::new(Bytes::from(body));
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

/// The outbound client: a transport and what it is measured with.
#[derive(Clone)]
pub struct Http {
    transport: Transport,
    metrics: Metrics,
}

impl Http {
    /// A client over `transport`.
    pub fn new(transport: Transport, metrics: Metrics) -> Self {
        Self { transport, metrics }
    }
}

/// One account's way to its provider: the credential together with the only endpoint it may go to.
#[derive(Clone)]
pub struct Session {
    http: Http,
    kind: ProviderKind,
    base: Url,
    authorization: HeaderValue,
}

/// How a provider wants the API key in the `Authorization` header.
#[derive(Clone, Copy, Debug)]
pub enum Scheme {
    /// `Authorization: Api-Key <key>`
    ApiKey,
    /// `Authorization: Bearer <key>`
    Bearer,
}

/// One call: an operation's name for metrics and logs, and what goes over the wire.
#[derive(Default)]
pub struct Call<'a> {
    /// The operation, a word from our own code: it is a metric label.
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// Path segments; each is percent-encoded. An empty last one gives a trailing slash.
    pub path: &'a [&'a str],
    /// Query pairs; each is percent-encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// A JSON body.
    pub body: Option<Body>,
}

/// A JSON request body, erased from memory when it is dropped.
pub struct Body(Bytes);

impl Body {
    /// Serialises `value`.
    ///
    /// # Errors
    /// When the value cannot be serialised; our own types always can.
    pub fn json(value: &impl Serialize) -> Result<Self, ProviderError> {
        let bytes = serde_json::to_vec(value).map_err(|_| ProviderError::protocol())?;
        Ok(Self(Bytes::from_owner(Zeroizing::new(bytes))))
    }
}

/// A provider's answer with a status of 2xx.
pub struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// Decodes the JSON body.
    ///
    /// # Errors
    /// [`Class::Protocol`] when it is not JSON of that shape. The text of the decoder is dropped,
    /// because it quotes what it read.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        let is_json = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value
                    .trim_start()
                    .to_ascii_lowercase()
                    .starts_with("application/json")
            });
        if !is_json {
            return Err(ProviderError::protocol());
        }
        serde_json::from_slice(&self.body).map_err(|_| ProviderError::protocol())
    }
}

impl Session {
    /// Binds `key` to `base`.
    ///
    /// # Errors
    /// [`Reason::CredentialInvalid`] when no header can hold the key.
    pub fn new(
        http: Http,
        kind: ProviderKind,
        base: Url,
        scheme: Scheme,
        key: &SecretString,
    ) -> Result<Self, Reason> {
        let scheme = match scheme {
            Scheme::ApiKey => "Api-Key",
            Scheme::Bearer => "Bearer",
        };
        let text = Zeroizing::new(format!("{scheme} {}", key.expose_secret()));
        let mut authorization =
            HeaderValue::from_str(&text).map_err(|_| Reason::CredentialInvalid)?;
        authorization.set_sensitive(true);
        Ok(Self {
            http,
            kind,
            base,
            authorization,
        })
    }

    /// Makes one call and gives the answer if its status is 2xx.
    ///
    /// # Errors
    /// Everything else, classed.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, ProviderError> {
        let operation = call.operation;
        let started = Instant::now();
        let outcome = self.exchange(call).await;
        let elapsed = started.elapsed();
        let code = match &outcome {
            Ok(response) => response.status().as_str().to_owned(),
            Err(error) => error.reason.as_str().to_owned(),
        };
        self.http
            .metrics
            .provider_request(self.kind, operation, &code, elapsed);
        tracing::debug!(
            provider = self.kind.as_str(),
            operation,
            status = code,
            duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "provider answered"
        );
        let response = outcome?;
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            Ok(Answer {
                headers: parts.headers,
                body,
            })
        } else {
            Err(ProviderError::from_status(parts.status, &parts.headers))
        }
    }

    async fn exchange(&self, call: Call<'_>) -> Result<http::Response<Bytes>, ProviderError> {
        let is_write = call.method != Method::GET;
        let request = self.request(call)?;
        let mut transport = self.http.transport.clone();
        let exchange = async {
            transport.ready().await?;
            transport.call(request).await
        };
        match timeout(CALL_TIMEOUT, exchange).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(ProviderError::from_transport(error, is_write)),
            Err(_elapsed) => Err(ProviderError::timeout(is_write)),
        }
    }

    fn request(&self, call: Call<'_>) -> Result<http::Request<Bytes>, ProviderError> {
        let mut url = self.base.clone();
        if call
            .path
            .iter()
            .any(|segment| matches!(*segment, "." | ".."))
        {
            return Err(ProviderError::config(Reason::InvalidKeyName));
        }
        url.path_segments_mut()
            .map_err(|()| ProviderError::config(Reason::InvalidSpec))?
            .pop_if_empty()
            .extend(call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut request = http::Request::builder()
            .method(call.method)
            .uri(url.as_str())
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::ACCEPT, HeaderValue::from_static("application/json"));
        if call.body.is_some() {
            request = request.header(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        request
            .body(call.body.map(|body| body.0).unwrap_or_default())
            .map_err(|_| ProviderError::config(Reason::InvalidSpec))
    }
}
