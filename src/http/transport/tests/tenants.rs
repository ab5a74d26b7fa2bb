//! What is sent to a provider: this and nothing else, each account's calls with its own key.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};

use super::{
    KEY, VALUE, client, over,
    peer::{FINE, answering},
    plain, read, session, write,
};

/// The headers of a request as it came in.
fn headers(request: &str) -> BTreeMap<String, String> {
    let (head, _) = request.split_once("\r\n\r\n").expect("a head");
    let lines = head.lines().skip(1);
    let pairs = lines.map(|line| line.split_once(": ").expect("a header"));
    pairs
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect()
}

/// Cases: H-09
#[tokio::test]
async fn a_request_has_these_headers_and_no_others() {
    let (address, seen) = answering(FINE).await;
    let session = plain(address);
    read(&session).await.expect("an answer");
    write(&session).await.expect("an answer");
    let body = format!("{{\"value\":\"{VALUE}\"}}");
    let mut expected = BTreeMap::from([
        ("accept", "application/json".to_owned()),
        ("accept-encoding", "identity".to_owned()),
        ("authorization", format!("Bearer {KEY}")),
        ("host", address.to_string()),
        ("user-agent", "tests".to_owned()),
    ]);
    let requests = seen.requests();
    let owned = |expected: &BTreeMap<&str, String>| -> BTreeMap<String, String> {
        let pairs = expected.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    };
    assert_eq!(headers(&requests[0]), owned(&expected));
    expected.insert("content-type", "application/json".to_owned());
    expected.insert("content-length", body.len().to_string());
    assert_eq!(headers(&requests[1]), owned(&expected));
    assert!(requests[1].ends_with(&body));
}

/// Cases: H-10
#[tokio::test]
async fn tenants_that_share_connections_share_no_key() {
    const CALLS: usize = 2000;
    let (address, seen) = answering(FINE).await;
    let transport = over(client());
    // The path tells whose call it is. Half of the way through each has another key.
    let sessions: Vec<_> = ["old", "new"]
        .map(|age| {
            ["one", "two"].map(|tenant| {
                let base = format!("http://{address}/{tenant}/{age}");
                session(&transport, &base, &format!("{age}-key-of-{tenant}"))
            })
        })
        .into_iter()
        .flatten()
        .collect();
    let calls = (0..CALLS).map(|number| {
        let session = sessions[number * 2 / CALLS * 2 + number % 2].clone();
        async move {
            if number % 3 == 0 {
                read(&session).await
            } else {
                write(&session).await
            }
        }
    });
    let answers: Vec<_> = stream::iter(calls).buffer_unordered(16).collect().await;
    assert!(answers.iter().all(Result::is_ok));
    let requests = seen.requests();
    assert_eq!(requests.len(), CALLS);
    let mut keys = BTreeSet::new();
    for request in &requests {
        let path = request.split(' ').nth(1).expect("a path");
        let mut segments = path.split('/').skip(1);
        let (tenant, age) = (segments.next(), segments.next());
        let key = format!(
            "Bearer {}-key-of-{}",
            age.expect("an age"),
            tenant.expect("a tenant")
        );
        assert_eq!(headers(request)["authorization"], key);
        assert_eq!(request.matches("-key-of-").count(), 1, "{request}");
        keys.insert(key);
    }
    assert_eq!(keys.len(), 4);
    // They do share connections, or this would show nothing.
    assert!(seen.connections() <= 16, "{}", seen.connections());
}
