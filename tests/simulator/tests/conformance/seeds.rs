//! The examples of the seeds, to the letter: what they show is taken.

use serde_json::Value;
use simulator::{
    Provider, Simulator,
    baseten::{ContentType, NewAccount},
    pipecat::{PutAnswer, Variants},
};

use crate::support::{Client, client};

/// What curl says of a body unless it is told otherwise, and the seeds' examples tell it nothing.
const CURL: &str = "application/x-www-form-urlencoded";

/// `--data` of the examples for curl, with its white space.
const CURL_BODY: &str = r#"{
              "name": "my_secret",
              "value": "my_secret_value"
            }"#;

/// What `json={…}` of the examples for Python becomes.
const PYTHON_BODY: &str = r#"{"name": "my_secret", "value": "my_secret_value"}"#;

const PIPECAT_SECRETS: &str = r#"{"secrets": [
  {"secretKey": "API_KEY", "secretValue": "your-api-key"},
  {"secretKey": "DATABASE_URL", "secretValue": "postgresql://user:pass@host:5432/db"}
]}"#;

const PIPECAT_IMAGE_PULL: &str = r#"{
  "isImagePullSecret": true,
  "host": "https://index.docker.io/v1/",
  "secretValue": "your-docker-auth-token"
}"#;

#[tokio::test(start_paused = true)]
async fn the_examples_of_baseten_are_taken() {
    let simulator = Simulator::new();
    let new = NewAccount::new("test", "key").team("team", "Team");
    let account = simulator.baseten().add_account(new).unwrap();
    let client = Client::new(&simulator, Provider::Baseten, "Api-Key key");
    for line in ["POST /v1/secrets", "POST /v1/teams/team/secrets"] {
        let answer =
            async |kind: &str, body: &str| client.raw(line, kind, body.to_owned()).await.unwrap();
        let forget = || drop(account.foreign_delete(None, "my_secret"));
        // A form is no JSON, unless the switch says that the vendor does not look.
        assert_eq!(answer(CURL, CURL_BODY).await.status, 415);
        assert!(account.held(None).is_empty());
        let switch = |content_type| {
            simulator
                .baseten()
                .set_variants(&account, |variants| variants.content_type = content_type);
        };
        switch(ContentType::JsonOrForm);
        for (kind, body) in [(CURL, CURL_BODY), ("application/json", PYTHON_BODY)] {
            let shown = answer(kind, body).await;
            assert_eq!(
                (shown.status.as_u16(), shown.at("/name")),
                (200, "my_secret".to_owned())
            );
            assert_eq!(account.values(None)["my_secret"], "my_secret_value");
            forget();
        }
        // What is neither stays refused.
        assert_eq!(answer(CURL, "name=my_secret&value=x").await.status, 415);
        assert_eq!(answer("text/plain", PYTHON_BODY).await.status, 415);
        switch(ContentType::Json);
        assert_eq!(answer("application/json", PYTHON_BODY).await.status, 200);
        forget();
    }
}

#[tokio::test(start_paused = true)]
async fn the_examples_of_pipecat_are_taken_and_answered() {
    let simulator = Simulator::new();
    let (account, client) = client(&simulator, Provider::Pipecat);
    let seed = |variants: &mut Variants| variants.put_answer = PutAnswer::Ok;
    simulator.pipecat().set_variants(&account, seed);
    for (line, body) in [
        ("PUT /v1/secrets/my-set", PIPECAT_SECRETS),
        ("PUT /v1/secrets/my-registry", PIPECAT_IMAGE_PULL),
    ] {
        let json = "application/json";
        let answer = client.raw(line, json, body.to_owned()).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), serde_json::json!({ "status": "OK" }));
    }
    let held = account.values(Some("my-set"));
    assert_eq!(held["DATABASE_URL"], "postgresql://user:pass@host:5432/db");
    let held = account.values(Some("my-registry"));
    assert_eq!(held["secretValue"], "your-docker-auth-token");
    let refused = client.send("PUT /v1/secrets/my-set", Value::Null).await;
    assert_eq!(refused.json()["code"], "GENERIC_BAD_REQUEST");
}
