//! The simulator on loopback sockets. Straight on hyper: a handler's error ends the connection there without an answer.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use tower::ServiceExt as _;

use crate::{fault::ConnectionCut, provider::Provider, simulator::Simulator};

/// A running server; dropping it closes every listener and connection.
#[derive(Debug)]
pub struct Served {
    simulator: Simulator,
    providers: [SocketAddr; Provider::ALL.len()],
    admin: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Served {
    pub(crate) async fn bind(simulator: &Simulator, address: IpAddr) -> io::Result<Self> {
        let mut tasks = Vec::new();
        let mut providers = Vec::new();
        for provider in Provider::ALL {
            let listener = TcpListener::bind((address, 0)).await?;
            providers.push(listener.local_addr()?);
            let simulator = simulator.clone();
            tasks.push(tokio::spawn(accept(listener, move |request| {
                let simulator = simulator.clone();
                async move { simulator.call(provider, request).await }
            })));
        }
        let listener = TcpListener::bind((address, 0)).await?;
        let admin = listener.local_addr()?;
        let router = simulator.admin_router();
        tasks.push(tokio::spawn(accept(listener, move |request| {
            let answer = router.clone().oneshot(request);
            async move { Ok(answer.await.unwrap_or_else(|never| match never {})) }
        })));
        let providers = providers
            .try_into()
            .map_err(|_| io::Error::other("one listener per provider"))?;
        Ok(Self {
            simulator: simulator.clone(),
            providers,
            admin,
            tasks,
        })
    }

    /// The simulator that is served.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Where a provider listens.
    pub fn address(&self, provider: Provider) -> SocketAddr {
        self.providers[provider as usize]
    }

    /// The base URL of a provider, without a path: the client adds `/v1` or `/api/v1`.
    pub fn url(&self, provider: Provider) -> String {
        format!("http://{}", self.address(provider))
    }

    /// The base URL of the admin API.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Accepts until aborted; its connections are in the set, so they end with it.
async fn accept<H, F>(listener: TcpListener, handler: H)
where
    H: Fn(Request<Body>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response, ConnectionCut>> + Send + 'static,
{
    let handler = Arc::new(handler);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A failed accept (descriptors exhausted, a peer gone early) concerns that one peer.
                let Ok((stream, _)) = accepted else {
                    tokio::task::yield_now().await;
                    continue;
                };
                // Answers are small; waiting to fill a packet would only add latency.
                let _ = stream.set_nodelay(true);
                let handler = Arc::clone(&handler);
                connections.spawn(async move {
                    let service = service_fn(|request: Request<Incoming>| handler(request.map(Body::new)));
                    // A cut, or a client that went away, is no failure of the server.
                    let _ = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
