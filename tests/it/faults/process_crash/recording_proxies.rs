//! The proxies between an incarnation of the operator and the API server and provider. They log every call and carry
//! out none after the end of its incarnation.

use std::{future::Future, net::SocketAddr};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use kube::Client;
use simulator::{Provider, Served};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::faults::call_log::{CallLog, Effect};

/// Two proxies, closed on drop.
pub(super) struct RecordingProxies {
    pub(super) kubernetes: SocketAddr,
    pub(super) provider: SocketAddr,
    servers: [JoinHandle<()>; 2],
}

impl Drop for RecordingProxies {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

/// The incarnation whose calls go through the proxies.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) call_log: CallLog,
    pub(super) incarnation: u64,
}

impl Caller {
    async fn call(
        &self,
        line: String,
        effect: Effect,
        call: impl Future<Output = Response> + Send + 'static,
    ) -> Response {
        self.call_log
            .call(self.incarnation, line, effect, call)
            .await
    }
}

impl RecordingProxies {
    /// Opens both. `client` is of the operator's ServiceAccount.
    pub(super) async fn open(
        caller: &Caller,
        client: Client,
        served: &Served,
        provider: Provider,
    ) -> Self {
        let to_kubernetes = {
            let caller = caller.clone();
            move |request| kubernetes(caller.clone(), client.clone(), request)
        };
        let to_provider = {
            let (caller, simulator) = (caller.clone(), served.simulator().clone());
            let host = served.address(provider).to_string();
            let host = HeaderValue::try_from(host).expect("an address");
            move |mut request: Request| {
                request.headers_mut().insert(header::HOST, host.clone());
                let (caller, simulator) = (caller.clone(), simulator.clone());
                async move {
                    let (line, effect) = to_a_provider(provider, &request);
                    let call = async move {
                        let answer = simulator.call(provider, request).await;
                        answer.unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
                    };
                    caller.call(line, effect, call).await
                }
            }
        };
        let (kubernetes, first) = serve(Router::new().fallback(to_kubernetes)).await;
        let (provider, second) = serve(Router::new().fallback(to_provider)).await;
        Self {
            kubernetes,
            provider,
            servers: [first, second],
        }
    }
}

async fn serve(router: Router) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        axum::serve(listener, router).await.expect("it serves");
    });
    (address, server)
}

async fn kubernetes(caller: Caller, client: Client, request: Request) -> Response {
    let counted = to_kubernetes(&request);
    let call = async move {
        let (mut head, body) = request.into_parts();
        // The client sets its own.
        head.headers.remove(header::HOST);
        let body = whole(body).await;
        let request = axum::http::Request::from_parts(head, kube::client::Body::from(body));
        match client.send(request).await {
            Ok(answer) => answer.map(Body::new).into_response(),
            Err(_) => StatusCode::BAD_GATEWAY.into_response(),
        }
    };
    if let Some((line, effect)) = counted {
        return caller.call(line, effect, call).await;
    }
    // Lists, watches and events are not counted: their number differs from run to run.
    caller.call_log.ensure_alive(caller.incarnation).await;
    call.await
}

async fn whole(body: Body) -> Bytes {
    to_bytes(body, usize::MAX).await.expect("a whole request")
}

/// A call about one object or one Secret.
fn to_kubernetes(request: &Request) -> Option<(String, Effect)> {
    let segments: Vec<&str> = request.uri().path().split('/').collect();
    let kinds = ["secrets", "providersecrets"];
    let kind = segments.iter().position(|part| kinds.contains(part))?;
    let named = segments[kind..].to_vec();
    let effect = effect(request, Effect::Record);
    (named.len() > 1).then(|| (format!("{} {}", request.method(), named.join("/")), effect))
}

fn to_a_provider(provider: Provider, request: &Request) -> (String, Effect) {
    let line = format!("{} {provider} {}", request.method(), request.uri().path());
    (line, effect(request, Effect::Send))
}

fn effect(request: &Request, write: Effect) -> Effect {
    if request.method() == Method::GET {
        Effect::Read
    } else {
        write
    }
}
