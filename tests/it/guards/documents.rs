//! The check of the operator's requests against the vendors' documents: it takes the examples of the documents, and finds
//! what is not in them.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use simulator::{Provider, Simulator};

use crate::harness::{run, violations};

/// A request of the operator's, to change in one point.
#[derive(Clone)]
struct Sent {
    provider: Provider,
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Sent {
    fn new(provider: Provider, method: &'static str, path: &'static str, body: Value) -> Self {
        let scheme = match provider {
            Provider::Baseten => "Api-Key",
            _ => "Bearer",
        };
        let mut headers = vec![
            ("authorization", format!("{scheme} key")),
            ("accept", "application/json".to_owned()),
            ("accept-encoding", "identity".to_owned()),
            ("user-agent", "provider-secrets/0.1.0".to_owned()),
        ];
        let body = (!body.is_null()).then_some(body);
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Self {
            provider,
            method,
            path,
            headers,
            body,
        }
    }

    fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// What the check says of it.
    async fn violations(&self) -> Vec<String> {
        let simulator = Simulator::new();
        let account = json!({"name": "acme", "keys": [{"key": "key"}]});
        let account = simulator.add_account_json(self.provider, account);
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let body = self.body.as_ref().map(ToString::to_string);
        let request = request.body(Body::from(body.unwrap_or_default()));
        let sent = simulator.call(self.provider, request.expect("a request"));
        sent.await.expect("an answer");
        let requests = account.expect("an account").requests();
        assert_eq!(requests.len(), 1, "the request is the account's");
        violations(&requests)
    }
}

fn baseten() -> Sent {
    let body = json!({"name": "my_secret", "value": "my_secret_value"});
    Sent::new(Provider::Baseten, "POST", "/v1/secrets", body)
}

fn prime_intellect() -> Sent {
    let body = json!({"name": "A_KEY", "value": "a"});
    Sent::new(Provider::PrimeIntellect, "POST", "/api/v1/secrets/", body)
}

fn pipecat() -> Sent {
    let body = json!({"secrets": [
        {"secretKey": "API_KEY", "secretValue": "your-api-key"},
        {"secretKey": "DATABASE_URL", "secretValue": "postgresql://user:pass@host:5432/db"},
    ]});
    Sent::new(Provider::Pipecat, "PUT", "/v1/secrets/my-set", body)
}

fn braintrust() -> Sent {
    let body = json!({"name": "A_KEY", "secret": "a"});
    Sent::new(Provider::Braintrust, "POST", "/v1/ai_secret", body)
}

#[test]
fn what_the_documents_show_is_allowed() {
    run(async {
        let image_pull = json!({
            "isImagePullSecret": true,
            "host": "https://index.docker.io/v1/",
            "secretValue": "your-docker-auth-token",
        });
        let full = json!({
            "name": "A_KEY", "description": null, "value": "YQ==", "teamId": null, "isFile": true,
        });
        let nulls = json!({
            "name": "A_KEY", "type": null, "metadata": null, "secret": null, "org_name": null,
        });
        let get = |provider, path| Sent::new(provider, "GET", path, Value::Null);
        for sent in [
            baseten(),
            baseten().path("/v1/teams/abc/secrets"),
            baseten().header("authorization", "Bearer key"),
            prime_intellect(),
            prime_intellect().body(full),
            pipecat(),
            pipecat().body(image_pull),
            braintrust(),
            braintrust().body(nulls),
            get(
                Provider::PrimeIntellect,
                "/api/v1/secrets/?teamId=t&offset=0&limit=100",
            ),
            get(
                Provider::Braintrust,
                "/v1/ai_secret?limit=100&org_name=a%20b",
            ),
            get(Provider::Pipecat, "/v1/secrets/my-set"),
            Sent::new(
                Provider::Baseten,
                "DELETE",
                "/v1/teams/abc/secrets/a%2Fb",
                Value::Null,
            ),
        ] {
            let found = sent.violations().await;
            assert_eq!(found, Vec::<String>::new(), "{} {}", sent.method, sent.path);
        }
    });
}

#[test]
fn what_no_document_has_is_found() {
    run(async {
        let get = |provider, path| Sent::new(provider, "GET", path, Value::Null);
        let long = "a".repeat(65_537);
        let wrong = [
            // Of a body: a field too many, one too few, one of another type, a value beyond its bounds.
            baseten().body(json!({"name": "a", "value": "b", "extra": "c"})),
            baseten().body(json!({"name": "a"})),
            baseten().body(json!({"name": "a", "value": 1})),
            baseten().body(json!(["a"])),
            baseten()
                .path("/v1/teams/abc/secrets")
                .body(json!({"name": "a", "value": null})),
            prime_intellect().body(json!({"name": "a_key", "value": "a"})),
            prime_intellect().body(json!({"name": "A", "value": ""})),
            prime_intellect().body(json!({"name": "A", "value": "a", "teamID": "t"})),
            prime_intellect().body(json!({"name": "A", "value": long, "isFile": true})),
            prime_intellect()
                .body(json!({"name": "A", "value": "a", "description": "d".repeat(501)})),
            pipecat().body(json!({"secrets": []})),
            pipecat().body(json!({"secrets": [{"secretKey": "A"}]})),
            pipecat().body(json!({"secrets": [{"secretKey": "A", "secretValue": "1", "x": 1}]})),
            pipecat().body(json!({"isImagePullSecret": true, "secretValue": "a"})),
            pipecat().body(
                json!({"isImagePullSecret": false, "host": "https://h/", "secretValue": "a"}),
            ),
            pipecat()
                .body(json!({"isImagePullSecret": true, "host": "ghcr.io", "secretValue": "a"})),
            pipecat().body(json!({"name": "my-set", "secretKey": "A", "secretValue": "1"})),
            braintrust().body(json!({"secret": "a"})),
            braintrust().body(json!({"name": "A", "metadata": "m"})),
            braintrust().body(json!({"name": "A", "secret": "a", "value": "a"})),
            // A path, a query.
            baseten().path("/v1/secrets/"),
            baseten().path("/v2/secrets"),
            baseten().path("/v1/secrets?team_id=abc"),
            prime_intellect().path("/api/v1/secrets"),
            prime_intellect().path("/api/v1/secrets/?teamId=t"),
            pipecat().path("/v1/secrets/ab"),
            pipecat().path("/v1/organizations/acme/secrets/my-set"),
            braintrust().path("/v1/ai_secret?org_name=a"),
            get(Provider::PrimeIntellect, "/api/v1/secrets/?teamid=t"),
            get(Provider::PrimeIntellect, "/api/v1/secrets/?limit=many"),
            get(Provider::Braintrust, "/v1/ai_secret?limit=1&limit=2"),
            get(Provider::Braintrust, "/v1/ai_secret/not-a-uuid"),
            get(Provider::Braintrust, "/v1/env_var"),
            // Headers.
            baseten().header("content-type", "text/plain"),
            baseten().header("authorization", "Token key"),
            prime_intellect().header("authorization", "Api-Key key"),
            pipecat().header("x-team", "abc"),
            pipecat().header("cookie", "a=b"),
            braintrust().header("accept", "text/html"),
            braintrust().header("accept-encoding", "gzip"),
            get(Provider::Pipecat, "/v1/secrets").header("content-type", "application/json"),
            // A body where there is none: it has a length, or a type too.
            get(Provider::Pipecat, "/v1/secrets")
                .header("content-length", "2")
                .body(json!({})),
            get(Provider::Pipecat, "/v1/secrets")
                .header("content-type", "application/json")
                .body(json!({})),
        ];
        for sent in wrong {
            let found = sent.violations().await;
            let what = format!("{} {} {:?}", sent.method, sent.path, sent.body);
            assert!(!found.is_empty(), "{what} is let through");
        }
    });
}

#[test]
fn a_violation_is_told_without_the_value() {
    run(async {
        let body = json!({"name": "a", "value": "C4n4ry", "C": "C4n4ry"});
        let found = baseten().body(body).violations().await;
        assert!(
            found.iter().any(|line| line.contains("POST /v1/secrets")),
            "{found:?}"
        );
        assert!(!found.concat().contains("C4n4ry"), "{found:?}");
        let found = prime_intellect().body(json!({"name": "C4n4ry", "value": "C4n4ry"}));
        let found = found.violations().await;
        assert!(
            !found.is_empty() && !found.concat().contains("C4n4ry"),
            "{found:?}"
        );
        // Another client may do what it wants.
        let other = baseten().header("user-agent", "curl/8").body(json!({}));
        assert_eq!(other.violations().await, Vec::<String>::new());
    });
}
