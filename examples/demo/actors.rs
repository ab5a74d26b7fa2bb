//! Who takes part: the operator's process and the accounts at the simulated providers.

use std::path::{Path, PathBuf};

use cluster::{
    Cluster,
    process::{Guarded, Program},
};
use serde_json::json;
use simulator::{Provider, Served, Simulator};

use super::Result;

/// The binary that was built for this demo stands beside the folder of the examples.
pub(super) fn start_operator(cluster: &Cluster, served: &Served) -> Result<Guarded> {
    let examples = std::env::current_exe()?;
    let folder = examples
        .parent()
        .and_then(Path::parent)
        .ok_or("no build folder")?;
    let binary: PathBuf = folder.join("provider-secrets");
    if !binary.exists() {
        return Err("the operator is not built: run make demo".into());
    }
    let endpoint = |name: &str, provider| format!("--endpoint={name}={}", served.url(provider));
    let program = Program::new(binary)
        .args([
            "run",
            "--metrics-bind-address=127.0.0.1:0",
            "--health-probe-bind-address=127.0.0.1:0",
        ])
        .args([
            endpoint("baseten", Provider::Baseten),
            endpoint("primeintellect", Provider::PrimeIntellect),
            endpoint("pipecat", Provider::Pipecat),
            endpoint("braintrust", Provider::Braintrust),
            endpoint("braintrust/eu", Provider::Braintrust),
        ])
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
