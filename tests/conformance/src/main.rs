//! `conformance`: the suite against a real account. See the README of this crate.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, ValueEnum, builder::PossibleValue};
use conformance::{Report, Run, Target, Variables};
use provider_secrets::{api::ProviderKind, http};
use tokio::signal::unix::{SignalKind, signal};

/// Check that a real account behaves as the operator expects it.
#[derive(Parser)]
#[command(name = "conformance")]
struct Arguments {
    /// The provider; its API key is read from the environment.
    provider: Kind,
}

#[derive(Clone, Copy)]
struct Kind(ProviderKind);

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Kind; ProviderKind::ALL.len()] = {
            let mut all = [Kind(ProviderKind::ALL[0]); ProviderKind::ALL.len()];
            let mut index = 1;
            while index < all.len() {
                all[index] = Kind(ProviderKind::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.flag()))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Kind(kind) = Arguments::parse().provider;
    match start(kind).await {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "conformance: {error}");
            ExitCode::from(2)
        }
    }
}

async fn start(kind: ProviderKind) -> Result<ExitCode, String> {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return Err("TLS could not be set up".to_owned());
    }
    let agent = concat!("provider-secrets-conformance/", env!("CARGO_PKG_VERSION"));
    let transport =
        http::transport(agent, http::Egress::default()).map_err(|what| what.to_string())?;
    let names = Variables::of(kind);
    let Some(target) = Target::from_environment(kind, variable, transport)? else {
        // Not a failure: most who work on the code have no account there.
        let _ = writeln!(
            io::stderr(),
            "SKIPPED: nothing was checked at {kind}, because {} is not set",
            names.key
        );
        return Ok(ExitCode::SUCCESS);
    };
    say(&format!("{kind} at {}", target.base));
    let run = Run::new(target);
    let report = tokio::select! {
        report = run.check(|line| say(&line.to_string())) => Some(report),
        () = stop_signal() => None,
    };
    let last = run.clean().await;
    say(&last.to_string());
    let Some(mut report) = report else {
        return Err("stopped before the last check".to_owned());
    };
    report.results.push(last);
    Ok(conclude(&report))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the names of the variables follow from the provider, which clap's `env` cannot know"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn conclude(report: &Report) -> ExitCode {
    say(&report.to_string());
    if report.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Ctrl-C or SIGTERM: what was made is deleted before the program ends.
async fn stop_signal() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
