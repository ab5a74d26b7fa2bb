//! Peers that take their time, under a clock that goes on when everybody waits.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep},
};

use super::{
    REFUSALS, UNREACHED, client, failure_of, peer, plain, read, refusal, tls::named, write,
};
use crate::{
    api::Reason,
    http::{
        CALL_TIMEOUT, ErrorClass,
        transport::{CONNECT_TIMEOUT, REFUSAL_BODY_TIMEOUT},
    },
};

/// What a call may take beyond a deadline.
const SLACK: Duration = Duration::from_millis(100);

/// Longest that any test here may take without anybody's waiting.
fn assert_took(since: Instant, deadline: Duration) {
    let took = since.elapsed();
    assert!(
        (deadline..deadline + SLACK).contains(&took),
        "{took:?}, not {deadline:?}"
    );
}

/// Sends this for ever, one byte a second; until the client has gone.
async fn drip(mut stream: TcpStream, text: &str) {
    for byte in text.bytes().cycle() {
        sleep(Duration::from_secs(1)).await;
        if peer::send(&mut stream, &char::from(byte).to_string())
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Cases: P-17
#[tokio::test(start_paused = true)]
async fn a_black_hole_is_given_up_at_the_deadline_of_a_connection() {
    // A full backlog gets no answer, not even from the kernel.
    let socket = TcpSocket::new_v4().expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a port");
    let listener = socket.listen(0).expect("it listens");
    let address = listener.local_addr().expect("an address");
    let _fills = std::net::TcpStream::connect(address).expect("the only place");
    for _ in 0..2 {
        let since = Instant::now();
        // Nothing was sent, so the outcome of a write is known too.
        assert_eq!(failure_of(write(&plain(address)).await), UNREACHED);
        assert_took(since, CONNECT_TIMEOUT);
    }
}

/// Cases: P-17
#[tokio::test(start_paused = true)]
async fn a_handshake_without_an_end_is_given_up_at_the_deadline_of_a_connection() {
    // Nothing at all, and the first byte of a record again and again.
    for text in ["", "\u{16}"] {
        let (address, seen) = peer::serve(move |_, mut stream, seen| async move {
            if text.is_empty() {
                seen.drain(&mut stream).await;
            } else {
                drip(stream, text).await;
            }
        })
        .await;
        let session = named(client(), address);
        let since = Instant::now();
        assert_eq!(failure_of(write(&session).await), UNREACHED);
        assert!(since.elapsed() < CONNECT_TIMEOUT + SLACK);
        if text.is_empty() {
            assert_took(since, CONNECT_TIMEOUT);
        }
        assert_eq!(seen.connections(), 1);
    }
}

/// Cases: P-18
#[tokio::test(start_paused = true)]
async fn headers_at_one_byte_a_second_end_at_the_deadline_of_a_call() {
    is_given_up("", "HTTP/1.1 200 OK\r\nx-padding: ").await;
    is_given_up("HTTP/1.1 200 OK\r\nx-padding: ", "x").await;
    // Each line is an answer of its own that only tells of one to come.
    is_given_up("", "HTTP/1.1 103 Early Hints\r\n\r\n").await;
}

/// Cases: P-18
#[tokio::test(start_paused = true)]
async fn a_body_at_one_byte_a_second_ends_at_the_deadline_of_a_call() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    is_given_up(&format!("{head}content-length: 1000\r\n\r\n"), " ").await;
    is_given_up(&format!("{head}\r\n"), " ").await;
    is_given_up(
        &format!("{head}transfer-encoding: chunked\r\n\r\n"),
        "1\r\n \r\n",
    )
    .await;
}

/// Cases: P-18
#[tokio::test(start_paused = true)]
async fn a_refusal_counts_although_its_body_drips_or_never_comes() {
    for (head, expected) in REFUSALS {
        for text in ["", " "] {
            let (address, _) = peer::serve(move |_, mut stream, seen| async move {
                seen.request(&mut stream).await;
                let head = format!("{head}content-length: 1000\r\n\r\n");
                peer::send(&mut stream, &head).await.expect("it is there");
                if text.is_empty() {
                    seen.drain(&mut stream).await;
                } else {
                    drip(stream, text).await;
                }
            })
            .await;
            let since = Instant::now();
            assert_eq!(refusal(&plain(address)).await, expected, "{head}");
            let took = since.elapsed();
            assert!(
                (REFUSAL_BODY_TIMEOUT..CALL_TIMEOUT).contains(&took),
                "{took:?}"
            );
        }
    }
}

/// That a server is given up which begins with one text and goes on with the other, and that its
/// connection is closed, whichever side writes there.
async fn is_given_up(first: &str, then: &'static str) {
    let first = first.to_owned();
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let (address, seen) = peer::serve(move |_, mut stream, seen| {
        let (first, ended) = (first.clone(), ended.clone());
        async move {
            seen.request(&mut stream).await;
            peer::send(&mut stream, &first).await.expect("it is there");
            drip(stream, then).await;
            let _ = ended.send(());
        }
    })
    .await;
    let session = plain(address);
    let since = Instant::now();
    let outcome = failure_of(write(&session).await);
    assert_eq!(outcome, Some((ErrorClass::UnknownOutcome, Reason::Timeout)));
    assert_took(since, CALL_TIMEOUT);
    ends.recv().await.expect("the connection was closed");
    let since = Instant::now();
    let outcome = failure_of(read(&session).await);
    assert_eq!(outcome, Some((ErrorClass::Transient, Reason::Timeout)));
    assert_took(since, CALL_TIMEOUT);
    ends.recv().await.expect("the connection was closed");
    assert_eq!(seen.requests().len(), 2);
}
