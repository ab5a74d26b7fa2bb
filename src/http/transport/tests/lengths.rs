//! Bodies that are shorter or longer than they say, packed, or without end.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    REFUSALS, UNREACHED, UNSURE, failure_of,
    peer::{self, Seen, answering},
    plain, read, refusal, write,
};
use crate::{
    api::Reason,
    http::{ErrorClass, transport::MAX_ANSWER},
};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const STRANGE: Option<(ErrorClass, Reason)> =
    Some((ErrorClass::Protocol, Reason::UnexpectedResponse));

/// Cases: P-22
#[tokio::test]
async fn what_follows_a_length_that_is_too_short_is_no_answer_to_the_next_call() {
    // Behind the four bytes of the body an answer to no request.
    let forged = format!("{HEAD}content-length: 8\r\n\r\n\"forged\"");
    let (address, seen) = answering(format!("{HEAD}content-length: 4\r\n\r\ntrue{forged}")).await;
    let session = plain(address);
    for connections in 1..=3 {
        let answer = read(&session).await.expect("an answer");
        assert_eq!(answer, true);
        assert_eq!(seen.connections(), connections);
    }
}

/// Cases: P-22
#[tokio::test]
async fn a_body_that_ends_before_its_length_or_its_last_chunk_is_cut() {
    for text in [
        "content-length: 400\r\n\r\ntrue",
        "transfer-encoding: chunked\r\n\r\n4\r\ntrue\r\n",
        "transfer-encoding: chunked\r\n\r\n400\r\ntrue",
    ] {
        let (address, seen) = peer::serve(move |_, mut stream, seen| async move {
            seen.request(&mut stream).await;
            let text = format!("{HEAD}{text}");
            peer::send(&mut stream, &text).await.expect("sent");
        })
        .await;
        let session = plain(address);
        assert_eq!(failure_of(write(&session).await), UNSURE, "{text}");
        assert_eq!(failure_of(read(&session).await), UNREACHED, "{text}");
        assert_eq!(seen.requests().len(), 2, "{text}");
    }
}

/// Cases: P-22
#[tokio::test]
async fn a_length_that_is_too_short_for_its_json_is_not_understood() {
    let (address, _) = answering(format!("{HEAD}content-length: 3\r\n\r\ntrue")).await;
    assert_eq!(failure_of(read(&plain(address)).await), STRANGE);
}

/// Cases: P-19
#[tokio::test]
async fn a_body_without_end_is_cut_at_the_largest_answer() {
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    for head in [
        "",
        "transfer-encoding: chunked\r\n",
        "content-length: 99999999999\r\n",
    ] {
        let ended = ended.clone();
        let (address, _) = peer::serve(move |_, mut stream, seen: Seen| {
            let ended = ended.clone();
            async move {
                seen.request(&mut stream).await;
                let mut text = format!("{HEAD}{head}\r\n");
                let mut sent = 0;
                while peer::send(&mut stream, &text).await.is_ok() {
                    sent += text.len();
                    text = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
                }
                let _ = ended.send(sent);
            }
        })
        .await;
        assert_eq!(failure_of(read(&plain(address)).await), STRANGE, "{head}");
        // What the kernel holds of a connection on loopback is a few MiB.
        let sent = timeout(Duration::from_secs(10), ends.recv()).await;
        let sent = sent.expect("the connection was closed").expect("a count");
        assert!(
            (MAX_ANSWER..MAX_ANSWER * 16).contains(&sent),
            "{head}: {sent}"
        );
    }
}

/// Cases: P-19, P-22
#[tokio::test]
async fn a_refusal_counts_although_its_body_is_cut_or_has_no_end() {
    for (head, expected) in REFUSALS {
        for (text, is_endless) in [
            ("content-length: 400\r\n\r\ntrue", false),
            ("transfer-encoding: chunked\r\n\r\n400\r\ntrue", false),
            ("transfer-encoding: chunked\r\n\r\n", true),
        ] {
            let (address, _) = peer::serve(move |_, mut stream, seen: Seen| async move {
                seen.request(&mut stream).await;
                let text = format!("{head}{text}");
                peer::send(&mut stream, &text).await.expect("sent");
                let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
                while is_endless && peer::send(&mut stream, &chunk).await.is_ok() {}
            })
            .await;
            assert_eq!(refusal(&plain(address)).await, expected, "{head}{text}");
        }
    }
}

/// Cases: P-19
#[tokio::test]
async fn a_packed_body_is_not_unpacked() {
    // The client asks for no encoding, and what a server sends in one all the same is not JSON.
    let packed = "\u{1f}\u{8}".to_owned() + &" ".repeat(100);
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let head = format!("{HEAD}content-encoding: {encoding}\r\n");
        let (address, seen) = answering(format!(
            "{head}content-length: {}\r\n\r\n{packed}",
            packed.len()
        ))
        .await;
        assert_eq!(
            failure_of(read(&plain(address)).await),
            STRANGE,
            "{encoding}"
        );
        let requests = seen.requests();
        let head = requests[0].to_ascii_lowercase();
        assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    }
}
