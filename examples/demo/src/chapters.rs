//! What the demo shows, chapter by chapter.

use jiff::Timestamp;
use serde_json::json;
use simulator::{Provider, Simulator};

use super::{
    DEADLINE, Demo, NAMESPACE, Result,
    actors::start_operator,
    expect,
    screen::{Colour, masked},
};

/// Examples whose objects become Ready; the suspended one does not.
const READY: [&str; 11] = [
    "baseten-workspace",
    "baseten-team",
    "primeintellect",
    "primeintellect-file",
    "pipecat",
    "braintrust",
    "data-from",
    "endpoint-eu",
    "template",
    "policies",
    "pipecat-image-pull",
];
/// One rotation for each provider: object, Secret, key of the Secret, provider, scope, name there.
const ROTATIONS: [(&str, &str, Provider, Option<&str>, &str); 4] = [
    (
        "baseten-team-source",
        "token",
        Provider::Baseten,
        Some("demo-team"),
        "team_hf_token",
    ),
    (
        "primeintellect-source",
        "wandb",
        Provider::PrimeIntellect,
        None,
        "WANDB_API_KEY",
    ),
    (
        "pipecat-source",
        "deepgram",
        Provider::Pipecat,
        Some("voice-agent-keys"),
        "DEEPGRAM_API_KEY",
    ),
    (
        "braintrust-source",
        "openai",
        Provider::Braintrust,
        None,
        "OPENAI_API_KEY",
    ),
];

impl Demo {
    pub(super) async fn show(&mut self) -> Result<()> {
        self.install().await?;
        self.apply_examples().await?;
        self.show_what_the_providers_hold()?;
        self.rotate().await?;
        self.take_a_credential_away().await?;
        self.refuse_a_wrong_key().await?;
        self.delete().await
    }

    async fn install(&mut self) -> Result<()> {
        self.screen.chapter("Install");
        self.kubectl(&["apply", "-f", "crds/"]).await?;
        self.kubectl(&[
            "wait",
            "--for=condition=Established",
            "crd/providersecrets.providersecrets.dev",
        ])
        .await?;
        let operator = start_operator(&self.cluster, &self.served)?;
        let started = operator.wait_for_log("\"msg\":\"listening\"", DEADLINE);
        self.screen.wait("starting the operator", started).await?;
        self.operator = Some(operator);
        Ok(())
    }

    async fn apply_examples(&self) -> Result<()> {
        self.screen
            .chapter("Apply the examples, one for each API and feature");
        self.kubectl(&["create", "namespace", NAMESPACE]).await?;
        self.kubectl(&["apply", "-n", NAMESPACE, "-f", "examples/"])
            .await?;
        self.wait("Ready", &READY).await?;
        let table = self.kubectl(&["get", "psec", "-A"]).await?;
        expect(
            table.matches("True").count() == READY.len(),
            "every object but the suspended one is ready",
        )
    }

    fn show_what_the_providers_hold(&self) -> Result<()> {
        self.screen
            .chapter("What each provider holds now (values masked)");
        for provider in Provider::ALL {
            let account = self.account(provider)?;
            for scope in account.scopes() {
                let held = account.values(scope.as_deref());
                for (name, value) in &held {
                    let scope_name =
                        format!("{provider}/{}", scope.as_deref().unwrap_or("personal"));
                    self.screen.print(
                        Colour::Plain,
                        &format!("  {scope_name:<32} {name:<24} {}", masked(value)),
                    );
                }
            }
        }
        for (secret, _, provider, scope, name) in ROTATIONS {
            let held = self.account(provider)?.values(scope);
            expect(
                held.contains_key(name),
                &format!("{provider} holds {name} of Secret {secret}"),
            )?;
        }
        Ok(())
    }

    async fn rotate(&self) -> Result<()> {
        self.screen.chapter("Rotate a Secret for each provider");
        for (secret, key, provider, scope, name) in ROTATIONS {
            let value = format!("rotated-{provider}-{}", Timestamp::now().as_millisecond());
            let patch = json!({"stringData": {key: value}}).to_string();
            self.kubectl(&["patch", "secret", secret, "-n", NAMESPACE, "-p", &patch])
                .await?;
            let account = self.account(provider)?;
            let holds = |_: &Simulator| account.values(scope).get(name) == Some(&value);
            self.served.simulator().wait_until(DEADLINE, holds).await?;
            let answered = self.answered(secret).await?;
            let received = account
                .writes()
                .last()
                .map(|write| write.time)
                .ok_or("no write was received")?;
            let milliseconds = (received.as_microsecond() - answered.as_microsecond()) / 1000;
            let line = format!(
                "{provider} received the new {name}, {}, {milliseconds} ms after the API server had answered",
                masked(&value)
            );
            self.screen.good(&line);
        }
        Ok(())
    }

    async fn take_a_credential_away(&self) -> Result<()> {
        self.screen.chapter("Take an API key away");
        self.kubectl(&["delete", "secret", "braintrust-api", "-n", NAMESPACE])
            .await?;
        self.wait("Ready=False", &["braintrust"]).await?;
        let message = self.message("braintrust", "CredentialNotFound").await?;
        self.screen.good(&format!("status says: {message}"));
        self.screen.chapter("Give it back");
        self.kubectl(&["apply", "-n", NAMESPACE, "-f", "examples/braintrust.yaml"])
            .await?;
        self.wait("Ready", &["braintrust"]).await?;
        Ok(())
    }

    async fn refuse_a_wrong_key(&self) -> Result<()> {
        self.screen
            .chapter("Give a wrong API key, and change a value");
        let wrong = r#"{"stringData":{"api-key":"not-the-key"}}"#;
        self.kubectl(&[
            "patch",
            "secret",
            "baseten-team-api",
            "-n",
            NAMESPACE,
            "-p",
            wrong,
        ])
        .await?;
        self.wait("Stalled", &["baseten-team"]).await?;
        self.kubectl(&["get", "psec", "-A"]).await?;
        let message = self.message("baseten-team", "AuthenticationFailed").await?;
        self.screen.good(&format!("status says: {message}"));
        self.kubectl(&["apply", "-n", NAMESPACE, "-f", "examples/baseten-team.yaml"])
            .await?;
        self.wait("Ready", &["baseten-team"]).await?;
        self.kubectl(&["get", "psec", "-n", NAMESPACE]).await?;
        Ok(())
    }

    async fn delete(&self) -> Result<()> {
        self.screen
            .chapter("Delete the objects: what was written stays, but under deletionPolicy Delete");
        let mut before = self.names()?;
        self.kubectl(&["delete", "psec", "--all", "-n", NAMESPACE])
            .await?;
        // examples/policies.yaml.
        before.retain(|name, _| !name.contains("policies_token"));
        expect(
            self.names()? == before && !before.is_empty(),
            "every provider holds what it held, but what was to go",
        )?;
        self.screen.good(&format!(
            "the providers hold the same {} secrets as before",
            before.len()
        ));
        Ok(())
    }
}
