//! The flags of leader election, with the names that users of controller-runtime know.

use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;

use crate::controller::lease::{LeaseSettings, Timing};

/// The shortest lease. A Lease without a holder that lasts for 1 s or 2 s is one that its holder gave up, and no
/// process waits for it.
const MIN_LEASE_DURATION: Duration = Duration::from_secs(3);

/// Who of several processes writes.
#[derive(Args, Debug)]
pub(super) struct Election {
    /// Whether one of several processes leads, by a Lease; without it there must be one process only
    #[arg(
        long = "leader-elect",
        env = "PROVIDER_SECRETS_LEADER_ELECT",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = clap::ArgAction::Set
    )]
    is_enabled: bool,

    /// Namespace of the Lease; where none is given, that of POD_NAMESPACE, else that of the pod, or of the
    /// kubeconfig's context
    #[arg(
        long = "leader-election-namespace",
        value_name = "NAMESPACE",
        env = "PROVIDER_SECRETS_LEADER_ELECTION_NAMESPACE"
    )]
    namespace: Option<String>,

    /// The namespace of the pod, which a process with a kubeconfig does not know otherwise
    #[arg(long, env = "POD_NAMESPACE", hide = true)]
    pod_namespace: Option<String>,

    /// Name of the Lease: one for each installation
    #[arg(
        long = "leader-election-id",
        value_name = "NAME",
        env = "PROVIDER_SECRETS_LEADER_ELECTION_ID",
        default_value = "provider-secrets",
        value_parser = lease_name
    )]
    id: String,

    /// How long the others wait for a leader that does not renew the Lease, in whole seconds, 3s at least
    #[arg(
        long = "leader-election-lease-duration",
        value_name = "DURATION",
        env = "PROVIDER_SECRETS_LEADER_ELECTION_LEASE_DURATION",
        default_value = "15s",
        value_parser = positive
    )]
    lease_duration: Duration,

    /// After which time a leader that cannot renew the Lease ends
    #[arg(
        long = "leader-election-renew-deadline",
        value_name = "DURATION",
        env = "PROVIDER_SECRETS_LEADER_ELECTION_RENEW_DEADLINE",
        default_value = "10s",
        value_parser = positive
    )]
    renew_deadline: Duration,

    /// The wait between two tries to renew the Lease
    #[arg(
        long = "leader-election-retry-period",
        value_name = "DURATION",
        env = "PROVIDER_SECRETS_LEADER_ELECTION_RETRY_PERIOD",
        default_value = "2s",
        value_parser = positive
    )]
    retry_period: Duration,
}

impl Election {
    /// The settings of the Lease, which is in the client's namespace unless a flag or a variable names one; none where
    /// there is one process only.
    ///
    /// # Errors
    /// What is wrong with the flags together.
    pub(super) fn settings(
        self,
        own_namespace: &str,
        pod_name: &str,
    ) -> Result<Option<LeaseSettings>, &'static str> {
        if !self.is_enabled {
            return Ok(None);
        }
        let timing = Timing {
            lease_duration: self.lease_duration,
            renew_deadline: self.renew_deadline,
            retry_period: self.retry_period,
        };
        check(timing)?;
        let mut given = [self.namespace, self.pod_namespace].into_iter().flatten();
        let given = given.find(|namespace| !namespace.is_empty());
        Ok(Some(LeaseSettings {
            namespace: given.unwrap_or_else(|| own_namespace.to_owned()),
            name: self.id,
            pod_name: pod_name.to_owned(),
            timing,
        }))
    }
}

/// What client-go asks of the three durations, and that the first fits into the Lease.
fn check(timing: Timing) -> Result<(), &'static str> {
    let Timing {
        lease_duration,
        renew_deadline,
        retry_period,
    } = timing;
    if lease_duration.subsec_nanos() != 0 {
        return Err("--leader-election-lease-duration must be whole seconds");
    }
    if lease_duration < MIN_LEASE_DURATION {
        return Err("--leader-election-lease-duration must be at least 3s");
    }
    if lease_duration <= renew_deadline {
        return Err(
            "--leader-election-lease-duration must be longer than --leader-election-renew-deadline",
        );
    }
    if renew_deadline < retry_period * 2 {
        return Err(
            "--leader-election-renew-deadline must be at least twice --leader-election-retry-period",
        );
    }
    Ok(())
}

/// The name of a Lease: a DNS subdomain (RFC 1123).
fn lease_name(text: &str) -> Result<String, &'static str> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        let is_whole = !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        is_whole && label.bytes().all(is_inner)
    };
    let is_name = text.len() <= 253 && text.split('.').all(is_label);
    is_name.then(|| text.to_owned()).ok_or(
        "want the name of a Lease: 1 to 253 lower-case letters, digits, - and ., with a letter or digit at each end",
    )
}

/// A duration such as 2s or 500ms, and not zero.
fn positive(text: &str) -> Result<Duration, String> {
    let read = text.parse::<SignedDuration>().ok();
    read.and_then(|read| Duration::try_from(read).ok())
        .filter(|read| !read.is_zero())
        .ok_or_else(|| "give a duration such as 15s".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        election: Election,
    }

    /// Namespace and name of the Lease, of a pod in the namespace `own`; none where a flag is refused.
    fn lease(flags: &str) -> Option<(String, String)> {
        let flags = std::iter::once("run").chain(flags.split(' '));
        let flags = Flags::try_parse_from(flags).ok()?;
        let settings = flags.election.settings("own", "pod").ok()??;
        Some((settings.namespace, settings.name))
    }

    #[rstest]
    #[case("--leader-election-namespace=system", Some(("system", "provider-secrets")))]
    #[case("--leader-election-namespace=", Some(("own", "provider-secrets")))]
    #[case("--pod-namespace=pods", Some(("pods", "provider-secrets")))]
    #[case("--pod-namespace=", Some(("own", "provider-secrets")))]
    #[case("--pod-namespace=pods --leader-election-namespace=system", Some(("system", "provider-secrets")))]
    #[case("--pod-namespace=pods --leader-election-namespace=", Some(("pods", "provider-secrets")))]
    #[case("--leader-election-id=psec.team-a", Some(("own", "psec.team-a")))]
    #[case("--leader-election-id=", None)]
    #[case("--leader-election-id=a/b", None)]
    #[case("--leader-election-id=A", None)]
    #[case("--leader-election-id=a..b", None)]
    #[case("--leader-election-id=-a", None)]
    #[case("--leader-election-id=a-", None)]
    fn an_empty_namespace_is_none_and_a_lease_has_a_name(
        #[case] flag: &str,
        #[case] expected: Option<(&str, &str)>,
    ) {
        let expected = expected.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        assert_eq!(lease(flag), expected);
    }

    #[rstest]
    #[case("15s", "10s", "2s", true)]
    #[case("3s", "2s", "500ms", true)]
    #[case("2s", "1s", "500ms", false)]
    #[case("1s", "500ms", "100ms", false)]
    #[case("15s", "15s", "2s", false)]
    #[case("10s", "15s", "2s", false)]
    #[case("15s", "3s", "2s", false)]
    #[case("1500ms", "1s", "100ms", false)]
    fn the_durations_fit_each_other(
        #[case] lease: &str,
        #[case] deadline: &str,
        #[case] retry: &str,
        #[case] fits: bool,
    ) {
        let timing = Timing {
            lease_duration: positive(lease).unwrap(),
            renew_deadline: positive(deadline).unwrap(),
            retry_period: positive(retry).unwrap(),
        };
        assert_eq!(check(timing).is_ok(), fits);
    }

    #[rstest]
    #[case("0s")]
    #[case("-1s")]
    #[case("15")]
    #[case("")]
    fn a_duration_has_a_unit_and_is_positive(#[case] text: &str) {
        assert!(positive(text).is_err());
    }
}
