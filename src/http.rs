//! The one outbound client.
//!
//! Bounded in time and size, without redirects and without proxies from the environment. A
//! credential is bound to its endpoint in an [`ApiClient`] and goes nowhere else. The transport is a
//! boxed tower service, so that tests can put a provider's router in its place.

mod egress;
mod error;
mod monitor;
mod retry_after;
mod transport;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout};
use tower::{Service, ServiceExt};
use tracing::Instrument as _;
use url::Url;
use zeroize::Zeroizing;

pub use egress::{Egress, EgressError, Proxy};
pub use error::{BrokenWay, Detail, ErrorClass, ProviderError, RefusedCertificate};
pub use monitor::{CallKind, Monitor, Refusing, Unmonitored};
pub use retry_after::retry_after;
use transport::AnswerBound;
pub(crate) use transport::certificate_fault;
pub use transport::{CertificateFault, Transport, TransportError, WayFault, transport};

use crate::{
    api::{ProviderKind, Reason},
    leadership::Leadership,
    telemetry::{Metrics, call_span, note_answer},
};

/// Longest wait for a whole answer, its body included: a reconcile holds a slot meanwhile.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The outbound client: a transport and what it is measured with.
#[derive(Clone)]
pub struct Http {
    transport: Transport,
    metrics: Metrics,
    leadership: Leadership,
}

impl Http {
    /// A client over `transport`, which sends a write only while the process leads.
    pub fn new(transport: Transport, metrics: Metrics, leadership: Leadership) -> Self {
        Self {
            transport,
            metrics,
            leadership,
        }
    }
}

/// One account's way to its provider: the credential together with the only endpoint it may go to.
#[derive(Clone)]
pub struct ApiClient {
    http: Http,
    kind: ProviderKind,
    base: Url,
    authorization: HeaderValue,
    monitor: Arc<dyn Monitor>,
}

/// How a provider wants the API key in the `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Authorization: Api-Key <key>`
    ApiKey,
    /// `Authorization: Bearer <key>`
    Bearer,
}

impl Scheme {
    /// The word for it in flags.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::Bearer => "bearer",
        }
    }
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
    /// What the failure of a read says something about. That of a write is about its entry.
    pub concerns: Concerns,
    /// The largest answer that is read, in bytes, where it is another than that of all calls.
    pub max_answer: Option<usize>,
    /// Tells from the body of a refusal whether it is the one that the provider's file looks for. The
    /// body itself is dropped.
    pub recognises: Option<fn(&[u8]) -> bool>,
}

/// What the failure of a read says something about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concerns {
    /// All that the account does.
    #[default]
    Account,
    /// The entries that need the answer, if the provider refuses it to the key (403): the key may do the rest.
    Entry,
    /// The same, also where the provider does not know the key there (401): the account's own calls tell.
    Question,
    /// Nothing, whatever the reason: the account works as well without the answer.
    Nothing,
}

impl Call<'_> {
    fn kind(&self) -> CallKind {
        if self.method != Method::GET {
            return CallKind::Write;
        }
        match self.concerns {
            Concerns::Entry => CallKind::ReadOfEntry,
            Concerns::Question => CallKind::Question,
            Concerns::Account | Concerns::Nothing => CallKind::Read,
        }
    }
}

/// A JSON request body, erased from memory when it is dropped.
pub struct Body(Bytes);

impl Body {
    /// Serialises `value`.
    ///
    /// # Errors
    /// When the value cannot be serialised; our own types always can.
    pub fn json(value: &impl Serialize) -> Result<Self, ProviderError> {
        // Counted first: a buffer that grows leaves copies behind that are never erased.
        let mut length = Length(0);
        serde_json::to_writer(&mut length, value).map_err(|_| ProviderError::protocol())?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *bytes, value).map_err(|_| ProviderError::protocol())?;
        Ok(Self(Bytes::from_owner(bytes)))
    }
}

/// Counts what is written to it.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A provider's answer with a status of 2xx.
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// Decodes the JSON body.
    ///
    /// # Errors
    /// [`ErrorClass::Protocol`] when it is not JSON of that shape. The text of the decoder is dropped,
    /// because it quotes what it read.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        if !self.is_json() {
            return Err(ProviderError::protocol());
        }
        serde_json::from_slice(&self.body).map_err(|_| ProviderError::protocol())
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The length of the body, in bytes.
    pub fn length(&self) -> usize {
        self.body.len()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether the answer is a part of what there is (206), or links to the next page (RFC 8288).
    pub fn tells_of_more(&self) -> bool {
        let links = self.headers.get_all(header::LINK).into_iter();
        let is_next = |link: &str| {
            let link = link.to_ascii_lowercase().replace('"', " ");
            // A link may be several things at once: `rel="last next"`.
            link.split([';', ',']).any(|part| {
                let (name, value) = part.split_once('=').unwrap_or_default();
                name.trim() == "rel" && value.split_whitespace().any(|rel| rel == "next")
            })
        };
        self.status == StatusCode::PARTIAL_CONTENT
            || links.filter_map(|link| link.to_str().ok()).any(is_next)
    }

    fn is_json(&self) -> bool {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        let text = content_type.and_then(|value| value.to_str().ok());
        text.is_some_and(|text| {
            text.trim_start()
                .to_ascii_lowercase()
                .starts_with("application/json")
        })
    }
}

impl ApiClient {
    /// Binds `key` to `base`. `monitor` is asked before each call and notified how it ended.
    ///
    /// # Errors
    /// [`Reason::CredentialInvalid`] when no header can hold the key.
    pub fn new(
        http: Http,
        kind: ProviderKind,
        base: Url,
        scheme: Scheme,
        key: &SecretString,
        monitor: Arc<dyn Monitor>,
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
            monitor,
        })
    }

    /// The same client, whose every call is refused with `error`.
    pub fn refusing(&self, error: ProviderError) -> Self {
        Self {
            monitor: Arc::new(Refusing(error)),
            ..self.clone()
        }
    }

    /// Whether a call would be sent now.
    ///
    /// # Errors
    /// What it would come to instead: this process does not lead, or the account may not be called.
    pub fn may_send(&self) -> Result<(), ProviderError> {
        if !self.http.leadership.is_held() {
            return Err(ProviderError::not_leading());
        }
        self.monitor.may_send()
    }

    /// Makes one call and gives the answer if its status is 2xx.
    ///
    /// # Errors
    /// Everything else, classed; and what the monitor says where the account may not be called now, or that
    /// this process does not lead: then nothing is sent, and nothing counted.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, ProviderError> {
        self.may_send()?;
        let (operation, concerns, recognises) = (call.operation, call.concerns, call.recognises);
        let kind = call.kind();
        let sent = Instant::now();
        let span = call_span(self.kind.as_str(), operation);
        let outcome = self.exchange(call).instrument(span.clone()).await;
        let elapsed = sent.elapsed();
        let code = match &outcome {
            Ok(response) => response.status().as_str().to_owned(),
            Err(error) => error.reason.as_str().to_owned(),
        };
        self.http
            .metrics
            .provider_request(self.kind, operation, &code, elapsed);
        let answer = outcome.and_then(|response| answer(response, recognises));
        let class = answer.as_ref().err().map(|error| error.class);
        note_answer(&span, &code, class);
        tracing::debug!(
            provider = self.kind.as_str(),
            operation,
            status = code,
            error.kind = class.map(ErrorClass::as_str),
            duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "provider answered"
        );
        let failure = match &answer {
            // A page of a proxy in between is no sign that the provider works.
            Ok(answer) if answer.is_json() || answer.body.is_empty() => None,
            Ok(_) => Some(ProviderError::protocol()),
            Err(error) => Some(error.clone()),
        };
        if concerns != Concerns::Nothing || failure.is_none() {
            self.monitor.answered(sent, kind, failure.as_ref());
        }
        answer
    }

    async fn exchange(&self, call: Call<'_>) -> Result<http::Response<Bytes>, ProviderError> {
        let is_write = call.kind() == CallKind::Write;
        let request = self.request(call)?;
        let mut transport = self.http.transport.clone();
        let exchange = async {
            transport.ready().await?;
            transport.call(request).await
        };
        match timeout(CALL_TIMEOUT, exchange).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let host = self.base.host_str().unwrap_or_default();
                Err(ProviderError::from_transport(error, is_write, host))
            }
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
            // It is looked at again before the first byte leaves.
            .extension(self.http.leadership.clone())
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::ACCEPT, "application/json")
            // Without it a server may compress its answer, which nothing here unpacks (docs/vendors.md#ge-11).
            .header(header::ACCEPT_ENCODING, "identity");
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(bound) = call.max_answer {
            request = request.extension(AnswerBound(bound));
        }
        request
            .body(call.body.map(|body| body.0).unwrap_or_default())
            .map_err(|_| ProviderError::config(Reason::InvalidSpec))
    }
}

fn answer(
    response: http::Response<Bytes>,
    recognises: Option<fn(&[u8]) -> bool>,
) -> Result<Answer, ProviderError> {
    let (parts, body) = response.into_parts();
    if parts.status.is_success() {
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    } else {
        let error = ProviderError::from_status(parts.status, &parts.headers);
        let is_recognised = recognises.is_some_and(|recognises| recognises(&body));
        Err(if is_recognised {
            error.recognised()
        } else {
            error
        })
    }
}
