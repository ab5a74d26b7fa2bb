//! What a user would type.

use super::{
    Demo, NAMESPACE, Result,
    screen::{Colour, quoted},
};

impl Demo {
    /// Shows a command, runs it and shows what it says.
    pub(super) async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
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

    /// Waits with kubectl until objects have a condition.
    pub(super) async fn wait(&self, condition: &str, objects: &[&str]) -> Result<String> {
        let condition = format!("--for=condition={condition}");
        let objects: Vec<String> = objects.iter().map(|name| format!("psec/{name}")).collect();
        let mut arguments = vec!["wait", "-n", NAMESPACE, &condition, "--timeout=60s"];
        arguments.extend(objects.iter().map(String::as_str));
        self.kubectl(&arguments).await
    }

    /// Says how to look around, and waits for Ctrl-C.
    pub(super) async fn keep(&self) -> Result<()> {
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
