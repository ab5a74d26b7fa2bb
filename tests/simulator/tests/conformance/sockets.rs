//! The same server on loopback sockets.

use std::{net::SocketAddr, time::Duration};

use simulator::{Action, Fault, Outcome, Provider, Served, Simulator};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{client, list_of, scheme_of, write_of, written_of};

const WITHIN: Duration = Duration::from_secs(10);

/// Sends one request on a connection of its own and reads until the server closes it.
pub(crate) async fn exchange(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("a listening server");
    let length = body.len();
    let request = format!(
        "{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the request is sent");
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("UTF-8")
}

/// A write with the test account's key.
async fn write(served: &Served, provider: Provider) -> String {
    let (line, body) = write_of(provider);
    let scheme = scheme_of(provider);
    let head =
        format!("{line} HTTP/1.1\r\nauthorization: {scheme} key\r\ncontent-type: application/json");
    exchange(served.address(provider), &head, &body.to_string()).await
}

#[tokio::test]
async fn each_provider_has_its_port_and_the_server_ends_with_its_handle() {
    let simulator = Simulator::new();
    let served = simulator.serve().await.unwrap();
    for provider in Provider::ALL {
        client(&simulator, provider);
        assert!(served.url(provider).starts_with("http://127.0.0.1:"));
        let status = format!("HTTP/1.1 {}", written_of(provider));
        assert!(write(&served, provider).await.starts_with(&status));
        assert_eq!(simulator.requests().last().unwrap().provider, provider);
    }
    let address = served.address(Provider::Baseten);
    let mut open = TcpStream::connect(address).await.unwrap();
    drop(served);
    assert_eq!(open.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_cut_gives_no_answer_and_a_truncated_one_gives_half() {
    let simulator = Simulator::new();
    let served = simulator.serve().await.unwrap();
    for provider in Provider::ALL {
        let (account, _) = client(&simulator, provider);
        for action in [Action::CutBeforeEffect, Action::CutAfterEffect] {
            account.add_fault(Fault::new(action));
            assert_eq!(write(&served, provider).await, "");
            assert_eq!(
                account.requests().last().unwrap().outcome,
                Some(Outcome::Cut)
            );
        }
        account.add_fault(Fault::new(Action::TruncateBody));
        let answer = write(&served, provider).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        assert!(body.len() < length.parse().unwrap(), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_hanging_request_is_noticed() {
    let simulator = Simulator::new();
    let served = simulator.serve().await.unwrap();
    let (account, _) = client(&simulator, Provider::Braintrust);
    account.add_fault(Fault::new(Action::Hang));
    let mut stream = TcpStream::connect(served.address(Provider::Braintrust))
        .await
        .unwrap();
    let line = list_of(Provider::Braintrust);
    let request =
        format!("{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer key\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    simulator
        .wait_until(WITHIN, |_| account.requests().len() == 1)
        .await
        .unwrap();
    drop(stream);
    let abandoned =
        |simulator: &Simulator| simulator.requests()[0].outcome == Some(Outcome::Abandoned);
    simulator.wait_until(WITHIN, abandoned).await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_absolute_on_a_socket() {
    let simulator = Simulator::new();
    let served = simulator.serve().await.unwrap();
    let answer = exchange(
        served.address(Provider::PrimeIntellect),
        "POST /api/v1/secrets HTTP/1.1",
        "",
    )
    .await;
    assert!(
        answer.contains("location: http://localhost/api/v1/secrets/\r\n"),
        "{answer}"
    );
}
