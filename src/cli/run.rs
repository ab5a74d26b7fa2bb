//! `provider-secrets run`.

use std::{future::Future, process::ExitCode, time::Duration};

use clap::Args;
use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use jiff::SignedDuration;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    USER_AGENT, cluster,
    egress::EgressFlags,
    election::Election,
    fail,
    opt_in::OptInFlags,
    refuse,
    schemes::Schemes,
    secret_access::SecretAccessFlags,
    traces::{Sending, TraceFlags},
};
use crate::{
    account::{EndpointFlag, Endpoints},
    controller::{self, Namespaces, Settings, Stopped, lease::Lease},
    http::{self, Http},
    leadership::Leadership,
    telemetry::{self, Address, Format, Health, Metrics},
};

/// The flags of `run`. A flag wins over its environment variable, that over the default.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Address of /metrics
    #[arg(
        long,
        env = "PROVIDER_SECRETS_METRICS_BIND_ADDRESS",
        default_value = ":8080"
    )]
    metrics_bind_address: Address,

    /// Address of /healthz and /readyz
    #[arg(
        long,
        env = "PROVIDER_SECRETS_HEALTH_PROBE_BIND_ADDRESS",
        default_value = ":8081"
    )]
    health_probe_bind_address: Address,

    /// Namespaces to watch, with commas between them; all where none is named
    #[arg(
        long,
        value_name = "NAMESPACE[,NAMESPACE]",
        env = "PROVIDER_SECRETS_WATCH_NAMESPACES"
    )]
    watch_namespaces: Vec<Namespaces>,

    /// Objects that are worked on at once
    #[arg(
        long,
        env = "PROVIDER_SECRETS_MAX_CONCURRENT_RECONCILES",
        default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    max_concurrent_reconciles: u16,

    /// Calls to a provider in flight at once, for each account
    #[arg(
        long,
        env = "PROVIDER_SECRETS_MAX_CALLS_PER_ACCOUNT",
        default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    max_calls_per_account: u16,

    /// How old the listing of an account may be where spec.verifyInterval does not say, such as
    /// 10m or 90s
    #[arg(
        long,
        env = "PROVIDER_SECRETS_VERIFY_INTERVAL",
        default_value = "10m",
        value_parser = duration
    )]
    verify_interval: Duration,

    /// How long a deleted object may wait for what it wrote to be deleted; then it is let go
    #[arg(
        long,
        env = "PROVIDER_SECRETS_DELETION_TIMEOUT",
        default_value = "15m",
        value_parser = duration
    )]
    deletion_timeout: Duration,

    /// How long what a Secret no longer holds stays at the provider under deletionPolicy Delete; what
    /// the spec takes away is deleted at once
    #[arg(
        long,
        env = "PROVIDER_SECRETS_REMOVAL_GRACE",
        default_value = "1m",
        value_parser = duration
    )]
    removal_grace: Duration,

    /// Base URL of an endpoint; NAME is what spec.provider.*.endpoint says, by default "default"
    #[arg(
        long = "endpoint",
        value_name = "PROVIDER[/NAME]=URL",
        env = "PROVIDER_SECRETS_ENDPOINT",
        value_delimiter = ','
    )]
    endpoints: Vec<EndpointFlag>,

    #[command(flatten)]
    schemes: Schemes,

    #[command(flatten)]
    opt_in: OptInFlags,

    #[command(flatten)]
    secret_access: SecretAccessFlags,

    #[command(flatten)]
    egress: EgressFlags,

    #[command(flatten)]
    election: Election,

    /// Whether /metrics has a series set for each object
    #[arg(
        long,
        env = "PROVIDER_SECRETS_METRICS_PER_RESOURCE",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    metrics_per_resource: bool,

    /// Log level, or a filter such as info,provider_secrets=debug; RUST_LOG is read where neither
    /// this flag nor its variable is given
    #[arg(long, env = "PROVIDER_SECRETS_LOG_LEVEL")]
    log_level: Option<String>,

    /// The filter of Rust programs
    #[arg(long, env = "RUST_LOG", hide = true)]
    rust_log: Option<String>,

    /// How a log line looks
    #[arg(
        long,
        env = "PROVIDER_SECRETS_LOG_FORMAT",
        value_enum,
        default_value = "json"
    )]
    log_format: Format,

    /// Not empty: no colours, as everywhere (<https://no-color.org>)
    #[arg(long, env = "NO_COLOR", hide = true)]
    no_color: Option<String>,

    #[command(flatten)]
    traces: TraceFlags,

    /// The name of this pod, for events and the Lease
    #[arg(long, env = "POD_NAME", default_value = POD_NAME)]
    pod_name: String,
}

/// The name of the pod where none is given, or an empty one: events and the Lease take none.
const POD_NAME: &str = "provider-secrets";

fn pod_name_or_default(given: String) -> String {
    if given.is_empty() {
        POD_NAME.to_owned()
    } else {
        given
    }
}

/// A duration such as 10m, at least a second.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let read = text.parse::<SignedDuration>().ok();
    read.and_then(|read| Duration::try_from(read).ok())
        .filter(|read| *read >= Duration::from_secs(1))
        .ok_or_else(|| "give a duration of at least a second, such as 10m".to_owned())
}

/// Runs the operator until SIGTERM or Ctrl-C.
pub(super) fn run(flags: Flags) -> ExitCode {
    let given = [
        ("--log-level", &flags.log_level),
        ("RUST_LOG", &flags.rust_log),
    ];
    let given =
        given.map(|(name, text)| Some((name, text.as_deref().filter(|text| !text.is_empty())?)));
    let (name, directives) = given.into_iter().flatten().next().unwrap_or(("", "info"));
    let has_colours = flags.no_color.as_deref().unwrap_or_default().is_empty();
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return fail("TLS was set up before");
    }
    let transport = match http::transport(USER_AGENT, flags.egress.egress()) {
        Ok(transport) => transport,
        Err(what) => return refuse(&what.to_string()),
    };
    // One thread: the work is waiting, and each further thread costs memory.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return fail("the runtime could not be started");
    };
    let (traces, spans) = match flags.traces.start(&transport, runtime.handle()) {
        Ok(started) => started,
        Err(what) => return refuse(&what),
    };
    if let Err(what) = telemetry::init(directives, flags.log_format, has_colours, spans) {
        return refuse(&format!("{name}: {what}"));
    }
    #[cfg(feature = "otlp")]
    flags.traces.warn();
    let ended = runtime.block_on(operate(flags, transport, traces));
    // A lookup of a name that gets no answer would hold up the end.
    runtime.shutdown_background();
    ended
}

async fn operate(flags: Flags, transport: http::Transport, sending: Sending) -> ExitCode {
    let client = match cluster::client(cluster::Named::default()).await {
        Ok(client) => client,
        Err(what) => return refuse(&format!("no cluster: {what}")),
    };
    let Some(stop) = stop() else {
        return fail_logged("signals cannot be received");
    };
    let (metrics, health) = (Metrics::default(), Health::default());
    let Flags {
        metrics_bind_address,
        health_probe_bind_address,
        watch_namespaces,
        max_concurrent_reconciles,
        max_calls_per_account,
        verify_interval,
        deletion_timeout,
        removal_grace,
        endpoints,
        schemes,
        opt_in,
        secret_access,
        election,
        metrics_per_resource,
        pod_name,
        log_level: _,
        rust_log: _,
        log_format: _,
        no_color: _,
        traces: _,
        egress: _,
    } = flags;
    let pod_name = pod_name_or_default(pod_name);
    let lease = match election.settings(client.default_namespace(), &pod_name) {
        Ok(settings) => {
            settings.map(|of| Lease::new(client.clone(), of, metrics.clone(), health.clone()))
        }
        Err(what) => return refuse(what),
    };
    let (lease, leadership) = lease.unzip();
    let leadership = leadership.unwrap_or_else(|| {
        metrics.leads(true);
        Leadership::after_another()
    });
    let settings = Settings {
        endpoints: Endpoints::new(endpoints).with_schemes(schemes.0),
        namespaces: watch_namespaces.into_iter().collect(),
        concurrency: max_concurrent_reconciles,
        calls_per_account: usize::from(max_calls_per_account),
        verify_interval,
        deletion_timeout,
        removal_grace,
        opt_in: opt_in.into(),
        secret_access: secret_access.into(),
        watch_check: Settings::WATCH_CHECK,
        metrics_per_resource,
        reporter: pod_name,
        leadership: leadership.clone(),
    };
    let served = telemetry::serve(
        health_probe_bind_address,
        metrics_bind_address,
        health.clone(),
        metrics.clone(),
        stop.clone(),
    );
    let served = match served {
        Ok(served) => tokio::spawn(served),
        Err(address) => return refuse(&format!("cannot listen on {address}")),
    };
    let namespaces = settings.namespaces.to_string();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespaces, "started");
    let http = Http::new(transport, metrics.clone(), leadership);
    let ended = controller::run(client, http, settings, metrics, health, stop);
    let ended = ended.map_err(|error| error.to_string()).boxed();
    let ended = under_lease(lease, ended).await;
    served.abort();
    match ended {
        Ok(()) => {
            tracing::info!("stopped");
            sending.end().await;
            ExitCode::SUCCESS
        }
        // A collector that hangs must not hold up the end of a process that has lost the lease.
        Err(why) => fail_logged(&why),
    }
}

/// Ends as [`fail`] does, once the log has started: what reads the log has no use for a line of another form.
fn fail_logged(why: &str) -> ExitCode {
    tracing::error!("{why}");
    ExitCode::FAILURE
}

/// Runs the controller while the lease is kept. Without the lease everything under way ends at once: another
/// process may be at it. The lease is given up if nothing of this process is on its way any more; else
/// the next process waits until it has expired, and confirms what this one may have left.
async fn under_lease(
    lease: Option<Lease>,
    controller: BoxFuture<'_, Result<Stopped, String>>,
) -> Result<(), String> {
    let Some(mut lease) = lease else {
        return controller.await.map(|_| ());
    };
    let ended = tokio::select! {
        lost = lease.keep() => return Err(lost.to_string()),
        ended = controller => ended,
    };
    if ended? == Stopped::Finished {
        lease.release().await;
    }
    Ok(())
}

/// Resolves at SIGTERM or Ctrl-C; one for all tasks.
fn stop() -> Option<impl Future<Output = ()> + Clone + Send + Sync + 'static> {
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop; finishing what is under way");
        stop.send_replace(true);
        // Keeps the channel open for those who ask later.
        std::future::pending::<()>().await;
    });
    Some(
        async move {
            let mut stopped = stopped;
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
        .boxed()
        .shared(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_a_name() {
        assert_eq!(pod_name_or_default(String::new()), POD_NAME);
        assert_eq!(pod_name_or_default("pod-1".to_owned()), "pod-1");
    }
}
