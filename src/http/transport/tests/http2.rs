//! HTTP/2: connections that the server ends, streams that it resets.

use std::{future::pending, net::SocketAddr, time::Duration};

use bytes::Bytes;
use h2::{Reason as Code, SendStream, server::SendResponse};
use http::{Request, Response};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_rustls::server::TlsStream;

use super::{
    NAME, UNREACHED, UNSURE, failure_of,
    peer::{self, Seen},
    read,
    tls::{Authority, named},
    write,
};
use crate::http::{ApiClient, CALL_TIMEOUT, ErrorClass};

/// A connection as the server has it.
type Connection = h2::server::Connection<TlsStream<TcpStream>, Bytes>;

/// What a server does to a request.
#[derive(Clone, Copy, Debug)]
enum Act {
    Answer,
    /// Ends its stream.
    Reset(Code),
    /// Ends the connection.
    GoAway(Code),
    /// Answers and lets the client know that this connection takes no more.
    AnswerAndGo,
    /// Holds the connection and neither reads nor writes any more.
    Freeze,
    /// Begins an answer and adds nothing to it again and again.
    Nothing,
}

/// A server that does this to its requests one after the other, whatever the connection, and
/// answers all that follow; and a session with it.
async fn acting(acts: &'static [Act]) -> (ApiClient, Seen) {
    let authority = Authority::new();
    let identity = authority.issue(&[NAME]).with_http2();
    let (address, seen): (SocketAddr, Seen) = peer::serve(move |_, stream, seen| {
        let identity = identity.clone();
        async move {
            let stream = identity.accept(stream).await.expect("it is trusted");
            let connection = h2::server::handshake(stream).await.expect("HTTP/2");
            play(connection, acts, &seen).await;
        }
    })
    .await;
    (named(authority.trusted(), address), seen)
}

async fn play(mut connection: Connection, acts: &[Act], seen: &Seen) {
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let act = acts.get(seen.requests().len());
        seen.keep(line(&request));
        match act.copied().unwrap_or(Act::Answer) {
            Act::Answer => answer(&mut respond),
            Act::Reset(code) => respond.send_reset(code),
            Act::GoAway(code) => connection.abrupt_shutdown(code),
            Act::AnswerAndGo => {
                answer(&mut respond);
                connection.graceful_shutdown();
            }
            Act::Freeze => pending().await,
            Act::Nothing => {
                let body = respond.send_response(head(), false).expect("sent");
                tokio::spawn(nothing(body));
            }
        }
    }
}

fn line<T>(request: &Request<T>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

fn answer(respond: &mut SendResponse<Bytes>) {
    let mut body = respond.send_response(head(), false).expect("sent");
    body.send_data(Bytes::from_static(b"true"), true)
        .expect("sent");
}

fn head() -> Response<()> {
    let head = Response::builder().header("content-type", "application/json");
    head.body(()).expect("a head")
}

/// Frames without a byte in them, until the client has enough.
async fn nothing(mut body: SendStream<Bytes>) {
    while body.send_data(Bytes::new(), false).is_ok() {
        sleep(Duration::from_millis(1)).await;
    }
}

/// A write and a read to which this is done, and a write that is answered; over how many
/// connections they went. Each was read by the server, so a write may have been carried out.
async fn sent_once(acts: &'static [Act; 2]) -> usize {
    let (session, seen) = acting(acts).await;
    assert_eq!(failure_of(write(&session).await), UNSURE, "{acts:?}");
    assert_eq!(failure_of(read(&session).await), UNREACHED, "{acts:?}");
    write(&session).await.expect("it goes on");
    let sent = ["POST /secrets", "GET /secrets", "POST /secrets"];
    assert_eq!(seen.requests(), sent, "{acts:?}");
    seen.connections()
}

/// Cases: P-30
#[tokio::test]
async fn a_stream_that_is_reset_is_transient_and_its_request_not_sent_again() {
    for acts in [
        &[Act::Reset(Code::INTERNAL_ERROR); 2],
        &[Act::Reset(Code::CANCEL); 2],
        &[Act::Reset(Code::ENHANCE_YOUR_CALM); 2],
        &[Act::Reset(Code::NO_ERROR); 2],
    ] {
        // A stream is not the connection.
        assert_eq!(sent_once(acts).await, 1, "{acts:?}");
    }
}

/// Cases: P-30
#[tokio::test]
async fn a_connection_that_the_server_ends_is_made_again() {
    for acts in [
        &[Act::GoAway(Code::ENHANCE_YOUR_CALM); 2],
        &[Act::GoAway(Code::INTERNAL_ERROR); 2],
        &[Act::GoAway(Code::NO_ERROR); 2],
    ] {
        assert_eq!(sent_once(acts).await, 3, "{acts:?}");
    }
}

/// Cases: P-30
#[tokio::test]
async fn a_connection_that_takes_no_more_is_left_without_a_failure() {
    let (session, seen) = acting(&[Act::AnswerAndGo; 20]).await;
    for _ in 0..20 {
        write(&session).await.expect("an answer");
    }
    assert_eq!(seen.requests().len(), 20);
    assert_eq!(seen.connections(), 20);
}

/// Cases: P-30
#[tokio::test]
async fn what_the_server_says_it_did_not_look_at_is_sent_again_a_few_times() {
    let refused = Act::Reset(Code::REFUSED_STREAM);
    let once: &'static [Act] = Vec::leak(vec![refused]);
    let (session, seen) = acting(once).await;
    write(&session).await.expect("an answer");
    assert_eq!(seen.requests().len(), 2);
    // For ever, it is an error like others.
    let always: &'static [Act] = Vec::leak(vec![refused; 50]);
    let (session, seen) = acting(always).await;
    assert_eq!(failure_of(write(&session).await), UNSURE);
    assert!((1..=3).contains(&seen.requests().len()));
}

/// Cases: P-30
#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nobody_answers_any_more_is_left() {
    let (session, seen) = acting(&[Act::Answer, Act::Freeze]).await;
    read(&session).await.expect("an answer");
    let outcome = write(&session).await.err();
    let class = outcome.map(|error| error.class);
    assert_eq!(class, Some(ErrorClass::UnknownOutcome));
    // Streams are given up one by one, and a connection without them would be kept for ever.
    write(&session).await.expect("an answer");
    assert_eq!(seen.connections(), 2);
}

/// Cases: P-19
#[tokio::test(start_paused = true)]
async fn frames_of_nothing_end_at_the_deadline_of_a_call_at_the_latest() {
    let (session, seen) = acting(&[Act::Nothing; 2]).await;
    let since = Instant::now();
    let outcome = write(&session).await.err();
    assert_eq!(
        outcome.map(|error| error.class),
        Some(ErrorClass::UnknownOutcome)
    );
    assert!(since.elapsed() < CALL_TIMEOUT + Duration::from_millis(100));
    let outcome = read(&session).await.err();
    assert_eq!(
        outcome.map(|error| error.class),
        Some(ErrorClass::Transient)
    );
    write(&session).await.expect("it goes on");
    assert_eq!(seen.requests().len(), 3);
}
