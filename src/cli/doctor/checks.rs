//! The checks. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Facts, objects::Health};
use crate::{
    api::Reason,
    cli::{answer::Refusal, output::age::age_or_none, read::Known, version::CLIENT},
};

/// The oldest minor version of Kubernetes 1 that the operator is for.
const MINOR: u32 = 33;
/// After how many seconds a deletion is slow, and after how many it is stuck: the operator's own timeout and some more.
const SLOW: i64 = 60;
const STUCK: i64 = 20 * 60;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Mark {
    /// It is well.
    Tick,
    /// It may be well, or heals by itself.
    Exclamation,
    /// A person must act.
    Cross,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) mark: Mark,
    pub(super) text: String,
    /// Where to look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<String>,
}

impl Check {
    fn new(mark: Mark, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            mark,
            text,
            command: None,
        }
    }

    fn see(self, command: impl Into<String>) -> Self {
        let command = Some(command.into());
        Self { command, ..self }
    }
}

fn unknown(what: &str, why: &str) -> Check {
    Check::new(
        Mark::Exclamation,
        format!("{what}: not known, because {why}"),
    )
}

/// All checks.
pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![of_version(&facts.version), of_definition(facts)];
    checks.extend(of_operators(facts));
    for (whose, lacking) in &facts.lacking {
        checks.push(match lacking {
            Known::Read(lacking) if lacking.is_empty() => Check::new(
                Mark::Tick,
                format!("Rights of {whose}: all that the operator needs"),
            ),
            Known::Read(lacking) => {
                let rights: Vec<String> = lacking
                    .iter()
                    .map(|right| format!("{} {}", right.verb, right.resource))
                    .collect();
                let text = format!("Rights of {whose}: it may not {}", rights.join(", "));
                Check::new(Mark::Cross, text)
            }
            Known::Unread(why) => unknown(&format!("Rights of {whose}"), why),
        });
    }
    for (endpoint, reached) in &facts.endpoints {
        checks.push(match reached {
            Ok(()) => Check::new(
                Mark::Tick,
                format!("Endpoint {endpoint}: reached, certificate trusted"),
            ),
            Err(why) => Check::new(Mark::Cross, format!("Endpoint {endpoint}: {why}")),
        });
    }
    match &facts.objects.found {
        Known::Read(objects) => {
            checks.extend(of_narrowing(facts));
            checks.extend(of_objects(facts, objects));
        }
        Known::Unread(why) => checks.push(unknown("Objects", why)),
    }
    checks
}

fn of_version(version: &Result<String, Refusal>) -> Check {
    match version {
        Ok(version) => {
            let minor = version.strip_prefix("v1.").and_then(|rest| {
                let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
                digits?.parse::<u32>().ok()
            });
            let mark = match minor {
                Some(minor) if minor >= MINOR => Mark::Tick,
                Some(_) => Mark::Cross,
                None => Mark::Exclamation,
            };
            Check::new(
                mark,
                format!("Kubernetes {version} (1.{MINOR} or newer is needed)"),
            )
        }
        Err(refusal) if refusal.is_forbidden => unknown("Kubernetes", &refusal.text),
        // Who may ask for anything may mostly ask for the version: nothing else is known either.
        Err(refusal) => Check::new(Mark::Cross, format!("Kubernetes: {}", refusal.text)),
    }
}

fn of_definition(facts: &Facts) -> Check {
    let what = "CustomResourceDefinition providersecrets.providersecrets.dev";
    let crds = "kubectl provider-secrets crds | kubectl apply --server-side -f -";
    let definition = match &facts.definition {
        Known::Read(definition) => definition,
        Known::Unread(why) => return unknown(what, why),
    };
    if !definition.is_there {
        return Check::new(Mark::Cross, format!("{what}: not installed")).see(crds);
    }
    if !definition.is_established {
        let see = "kubectl describe crd providersecrets.providersecrets.dev";
        return Check::new(Mark::Cross, format!("{what}: not served")).see(see);
    }
    match (definition.lacks.as_slice(), definition.unknown.as_slice()) {
        ([], []) => Check::new(
            Mark::Tick,
            format!("{what}: served, as this program ({CLIENT}) knows it"),
        ),
        ([first, ..], _) => {
            let count = definition.lacks.len();
            let text = format!(
                "{what}: older than this program ({CLIENT}), it lacks {count} fields such as {first}"
            );
            Check::new(Mark::Cross, text).see(crds)
        }
        ([], [first, ..]) => {
            let text =
                format!("{what}: newer than this program ({CLIENT}), which does not know {first}");
            Check::new(Mark::Exclamation, text)
        }
    }
}

fn of_operators(facts: &Facts) -> Vec<Check> {
    let installations = match &facts.installations {
        Known::Read(found) => found,
        Known::Unread(why) => return vec![unknown("Operator", why)],
    };
    if installations.is_empty() {
        let text = "Operator: there is no Deployment of one";
        return vec![Check::new(Mark::Cross, text).see("helm list -A")];
    }
    let mut checks = Vec::new();
    for operator in installations {
        let version = operator.version.as_deref().unwrap_or("unknown");
        let mark = match operator.available {
            0 => Mark::Cross,
            available if available < operator.replicas || version != CLIENT => Mark::Exclamation,
            _ => Mark::Tick,
        };
        let (available, replicas) = (operator.available, operator.replicas);
        let mut text = format!(
            "Operator {}: {available}/{replicas} available, version {version}",
            operator.namespaced_name()
        );
        if version != CLIENT {
            text = format!("{text}, this program is {CLIENT}");
        }
        let check = Check::new(mark, text);
        let see = format!(
            "kubectl describe deployment {} -n {}",
            operator.name, operator.namespace
        );
        checks.push(if mark == Mark::Tick {
            check
        } else {
            check.see(see)
        });
    }
    for (place, leases) in &facts.leases {
        let what = format!("Leader of {place}");
        checks.push(match leases {
            Known::Unread(why) => unknown(&what, why),
            Known::Read(leases) => match leases.first() {
                Some(lease) if lease.holder.is_some() => {
                    let holder = lease.holder.as_deref().unwrap_or_default();
                    let since = age_or_none(lease.renewed, facts.now);
                    let is_expired = lease.looks_expired(facts.now);
                    let mark = if is_expired { Mark::Cross } else { Mark::Tick };
                    Check::new(mark, format!("{what}: {holder}, renewed {since} ago"))
                }
                _ => Check::new(Mark::Cross, format!("{what}: nobody holds the lease")),
            },
        });
    }
    checks
}

/// That the objects of other namespaces were not looked at, unless none of them is watched.
fn of_narrowing(facts: &Facts) -> Option<Check> {
    let why = facts.objects.narrowed.as_ref()?;
    let namespace = &facts.namespace;
    if facts.watched == [namespace.as_str()] {
        return None;
    }
    let text = format!("Objects: only namespace {namespace} could be looked at: {why}");
    Some(Check::new(Mark::Exclamation, text))
}

fn of_objects(facts: &Facts, objects: &[Health]) -> Vec<Check> {
    let ready = objects.iter().filter(|object| object.is_ready).count();
    let mark = if ready == objects.len() {
        Mark::Tick
    } else {
        Mark::Exclamation
    };
    let text = format!("Objects: {ready} of {} Ready", objects.len());
    let mut checks = vec![Check::new(mark, text)];
    if mark != Mark::Tick {
        checks[0] = checks[0].clone().see("kubectl provider-secrets status -A");
    }
    checks.extend(of_credentials(objects));
    for object in objects {
        if let Some(seconds) = object.deleted_for.filter(|seconds| *seconds >= SLOW) {
            let mark = if seconds >= STUCK {
                Mark::Cross
            } else {
                Mark::Exclamation
            };
            let text = format!(
                "Deletion of {}: for {} minutes",
                object.namespaced_name(),
                seconds / 60
            );
            checks.push(Check::new(mark, text).see(object.command("why")));
        }
    }
    checks.push(of_watches(facts, objects));
    checks
}

/// Whether a spec that was not acted on tells of a watch that shows nothing. One in a namespace that no operator watches
/// does not, nor one whose account is held back: its object is not tried before that is over.
fn of_watches(facts: &Facts, objects: &[Health]) -> Check {
    let held_back = objects.iter().filter(|object| object.is_held_back());
    let held_back: BTreeSet<_> = held_back.map(Health::account).collect();
    let is_deaf = |object: &&Health| {
        object.is_deaf()
            && facts.is_watched(&object.namespace)
            && !held_back.contains(&object.account())
    };
    let deaf: Vec<&Health> = objects.iter().filter(is_deaf).collect();
    match deaf.first() {
        None => Check::new(Mark::Tick, "Watches: the operator has acted on every spec"),
        Some(first) => {
            let objects = match deaf.len() {
                1 => "1 object has".to_owned(),
                count => format!("{count} objects have"),
            };
            let such = first.namespaced_name();
            let text = format!(
                "Watches: {objects} a spec that the operator does not act on, such as {such}"
            );
            Check::new(Mark::Cross, text).see(first.command("why"))
        }
    }
}

/// The credentials that do not answer, and the accounts that pause: a line for each Secret of a key.
fn of_credentials(objects: &[Health]) -> Vec<Check> {
    let mut troubles: BTreeMap<(String, &str, Reason), Vec<&Health>> = BTreeMap::new();
    for object in objects {
        let Some(reason) = object.reason else {
            continue;
        };
        let is_of_credential = matches!(
            reason,
            Reason::AuthenticationFailed
                | Reason::PermissionDenied
                | Reason::CredentialInvalid
                | Reason::CredentialNotFound
                | Reason::CredentialKeyMissing
                | Reason::AccountChanged
                | Reason::RateLimited
                | Reason::ProviderUnavailable
                | Reason::NetworkError
                | Reason::Timeout
                | Reason::CertificateNotTrusted
        );
        if is_of_credential && !object.is_ready {
            let secret = format!("{}/{}", object.namespace, object.credential);
            troubles
                .entry((secret, object.provider, reason))
                .or_default()
                .push(object);
        }
    }
    let lines = troubles
        .into_iter()
        .filter_map(|((secret, provider, reason), objects)| {
            let first = objects.first()?;
            let mark = if objects.iter().any(|object| object.is_stalled) {
                Mark::Cross
            } else {
                Mark::Exclamation
            };
            let minutes = objects.iter().map(|object| object.for_seconds).max()? / 60;
            let count = match objects.len() {
                1 => "1 object".to_owned(),
                count => format!("{count} objects"),
            };
            let text = format!(
                "{provider} with API key {secret}: {reason} for {minutes} minutes, {count}"
            );
            Some(Check::new(mark, text).see(first.command("why")))
        });
    let lines: Vec<Check> = lines.collect();
    if lines.is_empty() {
        return vec![Check::new(
            Mark::Tick,
            "API keys: no provider refuses or holds back any",
        )];
    }
    lines
}
