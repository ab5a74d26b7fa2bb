//! Connections that are used again, and end just then.

use tokio::task::yield_now;

use super::{
    UNREACHED, UNSURE, failure_of,
    peer::{self, FINE},
    plain, read, write,
};

/// Cases: P-29
#[tokio::test]
async fn a_request_that_was_read_and_not_answered_is_not_sent_again() {
    // The first request of a connection is answered; the next ends it, half answered or not.
    for half in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntr",
    ] {
        let (address, seen) = peer::serve(move |_, mut stream, seen| async move {
            seen.request(&mut stream).await;
            peer::send(&mut stream, FINE).await.expect("sent");
            seen.request(&mut stream).await;
            let _ = peer::send(&mut stream, half).await;
        })
        .await;
        let session = plain(address);
        for connections in 1..=2 {
            read(&session).await.expect("an answer");
            // It is not known whether it was carried out, which a read never is.
            let (outcome, expected) = if connections == 1 {
                (write(&session).await, UNSURE)
            } else {
                (read(&session).await, UNREACHED)
            };
            assert_eq!(failure_of(outcome), expected, "{half:?}");
            assert_eq!(seen.connections(), connections, "{half:?}");
            assert_eq!(seen.requests().len(), 2 * connections, "{half:?}");
        }
    }
}

/// Cases: P-29
#[tokio::test]
async fn a_write_into_a_connection_that_closes_meanwhile_arrives_at_most_once() {
    // Each connection is closed behind its first answer, earlier or later in the next call.
    let (address, seen) = peer::serve(|number, mut stream, seen| async move {
        seen.request(&mut stream).await;
        peer::send(&mut stream, FINE).await.expect("sent");
        for _ in 0..number % 12 {
            yield_now().await;
        }
    })
    .await;
    let session = plain(address);
    let mut unsure = 0;
    for number in 0..600 {
        let before = seen.requests().len();
        let outcome = failure_of(write(&session).await);
        let arrived = seen.requests().len() - before;
        match outcome {
            None => assert_eq!(arrived, 1, "call {number}"),
            UNSURE => {
                assert_eq!(arrived, 0, "call {number}: such a connection reads nothing");
                unsure += 1;
            }
            other => panic!("call {number}: {other:?}"),
        }
        for _ in 0..number % 7 {
            yield_now().await;
        }
    }
    assert!(unsure < 600 / 2, "{unsure} calls failed");
}
