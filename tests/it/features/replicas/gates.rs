//! What is between one process and the world: it tells what passes, and can be closed.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::IntoResponse,
};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, config::Kubeconfig};
use simulator::{Provider, Served};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use url::Url;

use crate::harness::{LEASE, NAMESPACE};

/// Calls, and who held the lease then.
type Calls = Mutex<Vec<(String, String)>>;

/// The gates of one process, closed on drop.
pub(super) struct Gates {
    /// Of the process to providers.
    calls: Arc<Calls>,
    is_open: watch::Sender<bool>,
    providers: Vec<(Provider, SocketAddr)>,
    kubernetes: SocketAddr,
    servers: Vec<JoinHandle<()>>,
}

impl Drop for Gates {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

impl Gates {
    /// Opens them; `client` asks who holds the lease.
    pub(super) async fn open(served: &Served, client: &Client, api_server: SocketAddr) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (mut providers, mut servers) = (Vec::new(), Vec::new());
        for provider in Provider::ALL {
            let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
            let (calls, simulator) = (Arc::clone(&calls), served.simulator().clone());
            let host = served.address(provider).to_string();
            let host = HeaderValue::try_from(host).expect("an address");
            let pass = move |mut request: Request| {
                request.headers_mut().insert(header::HOST, host.clone());
                let (calls, simulator) = (Arc::clone(&calls), simulator.clone());
                let leases = leases.clone();
                async move {
                    let holder = holder(&leases).await.unwrap_or_default();
                    let line = format!("{} {}", request.method(), request.uri().path());
                    note(&calls, line, holder);
                    let answer = simulator.call(provider, request).await;
                    answer.unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
                }
            };
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            providers.push((provider, listener.local_addr().expect("an address")));
            servers.push(tokio::spawn(async move {
                let router = Router::new().fallback(pass);
                axum::serve(listener, router).await.expect("it serves");
            }));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let kubernetes = listener.local_addr().expect("an address");
        let (is_open, open) = watch::channel(true);
        servers.push(tokio::spawn(pass_on(listener, api_server, open)));
        Self {
            calls,
            is_open,
            providers,
            kubernetes,
            servers,
        }
    }

    /// Where the process finds a provider.
    pub(super) fn url(&self, of: Provider) -> String {
        let mut providers = self.providers.iter();
        let (_, address) = providers
            .find(|(provider, _)| *provider == of)
            .expect("each has a gate");
        format!("http://{address}")
    }

    /// The kubeconfig at `path`, by way of the gate.
    pub(super) fn kubeconfig(&self, path: &Path, to: PathBuf) -> PathBuf {
        let mut kubeconfig = Kubeconfig::read_from(path).expect("a kubeconfig");
        for named in &mut kubeconfig.clusters {
            let cluster = named.cluster.as_mut().expect("a cluster");
            cluster.server = Some(format!("https://{}", self.kubernetes));
        }
        let text = serde_json::to_string(&kubeconfig).expect("JSON");
        std::fs::write(&to, text).expect("a file is written");
        to
    }

    /// Nothing passes to the API server any more, and nothing says so.
    pub(super) fn close(&self) {
        self.is_open.send_replace(false);
    }

    /// The calls of the process to providers.
    pub(super) fn calls(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().map(|(line, _)| line.clone()).collect()
    }

    /// Those that were sent while the process of this name did not hold the lease.
    pub(super) fn calls_without_lease(&self, name: &str) -> Vec<String> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let without = calls.iter().filter(|(_, holder)| holder != name);
        without
            .map(|(line, holder)| format!("{line} of {name} while {holder:?} held the lease"))
            .collect()
    }
}

fn note(calls: &Calls, line: String, holder: String) {
    let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    calls.push((line, holder));
}

/// The pod that holds the lease; none where it is free.
pub(super) async fn holder(leases: &Api<Lease>) -> Option<String> {
    pod(leases.get(LEASE).await.ok()?)
}

/// The pod that a Lease names as its holder.
pub(super) fn pod(lease: Lease) -> Option<String> {
    let identity = lease.spec?.holder_identity?;
    Some(identity.rsplit_once('_')?.0.to_owned())
}

/// The address of the API server of a kubeconfig.
pub(super) fn api_server(kubeconfig: &Path) -> SocketAddr {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let cluster = kubeconfig.clusters[0].cluster.as_ref().expect("a cluster");
    let url: Url = cluster
        .server
        .as_ref()
        .expect("a server")
        .parse()
        .expect("a URL");
    let addresses = url.socket_addrs(|| None).expect("an address");
    addresses[0]
}

async fn pass_on(listener: TcpListener, to: SocketAddr, open: watch::Receiver<bool>) {
    while let Ok((mut from, _)) = listener.accept().await {
        let mut open = open.clone();
        tokio::spawn(async move {
            let Ok(mut to) = TcpStream::connect(to).await else {
                return;
            };
            let closed = async {
                let _ = open.wait_for(|open| !open).await.is_ok();
            };
            tokio::select! {
                _ = copy_bidirectional(&mut from, &mut to) => return,
                () = closed => {}
            }
            // Both ends stay connected, and nothing comes through.
            std::future::pending::<()>().await;
        });
    }
}
