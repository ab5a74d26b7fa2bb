//! Who takes part: the operator's process and the accounts at the simulated providers.

use cluster::{
    Cluster,
    process::{Guarded, Program},
};
use provider_secrets::provider::PROVIDERS;
use serde_json::json;
use simulator::{Provider, Served, Simulator};

use super::Result;

/// The operator's binary stands beside the one of the demo.
pub(super) fn start_operator(cluster: &Cluster, served: &Served) -> Result<Guarded> {
    let binary = std::env::current_exe()?.with_file_name("provider-secrets");
    if !binary.exists() {
        return Err("the operator is not built: run make demo".into());
    }
    // All of them: one that was left out would be the vendor's own.
    let mut endpoints = Vec::new();
    for provider in PROVIDERS {
        let (flag, url) = (provider.flag, served.url(provider.flag.parse()?));
        let names = provider.endpoints.iter().map(|(name, _)| name);
        endpoints.extend(names.map(|name| format!("--endpoint={flag}/{name}={url}")));
    }
    let program = Program::new(binary)
        .args([
            "run",
            "--metrics-bind-address=127.0.0.1:0",
            "--health-probe-bind-address=127.0.0.1:0",
        ])
        .args(endpoints)
        .env("KUBECONFIG", cluster.kubeconfig());
    Ok(Guarded::spawn(
        program,
        &cluster.directory().join("operator.log"),
    )?)
}

/// The accounts that the examples name.
pub(super) fn add_accounts(simulator: &Simulator) -> Result<()> {
    for provider in Provider::ALL {
        let mut account =
            json!({"name": "demo", "keys": [{"key": format!("{provider}-demo-key")}]});
        if provider == Provider::Baseten {
            account["teams"] = json!([{"id": "demo-team", "name": "demo"}]);
        }
        simulator.add_account_json(provider, account)?;
    }
    Ok(())
}
