//! Serves http to clients that no one has checked: slow ones, greedy ones and very many. What a client can
//! take is bounded: time, headers and memory of a connection, and how many there are.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet, yield_now},
    time::{sleep, timeout},
};
use tower::util::MapRequestLayer;

/// How long to wait when the process has no file for a connection that is there.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The headers of a request. Prometheus sends six, and a proxy some more.
const MAX_HEADERS: usize = 64;

/// What a connection keeps of a request, and of an answer that its client does not read.
const MAX_BUFFER: usize = 16 * 1024;

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How many there are at once. Beyond that the oldest makes way for the newest, so that a probe is
    /// answered however many clients hold a connection and send nothing; one that is being answered only where all are.
    pub(super) connections: usize,
    /// How long a client may take to send the headers of its request.
    pub(super) headers: Duration,
    /// How long a connection lives, which is for one request.
    pub(super) lifetime: Duration,
}

impl Bounds {
    /// The kubelet waits 1 s for a probe; Prometheus waits 10 s for a scrape unless it is told otherwise.
    pub(super) const DEFAULT: Self = Self {
        connections: 64,
        headers: Duration::from_secs(5),
        lifetime: Duration::from_secs(30),
    };
}

/// Serves connections until `stop`, then lets those that are there end.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let mut connections = Connections {
        routes,
        bounds,
        tasks: JoinSet::new(),
        oldest_first: VecDeque::new(),
    };
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.add(stream);
                    // One that came before is answered before this burst of clients pushes it out.
                    yield_now().await;
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => sleep(ACCEPT_RETRY).await,
            },
            Some(_) = connections.tasks.join_next() => {}
        }
    }
    while connections.tasks.join_next().await.is_some() {}
}

/// Whether the client has gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

struct Connections {
    routes: Router,
    bounds: Bounds,
    tasks: JoinSet<()>,
    oldest_first: VecDeque<Connection>,
}

struct Connection {
    task: AbortHandle,
    /// Whether its request is there.
    is_answered: Arc<AtomicBool>,
}

impl Connections {
    fn add(&mut self, stream: TcpStream) {
        let oldest_first = &mut self.oldest_first;
        oldest_first.retain(|connection| !connection.task.is_finished());
        while oldest_first.len() >= self.bounds.connections {
            let is_idle = |one: &Connection| !one.is_answered.load(Ordering::Relaxed);
            let idle = oldest_first.iter().position(is_idle);
            let Some(oldest) = oldest_first.remove(idle.unwrap_or_default()) else {
                break;
            };
            oldest.task.abort();
        }
        let is_answered = Arc::new(AtomicBool::new(false));
        let answered = Arc::clone(&is_answered);
        let notes = MapRequestLayer::new(move |request: Request| {
            answered.store(true, Ordering::Relaxed);
            request
        });
        let routes = self.routes.clone().layer(notes);
        let task = self.tasks.spawn(connection(stream, routes, self.bounds));
        oldest_first.push_back(Connection { task, is_answered });
    }
}

/// Answers one request.
async fn connection(stream: TcpStream, routes: Router, bounds: Bounds) {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.headers)
        .keep_alive(false)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER);
    let service = TowerToHyperService::new(routes);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    // What a client does wrong is its own business.
    let _ = timeout(bounds.lifetime, served).await;
}

#[cfg(test)]
mod tests;
