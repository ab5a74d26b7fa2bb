//! `make demo`: the main job, end to end, as a person would do it with kubectl, on a real control
//! plane and with the simulated providers. It fails when anything that it shows is not so.

#[path = "demo/actors.rs"]
mod actors;
#[path = "demo/screen.rs"]
mod screen;

use std::{collections::BTreeMap, io::IsTerminal as _, process::ExitCode, time::Duration};

use clap::Parser;
use cluster::{Cluster, process::Guarded};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{Account, Provider, Served, Simulator};

use self::{
    actors::{add_accounts, start_operator},
    screen::{Colour, Screen, masked, quoted},
};

/// How long each thing may take that must happen.
const DEADLINE: Duration = Duration::from_mins(1);
/// The namespace of the examples.
const NAMESPACE: &str = "demo";
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

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Settings of the demo; make passes them on as variables.
#[derive(Parser)]
struct Settings {
    /// Leave everything running at the end, until Ctrl-C
    #[arg(long, env = "KEEP", default_value = "", hide_default_value = true)]
    keep: String,

    /// No colours, as agreed on at <https://no-color.org>
    #[arg(long, env = "NO_COLOR", default_value = "", hide_default_value = true)]
    no_color: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    let screen = Screen {
        colour: settings.no_color.is_empty() && std::io::stdout().is_terminal(),
    };
    match demo(screen, !settings.keep.is_empty()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen.print(Colour::Red, &format!("\n✗ {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo(screen: Screen, keep: bool) -> Result<()> {
    screen.chapter("A Kubernetes control plane and the four providers");
    let cluster = screen
        .wait("starting etcd and kube-apiserver", Cluster::start())
        .await?;
    let served = Simulator::new().serve().await?;
    add_accounts(served.simulator())?;
    screen.note("Baseten, PrimeIntellect, Pipecat and Braintrust are simulated on loopback");
    let mut demo = Demo {
        screen,
        cluster,
        served,
        operator: None,
    };
    let outcome = demo.show().await;
    if let Err(error) = outcome {
        let log = demo
            .operator
            .as_ref()
            .map(Guarded::log_tail)
            .unwrap_or_default();
        return Err(format!("{error}\nthe operator's last lines:\n{log}").into());
    }
    screen.chapter("Done: everything above was checked");
    if keep {
        demo.keep().await?;
    }
    Ok(())
}

struct Demo {
    screen: Screen,
    cluster: Cluster,
    served: Served,
    operator: Option<Guarded>,
}

impl Demo {
    async fn show(&mut self) -> Result<()> {
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
        let objects: Vec<String> = READY.iter().map(|name| format!("psec/{name}")).collect();
        let mut wait = vec![
            "wait",
            "-n",
            NAMESPACE,
            "--for=condition=Ready",
            "--timeout=60s",
        ];
        wait.extend(objects.iter().map(String::as_str));
        self.kubectl(&wait).await?;
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

    /// When the API server had answered the newest patch of a Secret.
    async fn answered(&self, secret: &str) -> Result<Timestamp> {
        let is_patch = |event: &cluster::AuditEvent| {
            event.verb == "patch" && event.resource == "secrets" && event.name == secret
        };
        let events = self
            .cluster
            .wait_for_audit(DEADLINE, |events| {
                events.iter().any(|event| is_patch(event))
            })
            .await?;
        let newest = events
            .iter()
            .rev()
            .find(|event| is_patch(event))
            .map(|event| event.stage_timestamp);
        newest.ok_or_else(|| "the patch is not in the audit log".into())
    }

    async fn take_a_credential_away(&self) -> Result<()> {
        self.screen.chapter("Take an API key away");
        self.kubectl(&["delete", "secret", "braintrust-api", "-n", NAMESPACE])
            .await?;
        self.kubectl(&[
            "wait",
            "-n",
            NAMESPACE,
            "--for=condition=Ready=False",
            "--timeout=60s",
            "psec/braintrust",
        ])
        .await?;
        let message = self.message("braintrust", "CredentialNotFound").await?;
        self.screen.good(&format!("status says: {message}"));
        self.screen.chapter("Give it back");
        self.kubectl(&["apply", "-n", NAMESPACE, "-f", "examples/braintrust.yaml"])
            .await?;
        self.kubectl(&[
            "wait",
            "-n",
            NAMESPACE,
            "--for=condition=Ready",
            "--timeout=60s",
            "psec/braintrust",
        ])
        .await?;
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
        self.kubectl(&[
            "wait",
            "-n",
            NAMESPACE,
            "--for=condition=Stalled",
            "--timeout=60s",
            "psec/baseten-team",
        ])
        .await?;
        self.kubectl(&["get", "psec", "-A"]).await?;
        let message = self.message("baseten-team", "AuthenticationFailed").await?;
        self.screen.good(&format!("status says: {message}"));
        self.kubectl(&["apply", "-n", NAMESPACE, "-f", "examples/baseten-team.yaml"])
            .await?;
        self.kubectl(&[
            "wait",
            "-n",
            NAMESPACE,
            "--for=condition=Ready",
            "--timeout=60s",
            "psec/baseten-team",
        ])
        .await?;
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

    /// Names and values at every provider.
    fn names(&self) -> Result<BTreeMap<String, String>> {
        let mut names = BTreeMap::new();
        for provider in Provider::ALL {
            let account = self.account(provider)?;
            for scope in account.scopes() {
                let scope_name = format!("{provider}/{scope:?}");
                let held = account.values(scope.as_deref()).into_iter();
                names.extend(held.map(|(name, value)| (format!("{scope_name}/{name}"), value)));
            }
        }
        Ok(names)
    }

    /// The message of `Ready`, which must have this reason.
    async fn message(&self, object: &str, reason: &str) -> Result<String> {
        let output = self
            .cluster
            .kubectl_output(
                &["get", "psec", object, "-n", NAMESPACE, "-o", "json"],
                None,
            )
            .await?;
        let object: Value = serde_json::from_str(&output.stdout)?;
        let conditions = object["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ready = conditions
            .into_iter()
            .find(|condition| condition["type"] == "Ready")
            .ok_or("no Ready")?;
        expect(
            ready["reason"] == reason,
            &format!("the reason is {reason}"),
        )?;
        Ok(ready["message"].as_str().unwrap_or_default().to_owned())
    }

    fn account(&self, provider: Provider) -> Result<Account> {
        Ok(self
            .served
            .simulator()
            .account(provider, "demo")
            .ok_or("no demo account")?)
    }

    /// Shows a command, runs it and shows what it says.
    async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let shown: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
        self.screen
            .print(Colour::Cyan, &format!("$ kubectl {}", shown.join(" ")));
        let output = self.cluster.kubectl_output(arguments, None).await?;
        for line in output.stdout.lines().chain(output.stderr.lines()) {
            self.screen.print(Colour::Plain, &format!("  {line}"));
        }
        if output.success {
            Ok(output.stdout)
        } else {
            Err("kubectl failed".into())
        }
    }

    async fn keep(&self) -> Result<()> {
        let kubeconfig = self.cluster.kubeconfig().display().to_string();
        let operator = self
            .operator
            .as_ref()
            .map(|operator| operator.log_path().display().to_string());
        for line in [
            "Everything is left running. In another shell:".to_owned(),
            format!("  export KUBECONFIG={kubeconfig}"),
            format!("  kubectl apply -n {NAMESPACE} -f examples/"),
            format!("  kubectl get psec -n {NAMESPACE} --watch"),
            format!(
                "  curl -s {}/state?mask=true     # what the providers hold",
                self.served.admin_url()
            ),
            format!("  tail -f {}", operator.unwrap_or_default()),
            "End it with Ctrl-C here.".to_owned(),
        ] {
            self.screen.print(Colour::Plain, &line);
        }
        tokio::signal::ctrl_c().await?;
        Ok(())
    }
}

fn expect(holds: bool, what: &str) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(format!("this does not hold: {what}").into())
    }
}
