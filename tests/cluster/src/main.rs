//! `cluster`: a control plane by hand. See the README of this crate.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use cluster::{Cluster, Result, Tool, Tools};
use tokio::signal::unix::{SignalKind, signal};

/// A real etcd and kube-apiserver on loopback, without containers.
#[derive(Parser)]
#[command(name = "cluster")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a cluster and keep it until Ctrl-C or SIGTERM.
    Start {
        /// A controller of kube-controller-manager to run.
        #[arg(
            long = "controller",
            value_name = "NAME",
            default_values = ["namespace-controller", "garbage-collector-controller"]
        )]
        controllers: Vec<String>,
    },
    /// Print where the programs are; compile those that are missing.
    Tools {
        /// The programs; all of them if none is given.
        #[arg(value_name = "NAME")]
        names: Vec<Name>,
    },
}

#[derive(Clone, Copy)]
struct Name(Tool);

impl ValueEnum for Name {
    fn value_variants<'a>() -> &'a [Self] {
        const NAMES: [Name; Tool::ALL.len()] = {
            let mut names = [Name(Tool::ALL[0]); Tool::ALL.len()];
            let mut next = 0;
            while next < names.len() {
                names[next] = Name(Tool::ALL[next]);
                next += 1;
            }
            names
        };
        &NAMES
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Start { controllers } => start(&controllers).await,
        Command::Tools { names } => tools(&names).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("cluster: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn start(controllers: &[String]) -> Result<()> {
    let io_error = |action: &str| {
        let action = action.to_owned();
        move |source| cluster::Error::Io { action, source }
    };
    // Before the start, so that a signal during it is not lost.
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(io_error("listen for an interrupt"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(io_error("listen for SIGTERM"))?;
    let controllers: Vec<&str> = controllers.iter().map(String::as_str).collect();
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let run = async {
        let cluster = Cluster::builder().controllers(&controllers).start().await?;
        for (name, process) in cluster.processes() {
            say(&format!("{name} runs as process {process}"));
        }
        say(&format!("the cluster is ready at {}", cluster.server()));
        say("in another shell, run the line below; end the cluster with Ctrl-C here");
        let line = format!(
            "export KUBECONFIG={}",
            quote(&cluster.kubeconfig().to_string_lossy())
        );
        writeln!(io::stdout(), "{line}").map_err(io_error("print the kubeconfig"))?;
        std::future::pending::<()>().await;
        drop(cluster);
        Ok(())
    };
    tokio::select! {
        result = run => result,
        () = stop => Ok(()),
    }
}

async fn tools(names: &[Name]) -> Result<()> {
    let tools = Tools::from_environment();
    let paths = if names.is_empty() {
        tools.prepare().await?
    } else {
        let mut paths = Vec::new();
        for Name(tool) in names {
            paths.push((*tool, tools.path(*tool).await?));
        }
        paths
    };
    for (tool, path) in paths {
        writeln!(io::stdout(), "{} {}", tool.name(), path.display()).map_err(|source| {
            cluster::Error::Io {
                action: "print".to_owned(),
                source,
            }
        })?;
    }
    Ok(())
}

/// A word that a shell reads as it is.
fn quote(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
