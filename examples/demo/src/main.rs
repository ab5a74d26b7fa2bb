//! `make demo`: the main job, end to end, as a person would do it with kubectl, on a real control
//! plane and with the simulated providers. It fails when anything that it shows is not so.

mod actors;
mod chapters;
mod commands;
mod observations;
mod screen;

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use clap::Parser;
use cluster::{Cluster, process::Guarded};
use simulator::{Served, Simulator};

use self::{
    actors::add_accounts,
    screen::{Colour, Screen},
};

/// How long each thing may take that must happen.
const DEADLINE: Duration = Duration::from_mins(1);
/// The namespace of the examples.
const NAMESPACE: &str = "demo";

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

fn expect(holds: bool, what: &str) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(format!("this does not hold: {what}").into())
    }
}
