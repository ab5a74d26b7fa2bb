//! Servers on loopback that keep what they were sent.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// An answer that is as it should be.
pub(super) const FINE: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\ntrue";
/// The same, and the last one of its connection.
pub(super) const LAST: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\nconnection: close\r\n\r\ntrue";

/// What came in at a server, on all of its connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Seen {
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests that were read, head and body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("nobody panicked").clone()
    }

    /// All bytes that were read.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("nobody panicked").clone()
    }

    /// Keeps everything that still comes, until the client is gone.
    pub(super) async fn drain(&self, stream: &mut (impl AsyncRead + Unpin)) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            let mut bytes = self.bytes.lock().expect("nobody panicked");
            bytes.extend_from_slice(&buffer[..count]);
        }
    }

    /// Reads a request; none where the client has gone.
    pub(super) async fn request(&self, stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
        let mut text = Vec::new();
        while !is_whole(&text) {
            let byte = stream.read_u8().await.ok()?;
            self.bytes.lock().expect("nobody panicked").push(byte);
            text.push(byte);
        }
        let text = String::from_utf8(text).expect("text");
        self.keep(text.clone());
        Some(text)
    }

    /// Keeps a request.
    pub(super) fn keep(&self, request: String) {
        self.requests.lock().expect("nobody panicked").push(request);
    }
}

/// Whether a request is there with its whole body.
fn is_whole(text: &[u8]) -> bool {
    let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().expect("a length"));
    text.len() >= end + 4 + length
}

/// A server whose connections are played one beside the other; `play` is told which one it is.
pub(super) async fn serve<F>(
    play: impl Fn(usize, TcpStream, Seen) -> F + Send + 'static,
) -> (SocketAddr, Seen)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = Seen::default();
    let all = seen.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            // A clock that goes on when everybody waits does not wait for the kernel.
            stream.set_nodelay(true).expect("it is sent at once");
            let number = all.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(play(number, stream, all.clone()));
        }
    });
    (address, seen)
}

/// A server that answers each request with this text.
pub(super) async fn answering(text: impl Into<String>) -> (SocketAddr, Seen) {
    let text: Arc<str> = text.into().into();
    serve(move |_, mut stream, seen| {
        let text = Arc::clone(&text);
        async move {
            while seen.request(&mut stream).await.is_some() {
                if send(&mut stream, &text).await.is_err() {
                    break;
                }
            }
        }
    })
    .await
}

/// Sends text.
pub(super) async fn send(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).await
}
