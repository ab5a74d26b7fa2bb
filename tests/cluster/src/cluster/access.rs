//! Ways to use a cluster: its command line tools and its ServiceAccounts.

use std::path::{Path, PathBuf};
use std::process::{Output as ProcessOutput, Stdio};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Cluster;
use crate::error::{Error, Result};
use crate::tools::Tool;

/// In seconds: longer than any test, and what people keep a cluster for by hand.
const TOKEN_LIFETIME: i64 = 24 * 60 * 60;

/// What a command line tool printed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Whether it ended with status 0.
    pub success: bool,
}

impl Cluster {
    /// A `kubectl` that is the administrator of this cluster. It is killed when dropped.
    pub async fn kubectl(&self) -> Result<Command> {
        self.command(Tool::Kubectl, &self.kubeconfig).await
    }

    /// A `helm` that is the administrator of this cluster. It is killed when dropped.
    pub async fn helm(&self) -> Result<Command> {
        self.command(Tool::Helm, &self.kubeconfig).await
    }

    /// Runs `kubectl` to its end. That it fails is not an error here.
    pub async fn kubectl_output(&self, arguments: &[&str], stdin: Option<&str>) -> Result<Output> {
        output(self.kubectl().await?, arguments, stdin).await
    }

    /// Runs `helm` to its end. That it fails is not an error here.
    pub async fn helm_output(&self, arguments: &[&str], stdin: Option<&str>) -> Result<Output> {
        output(self.helm().await?, arguments, stdin).await
    }

    /// Makes a ServiceAccount and gives a kubeconfig file that is this ServiceAccount.
    ///
    /// The documents of `manifests` are applied first: roles, bindings and whatever else it
    /// needs. Those without a namespace go to `namespace`, which is made when it is missing.
    pub async fn service_account(
        &self,
        namespace: &str,
        name: &str,
        manifests: &str,
    ) -> Result<PathBuf> {
        let client = self.client();
        let metadata = |name: &str| ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        };
        let object = Namespace {
            metadata: metadata(namespace),
            ..Namespace::default()
        };
        create(
            &Api::all(client.clone()),
            &object,
            &format!("namespace {namespace}"),
        )
        .await?;
        let accounts = Api::<ServiceAccount>::namespaced(client, namespace);
        let object = ServiceAccount {
            metadata: metadata(name),
            ..ServiceAccount::default()
        };
        create(
            &accounts,
            &object,
            &format!("service account {namespace}/{name}"),
        )
        .await?;
        self.apply(namespace, manifests).await?;

        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(TOKEN_LIFETIME),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let action = format!("get a token for the service account {namespace}/{name}");
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .map_err(Error::kubernetes(action.clone()))?;
        let token = answer
            .status
            .ok_or_else(|| Error::data(action, "the answer has no status"))?;
        let path = self.files.path(&format!("{namespace}.{name}.kubeconfig"));
        self.write_kubeconfig(&path, name, &token.token, namespace)?;
        Ok(path)
    }

    async fn apply(&self, namespace: &str, manifests: &str) -> Result<()> {
        if manifests.trim().is_empty() {
            return Ok(());
        }
        // Not `--namespace`, which refuses documents that name another one.
        let kubeconfig = self.files.path(&format!("admin-in-{namespace}.kubeconfig"));
        self.write_kubeconfig(&kubeconfig, "admin", &self.token, namespace)?;
        let command = self.command(Tool::Kubectl, &kubeconfig).await?;
        let arguments = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
        ];
        let result = output(command, &arguments, Some(manifests)).await?;
        if result.success {
            return Ok(());
        }
        Err(Error::Command {
            command: format!("kubectl {}", arguments.join(" ")),
            stderr: result.stderr,
        })
    }

    async fn command(&self, tool: Tool, kubeconfig: &Path) -> Result<Command> {
        let home = self.files.home();
        let mut command = Command::new(self.tools.path(tool).await?);
        command
            .env("KUBECONFIG", kubeconfig)
            .env("HOME", &home)
            .env("KUBECACHEDIR", home.join("kube"))
            .env("HELM_CACHE_HOME", home.join("helm/cache"))
            .env("HELM_CONFIG_HOME", home.join("helm/config"))
            .env("HELM_DATA_HOME", home.join("helm/data"))
            .kill_on_drop(true);
        Ok(command)
    }
}

/// Creates an object unless it is there.
async fn create<K>(api: &Api<K>, object: &K, description: &str) -> Result<()>
where
    K: Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    match api.create(&PostParams::default(), object).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        result => result
            .map(drop)
            .map_err(Error::kubernetes(format!("create the {description}"))),
    }
}

async fn output(mut command: Command, arguments: &[&str], stdin: Option<&str>) -> Result<Output> {
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let failed = |source| Error::io(format!("run {program}"))(source);
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.stdin(if stdin.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    let mut child = command.spawn().map_err(failed)?;
    let input = child.stdin.take();
    let feed = async {
        if let (Some(mut input), Some(text)) = (input, stdin) {
            // A program that ends without reading all says why on standard error.
            let _ = input.write_all(text.as_bytes()).await;
        }
    };
    let (result, ()) = tokio::join!(child.wait_with_output(), feed);
    let ProcessOutput {
        status,
        stdout,
        stderr,
    } = result.map_err(failed)?;
    Ok(Output {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        success: status.success(),
    })
}
