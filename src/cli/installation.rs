//! The operator as it is installed: its Deployment, which the label `app.kubernetes.io/part-of` finds, and its Lease.
//! Pure but for [`Reader::installations`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease as LeaseObject};
use kube::{Api, ResourceExt, api::ListParams};
use serde::Serialize;

use super::{
    read::{Known, Reader, bounded, known},
    secret_access::Access,
    variables::Variables,
};

/// The labels of the chart that its Deployment has and nothing else.
pub(super) const LABELS: &str =
    "app.kubernetes.io/part-of=provider-secrets,app.kubernetes.io/component=controller";
/// The name of the Lease where no flag gives another.
const LEASE: &str = "provider-secrets";
/// How long after the end of a lease by this machine's clock it may be that of another clock.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// An operator as it is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Installation {
    /// The namespace of the Deployment.
    pub(super) namespace: String,
    /// The name of the Deployment.
    pub(super) name: String,
    /// The version that its label tells.
    pub(super) version: Option<String>,
    /// The name of its container.
    #[serde(skip)]
    pub(super) container: String,
    /// The image of its container.
    pub(super) image: Option<String>,
    /// The ServiceAccount of its pods.
    pub(super) service_account: String,
    /// How many pods it shall have.
    pub(super) replicas: i32,
    /// How many of them are available.
    pub(super) available: i32,
    /// The namespaces that it watches; all where there is none.
    pub(super) watched: Vec<String>,
    /// How it learns of changes of Secrets.
    pub(super) secret_access: Access,
    /// Namespace and name of its Lease; none where it runs without.
    pub(super) lease: Option<(String, String)>,
}

impl Installation {
    pub(super) fn new(deployment: Deployment) -> Option<Self> {
        let (namespace, name) = (deployment.namespace()?, deployment.name_any());
        let version = deployment
            .labels()
            .get("app.kubernetes.io/version")
            .cloned();
        let spec = deployment.spec?;
        let pod = spec.template.spec?;
        let available = deployment
            .status
            .and_then(|status| status.available_replicas);
        let container = pod.containers.into_iter().next()?;
        let variables = Variables::new(&container, &namespace);
        let arguments = container.args.iter().flatten();
        let arguments: Vec<_> = arguments.map(|text| variables.expand(text)).collect();
        let flag = |name: &str| flags(&arguments, &variables, name).pop();
        let watched = flags(&arguments, &variables, "watch-namespaces");
        let watched = watched.iter().flat_map(|list| list.split(','));
        let watched = watched.filter(|name| !name.is_empty()).map(str::to_owned);
        let elects = flag("leader-elect").is_none_or(|text| text != "false");
        let of = || {
            let lease = flag("leader-election-id").unwrap_or_else(|| LEASE.to_owned());
            let place = flag("leader-election-namespace").filter(|name| !name.is_empty());
            let pod = || {
                variables
                    .get("POD_NAMESPACE")
                    .filter(|name| !name.is_empty())
            };
            let place = place.or_else(|| pod().map(str::to_owned));
            (place.unwrap_or_else(|| namespace.clone()), lease)
        };
        Some(Self {
            version,
            service_account: pod
                .service_account_name
                .unwrap_or_else(|| "default".to_owned()),
            replicas: spec.replicas.unwrap_or(1),
            available: available.unwrap_or_default(),
            watched: watched.collect(),
            secret_access: match flag("secret-access").as_deref() {
                Some("get-only") => Access::GetOnly,
                _ => Access::Watch,
            },
            lease: elects.then(of),
            container: container.name,
            image: container.image,
            namespace,
            name,
        })
    }

    /// Whether it watches a namespace.
    pub(super) fn watches(&self, namespace: &str) -> bool {
        self.watched.is_empty() || self.watched.iter().any(|name| name == namespace)
    }

    /// `namespace/name`.
    pub(super) fn namespaced_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether a pod is one of its Deployment.
    pub(super) fn has_pod(&self, namespace: &str, name: &str) -> bool {
        let rest = name.strip_prefix(self.name.as_str());
        self.namespace == namespace && rest.is_some_and(|rest| rest.starts_with('-'))
    }
}

/// The values of a flag in the arguments of a container, else that of its variable, in their order.
fn flags(arguments: &[String], variables: &Variables, name: &str) -> Vec<String> {
    let (flag, with_value) = (format!("--{name}"), format!("--{name}="));
    let values = arguments.iter().enumerate().filter_map(|(at, argument)| {
        let next = || arguments.get(at + 1).filter(|next| !next.starts_with('-'));
        match argument.strip_prefix(&with_value) {
            Some(value) => Some(value.to_owned()),
            None if *argument == flag => Some(next().cloned().unwrap_or_default()),
            None => None,
        }
    });
    let values: Vec<String> = values.collect();
    if !values.is_empty() {
        return values;
    }
    let variable = format!("PROVIDER_SECRETS_{}", name.to_uppercase().replace('-', "_"));
    let value = variables.get(&variable).filter(|value| !value.is_empty());
    value.map(str::to_owned).into_iter().collect()
}

/// A Lease, as far as it tells who leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeaseFact {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// The process that leads; none where it was released.
    pub(super) holder: Option<String>,
    /// When it was last renewed, by the clock of that process.
    pub(super) renewed: Option<Timestamp>,
    /// How long it lasts without being renewed.
    #[serde(skip)]
    pub(super) lasts: Duration,
}

impl LeaseFact {
    fn new(lease: LeaseObject) -> Self {
        let (namespace, name) = (lease.namespace().unwrap_or_default(), lease.name_any());
        let spec = lease.spec.unwrap_or_default();
        let seconds = spec.lease_duration_seconds.unwrap_or(15);
        Self {
            namespace,
            name,
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            renewed: spec.renew_time.map(|time| time.0),
            lasts: Duration::from_secs(u64::try_from(seconds).unwrap_or(15)),
        }
    }

    /// Whether a process holds it and renews it.
    pub(super) fn is_kept(&self, now: Timestamp) -> bool {
        self.holder.is_some() && !self.looks_expired(now)
    }

    /// Whether its holder has not renewed it in time, as far as this machine's clock tells.
    pub(super) fn looks_expired(&self, now: Timestamp) -> bool {
        let lasts = SignedDuration::try_from(self.lasts).unwrap_or(SignedDuration::MAX);
        let since = self.renewed.map(|renewed| now.duration_since(renewed));
        since.is_none_or(|since| since > lasts.saturating_add(MAX_CLOCK_SKEW))
    }
}

impl Reader {
    /// The operators of the cluster.
    pub(super) async fn installations(&self) -> Known<Vec<Installation>> {
        let api: Api<Deployment> = Api::all(self.client.clone());
        let parameters = ListParams::default().labels(LABELS);
        let listed = bounded("list deployments", None, api.list(&parameters)).await;
        known(listed).map(|found| {
            found
                .items
                .into_iter()
                .filter_map(Installation::new)
                .collect()
        })
    }

    /// The Lease of an operator, else every Lease that has the usual name. One that looks expired is read again after
    /// some seconds: a lease has expired when it was seen unchanged, because clocks differ.
    pub(super) async fn leases(&self, of: Option<&(String, String)>) -> Known<Vec<LeaseFact>> {
        let first = self.leases_once(of).await;
        let Known::Read(leases) = &first else {
            return first;
        };
        let now = Timestamp::now();
        let doubtful = |lease: &&LeaseFact| lease.holder.is_some() && lease.looks_expired(now);
        if !leases.iter().any(|lease| doubtful(&lease)) {
            return first;
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        let again = self.leases_once(of).await;
        again.map(|again| {
            let renewed = |lease: LeaseFact| {
                let was_seen = leases.contains(&lease);
                // It was renewed meanwhile, whatever its clock says.
                let renewed = if was_seen {
                    lease.renewed
                } else {
                    Some(Timestamp::now())
                };
                LeaseFact { renewed, ..lease }
            };
            again.into_iter().map(renewed).collect()
        })
    }

    async fn leases_once(&self, of: Option<&(String, String)>) -> Known<Vec<LeaseFact>> {
        let name = of.map_or(LEASE, |(_, name)| name);
        let api: Api<LeaseObject> = match of {
            Some((namespace, _)) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let parameters = ListParams::default().fields(&format!("metadata.name={name}"));
        let place = of.map(|(namespace, _)| namespace.as_str());
        let listed = bounded("list leases", place, api.list(&parameters)).await;
        known(listed).map(|found| found.items.into_iter().map(LeaseFact::new).collect())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn installation(arguments: &[&str], env: &Value) -> Installation {
        let deployment = json!({
            "metadata": {"namespace": "system", "name": "release", "labels": {"app.kubernetes.io/version": "0.1.0"}},
            "spec": {"selector": {}, "replicas": 2, "template": {"spec": {
                "serviceAccountName": "sa",
                "containers": [{"name": "c", "image": "r/i:1", "args": arguments, "env": env}],
            }}},
            "status": {"availableReplicas": 1},
        });
        Installation::new(serde_json::from_value(deployment).unwrap()).unwrap()
    }

    /// A variable that has the namespace of the pod.
    fn pod_namespace(name: &str) -> Value {
        let field = json!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
        json!([{"name": name, "valueFrom": {"fieldRef": field}}])
    }

    #[rstest]
    #[case(&["run"], json!([]), &[], Some(("system", "provider-secrets")))]
    #[case(&["run", "--watch-namespaces=a,b", "--watch-namespaces", "c"], json!([]), &["a", "b", "c"], Some(("system", "provider-secrets")))]
    #[case(&["run", "--leader-election-id=x", "--leader-election-namespace=y", "--leader-election-id=z"], json!([]), &[], Some(("y", "z")))]
    #[case(&["run", "--leader-elect=true", "--leader-elect=false"], json!([]), &[], None)]
    #[case(&["run", "--secret-access=get-only"], json!([]), &[], Some(("system", "provider-secrets")))]
    #[case(&["run"], json!([{"name": "PROVIDER_SECRETS_WATCH_NAMESPACES", "value": "a"}, {"name": "PROVIDER_SECRETS_LEADER_ELECT", "value": ""}]), &["a"], Some(("system", "provider-secrets")))]
    #[case(&["run", "--watch-namespaces=$(POD_NAMESPACE)"], pod_namespace("POD_NAMESPACE"), &["system"], Some(("system", "provider-secrets")))]
    #[case(&["run", "--watch-namespaces", "a,$(POD_NAMESPACE)"], pod_namespace("POD_NAMESPACE"), &["a", "system"], Some(("system", "provider-secrets")))]
    #[case(&["run", "--leader-election-id=$(ID)", "--leader-election-namespace=$(NONE)"], json!([{"name": "ID", "value": "x"}]), &[], Some(("$(NONE)", "x")))]
    #[case(&["run"], json!([{"name": "POD_NAMESPACE", "value": "x"}]), &[], Some(("x", "provider-secrets")))]
    #[case(&["run", "--leader-election-namespace="], json!([{"name": "POD_NAMESPACE", "value": ""}]), &[], Some(("system", "provider-secrets")))]
    #[case(&["run"], pod_namespace("PROVIDER_SECRETS_WATCH_NAMESPACES"), &["system"], Some(("system", "provider-secrets")))]
    fn the_flags_of_a_deployment_say_what_it_watches_and_its_lease(
        #[case] arguments: &[&str],
        #[case] env: Value,
        #[case] watched: &[&str],
        #[case] lease: Option<(&str, &str)>,
    ) {
        let found = installation(arguments, &env);
        assert_eq!(found.watched, watched);
        let lease = lease.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        assert_eq!(found.lease, lease);
        let is_get_only = arguments.contains(&"--secret-access=get-only");
        assert_eq!(found.secret_access == Access::GetOnly, is_get_only);
        assert!(watched.iter().all(|name| found.watches(name)));
        assert_eq!(found.watches("q"), watched.is_empty());
        let shown = (
            found.version.as_deref(),
            found.service_account.as_str(),
            found.replicas,
            found.available,
        );
        assert_eq!(shown, (Some("0.1.0"), "sa", 2, 1));
    }

    #[rstest]
    #[case(Some(10), false)]
    #[case(Some(19), false)]
    #[case(Some(21), true)]
    #[case(Some(-60), false)]
    #[case(None, true)]
    fn a_lease_looks_expired_after_its_duration(
        #[case] seconds: Option<i64>,
        #[case] expected: bool,
    ) {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        let lease = LeaseFact {
            namespace: "n".into(),
            name: "l".into(),
            holder: Some("pod_1".into()),
            renewed: seconds.map(|seconds| now - SignedDuration::from_secs(seconds)),
            lasts: Duration::from_secs(15),
        };
        assert_eq!(lease.looks_expired(now), expected);
    }
}
