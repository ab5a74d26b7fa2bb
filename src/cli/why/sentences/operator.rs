//! The words for causes that no condition names, because they keep the operator from writing one.

use super::{Said, Words, some, split};
use crate::cli::{output::age::age, version::CLIENT, why::cause::Cause};

/// What happens while no operator works.
const NOTHING: &str =
    "Nothing happens until then; what was written stays at the provider as it is.";

impl Words<'_> {
    /// The words for an operator that does not run or lead; none for another cause.
    pub(super) fn of_operator(&self, cause: &Cause) -> Option<Said> {
        let subject = &self.subject;
        Some(match cause {
            Cause::NotEstablished => Said {
                what: format!("{subject}: the API server does not serve the CustomResourceDefinition of ProviderSecret."),
                next: NOTHING.to_owned(),
                advice: "Read the conditions of the definition; a name that another definition has taken is there.".to_owned(),
                command: "kubectl describe crd providersecrets.providersecrets.dev".to_owned(),
            },
            Cause::NoOperator => Said {
                what: format!("{subject}: no operator runs in this cluster; there is neither a Deployment nor a Lease of one."),
                next: NOTHING.to_owned(),
                advice: "Install the operator, or ask who runs it outside of the chart.".to_owned(),
                command: "helm install provider-secrets charts/provider-secrets -n provider-secrets-system --create-namespace".to_owned(),
            },
            Cause::ScaledDown(place) => Said {
                what: format!("{subject}: the operator is scaled down; Deployment {place} shall have no pods."),
                next: NOTHING.to_owned(),
                advice: "Scale it up again.".to_owned(),
                command: format!("kubectl scale deployment {} --replicas=2", split(place)),
            },
            Cause::Down(place, replicas) => Said {
                what: format!("{subject}: no operator runs; of the {replicas} pods of Deployment {place} none is available."),
                next: NOTHING.to_owned(),
                advice: "Find out why its pods do not start: image, quota, node or a wrong flag.".to_owned(),
                command: format!("kubectl describe deployment {}", split(place)),
            },
            Cause::LeaseExpired(lease) => {
                let holder = lease.holder.as_deref().unwrap_or_default();
                let since = lease.renewed.map_or_else(String::new, |renewed| {
                    format!(" for {}", age(renewed, self.facts.now))
                });
                Said {
                    what: format!("{subject}: no operator leads; {holder} holds Lease {}/{} and has not renewed it{since}.", lease.namespace, lease.name),
                    next: "Another process leads within seconds of its start; nothing happens until then.".to_owned(),
                    advice: "Look at the operator's pods: they cannot reach the API server, or there is none.".to_owned(),
                    command: format!("kubectl get pods -n {} -l app.kubernetes.io/part-of=provider-secrets", lease.namespace),
                }
            }
            Cause::LeaseFree(place) => Said {
                what: format!("{subject}: no operator leads; nobody holds the Lease of Deployment {place}."),
                next: "A process takes the lease within seconds of its start; nothing happens until then.".to_owned(),
                advice: "Read what the operator's pods say: they may lack the rights to the Lease.".to_owned(),
                command: format!("kubectl logs deployment/{} --tail=20", split(place)),
            },
            _ => return None,
        })
    }

    /// The words for an operator that cannot work in the namespace; none for another cause.
    pub(super) fn of_place(&self, cause: &Cause) -> Option<Said> {
        let subject = &self.subject;
        Some(match cause {
            Cause::NotWatched(operator) => Said {
                what: format!(
                    "{subject}: the operator {} does not watch namespace {}; it watches {}.",
                    operator.namespaced_name(),
                    self.namespace,
                    some(&operator.watched)
                ),
                next: NOTHING.to_owned(),
                advice: format!(
                    "Add {} to the chart's scope.namespaces, or move the object.",
                    self.namespace
                ),
                command: format!(
                    "helm get values {} -n {}",
                    operator.name, operator.namespace
                ),
            },
            Cause::Denied(operator, lacking) => {
                let rights: Vec<String> = lacking
                    .iter()
                    .map(|right| format!("{} {}", right.verb, right.resource))
                    .collect();
                Said {
                    what: format!(
                        "{subject}: the operator's ServiceAccount {}/{} may not {} in namespace {}.",
                        operator.namespace, operator.service_account, some(&rights), self.namespace
                    ),
                    next: "The operator tries again every 10 seconds or so, and goes on as soon as it may.".to_owned(),
                    advice: "Grant it the rules of the chart: with scope.mode Namespaces the namespace must be in scope.namespaces, and with rbac.create false they are yours to give.".to_owned(),
                    command: format!(
                        "kubectl auth can-i --list -n {} --as=system:serviceaccount:{}:{}",
                        self.namespace, operator.namespace, operator.service_account
                    ),
                }
            }
            Cause::OldDefinition(fields) | Cause::Outdated(fields) => {
                let begin = match cause {
                    Cause::Outdated(_) => format!("{} The", self.message()),
                    _ => "the".to_owned(),
                };
                Said {
                    what: format!("{subject}: {begin} CustomResourceDefinition is older than this program ({CLIENT}) and lacks {}.", some(fields)),
                    next: "The API server drops these fields from what the operator and users write, so that nothing can be relied on until it is replaced.".to_owned(),
                    advice: "Replace the definition; objects stay as they are.".to_owned(),
                    command: "kubectl provider-secrets crds | kubectl apply --server-side -f -".to_owned(),
                }
            }
            _ => return None,
        })
    }
}
