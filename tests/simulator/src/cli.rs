//! Flags of the `simulator` binary.

use std::{
    error::Error,
    io::Write as _,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    str::FromStr,
};

use serde_json::json;
use simulator::{Provider, Served, Simulator};
use tokio::signal::unix::{SignalKind, signal};

/// The secret APIs of Baseten, PrimeIntellect, Pipecat Cloud and Braintrust, for tests and demos.
#[derive(clap::Parser, Debug)]
#[command(version)]
pub(crate) struct Args {
    /// The address to listen on. A client that reaches it can read every value.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,

    /// Writes the URLs as JSON into this file instead of to stdout.
    #[arg(long, value_name = "PATH")]
    port_file: Option<PathBuf>,

    /// Adds an account with this key; a provider without one gets `<provider>-demo-key`.
    #[arg(long = "account", value_name = "PROVIDER=KEY")]
    accounts: Vec<AccountFlag>,

    /// How many requests the log keeps.
    #[arg(long, value_name = "ENTRIES", default_value_t = 200_000)]
    log_capacity: usize,
}

#[derive(Clone, Debug)]
struct AccountFlag {
    provider: Provider,
    key: String,
}

impl FromStr for AccountFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (provider, key) = text.split_once('=').ok_or("expected PROVIDER=KEY")?;
        if key.is_empty() {
            return Err("the key is empty".to_owned());
        }
        Ok(Self {
            provider: provider.parse()?,
            key: key.to_owned(),
        })
    }
}

impl Args {
    pub(crate) async fn run(self) -> Result<(), Box<dyn Error>> {
        let Self {
            address,
            port_file,
            accounts,
            log_capacity,
        } = self;
        let mut terminate = signal(SignalKind::terminate())?;
        let simulator = Simulator::new();
        simulator.set_log_capacity(log_capacity);
        add_accounts(&simulator, &accounts)?;
        let served = simulator.serve_on(address).await?;
        announce(&served, port_file.as_deref())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        }
    }
}

/// Adds the demanded accounts, `demo`, `demo-2` and so on at each provider.
fn add_accounts(simulator: &Simulator, flags: &[AccountFlag]) -> Result<(), Box<dyn Error>> {
    for provider in Provider::ALL {
        let mut keys: Vec<String> = flags
            .iter()
            .filter(|flag| flag.provider == provider)
            .map(|flag| flag.key.clone())
            .collect();
        if keys.is_empty() {
            keys.push(format!("{provider}-demo-key"));
        }
        for (index, key) in keys.iter().enumerate() {
            let name = if index == 0 {
                "demo".to_owned()
            } else {
                format!("demo-{}", index + 1)
            };
            simulator.add_demo_account(provider, &name, key)?;
        }
    }
    Ok(())
}

fn announce(served: &Served, file: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let mut urls = json!({ "admin": served.admin_url() });
    for provider in Provider::ALL {
        urls[provider.name()] = json!(served.url(provider));
    }
    let Some(path) = file else {
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{urls}")?;
        return Ok(stdout.flush()?);
    };
    // Renamed into place, so that a program that waits for the file never reads half of it.
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, format!("{urls}\n"))?;
    Ok(std::fs::rename(&unfinished, path)?)
}
