//! Clients that mean no good, on loopback. Each waits until the server has closed its connection.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{body::Body, routing::get};
use futures::stream;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
};

use super::*;

const QUICK: Bounds = Bounds {
    connections: 8,
    headers: Duration::from_millis(200),
    lifetime: Duration::from_secs(1),
};

/// Only the time for headers ends a connection of these.
const PATIENT: Bounds = Bounds {
    lifetime: Duration::from_hours(1),
    ..QUICK
};

/// A server with these bounds, until the test ends.
fn served(bounds: Bounds, routes: Router) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(serve(listener, routes, bounds, std::future::pending()));
    address
}

fn probes() -> Router {
    Router::new().route("/healthz", get(|| async { "ok\n" }))
}

/// All that the server answers to `request` until it closes the connection.
async fn answer(address: SocketAddr, request: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    rest(&mut client).await
}

/// What comes until the server closes the connection, which it may do with a reset.
async fn rest(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = client.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

const PROBE: &str = "GET /healthz HTTP/1.1\r\nHost: pod\r\n\r\n";

/// Cases: K-08
#[tokio::test]
async fn a_connection_is_for_one_request() {
    let address = served(Bounds::DEFAULT, probes());
    let answered = answer(address, PROBE).await;
    assert!(answered.starts_with("HTTP/1.1 200 OK\r\n"), "{answered}");
    assert!(answered.contains("connection: close\r\n"), "{answered}");
    assert!(answered.ends_with("\r\n\r\nok\n"), "{answered}");
}

/// Cases: K-08
#[tokio::test]
async fn a_client_that_sends_its_headers_slowly_is_cut_off() {
    let address = served(PATIENT, probes());
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    writer
        .write_all(b"GET /healthz HTTP/1.1\r\nX: ")
        .await
        .unwrap();
    let drip = tokio::spawn(async move {
        while writer.write_all(b"a").await.is_ok() {
            sleep(QUICK.headers / 10).await;
        }
    });
    let mut bytes = Vec::new();
    let _ = reader.read_to_end(&mut bytes).await;
    let answered = String::from_utf8_lossy(&bytes);
    assert!(!answered.contains("200 OK"), "{answered}");
    drip.await.unwrap();
}

/// Cases: K-08
#[tokio::test]
async fn a_client_that_sends_nothing_is_cut_off() {
    let address = served(PATIENT, probes());
    let mut client = TcpStream::connect(address).await.unwrap();
    assert_eq!(rest(&mut client).await, "");
}

/// Cases: K-08
#[tokio::test]
async fn many_and_large_headers_are_refused() {
    let address = served(Bounds::DEFAULT, probes());
    let many = "A: a\r\n".repeat(MAX_HEADERS + 1);
    let large = format!("A: {}\r\n", "a".repeat(MAX_BUFFER));
    for headers in [many, large] {
        let request = format!("GET /healthz HTTP/1.1\r\n{headers}\r\n");
        let mut client = TcpStream::connect(address).await.unwrap();
        // The server may have closed the connection before it has read everything.
        let _ = client.write_all(request.as_bytes()).await;
        let answered = rest(&mut client).await;
        assert!(answered.starts_with("HTTP/1.1 431 "), "{answered}");
    }
}

/// Cases: K-08
#[tokio::test]
async fn a_client_that_does_not_read_takes_little_and_is_cut_off() {
    let (sent, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let endless = {
        let (sent, ended) = (Arc::clone(&sent), Arc::clone(&ended));
        move || async move {
            let dropped = NotifyOnDrop(ended);
            Body::from_stream(stream::unfold(dropped, move |dropped| {
                let sent = Arc::clone(&sent);
                async move {
                    sent.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                    Some((Ok::<_, Infallible>("a".repeat(MAX_BUFFER)), dropped))
                }
            }))
        }
    };
    let address = served(QUICK, Router::new().route("/endless", get(endless)));
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = b"GET /endless HTTP/1.1\r\nHost: pod\r\n\r\n";
    client.write_all(request).await.unwrap();
    ended.notified().await;
    // What the two sockets hold, which the kernel bounds at some megabytes, and two chunks.
    let chunks = sent.load(Ordering::SeqCst);
    assert!(chunks < 32 * 1024 * 1024 / MAX_BUFFER, "{chunks}");
}

struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Cases: K-08
#[tokio::test]
async fn a_probe_is_answered_while_a_thousand_clients_hold_connections() {
    let patient = Bounds {
        headers: Duration::from_hours(1),
        lifetime: Duration::from_hours(1),
        ..QUICK
    };
    let address = served(patient, probes());
    let mut held = VecDeque::new();
    for _ in 0..1000 {
        held.push_back(TcpStream::connect(address).await.unwrap());
        // The oldest makes way: its client sees the end.
        if held.len() > patient.connections {
            let mut oldest = held.pop_front().unwrap();
            assert_eq!(rest(&mut oldest).await, "");
        }
    }
    let answered = answer(address, PROBE).await;
    assert!(answered.ends_with("\r\n\r\nok\n"), "{answered}");
}

/// A route whose answer waits until it may go on, and says when it was asked for.
fn slow(begun: &Arc<Notify>, go_on: &Arc<Notify>) -> Router {
    let (begun, go_on) = (Arc::clone(begun), Arc::clone(go_on));
    let slow = get(move || async move {
        begun.notify_one();
        go_on.notified().await;
        "done\n"
    });
    Router::new().route("/slow", slow)
}

const SLOW: &str = "GET /slow HTTP/1.1\r\nHost: pod\r\n\r\n";

/// Cases: K-08
#[tokio::test]
async fn a_client_that_is_being_answered_makes_way_for_none_that_sends_nothing() {
    let (begun, go_on) = (Arc::default(), Arc::default());
    let address = served(PATIENT, probes().merge(slow(&begun, &go_on)));
    let client = tokio::spawn(answer(address, SLOW));
    begun.notified().await;
    let mut held = Vec::new();
    for _ in 0..PATIENT.connections * 2 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    // They were all accepted before this one.
    let answered = answer(address, PROBE).await;
    assert!(answered.ends_with("\r\n\r\nok\n"), "{answered}");
    go_on.notify_one();
    assert!(client.await.unwrap().ends_with("done\n"));
}

#[tokio::test]
async fn what_is_under_way_ends_after_the_signal_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (begun, release) = (Arc::default(), Arc::default());
    let routes = slow(&begun, &release);
    let server = tokio::spawn(serve(listener, routes, Bounds::DEFAULT, async {
        let _ = stopped.await;
    }));
    let client = tokio::spawn(answer(address, SLOW));
    begun.notified().await;
    stop.send(()).unwrap();
    release.notify_one();
    assert!(client.await.unwrap().ends_with("done\n"));
    server.await.unwrap();
}
