//! `approve NAME`: lets the operator carry out the plan that waits.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use serde_json::json;

use super::{
    answer::{Answer, Answered, Refusal},
    flags::{ClusterFlags, WaitFlags},
    plan::Plan,
    print,
    question::is_confirmed,
    read::{Reader, on_cluster},
    view::{Standing, namespaced_name, resource_name},
    wait::Wait,
};
use crate::api::{APPROVED_PLAN, Approval, ProviderSecret};

/// The flags of `approve`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The object whose plan waits
    #[arg(value_name = "NAME")]
    name: String,

    /// Approve only this plan, by its hash: for scripts, which have shown it before
    #[arg(long, value_name = "HASH")]
    plan: Option<String>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    wait: WaitFlags,
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let object = reader.object(&flags.name).await?;
        let plan = Plan::live(&object);
        let hash = waiting(&object, &plan, flags.plan.as_deref())?;
        let question = format!("{}Approve? [y/N] ", plan.lines());
        if !flags.yes && !is_confirmed(&question)? {
            return Ok(Answer::new("nothing was changed\n".to_owned(), false));
        }
        let (namespace, name) = namespaced_name(&object);
        let patch = json!({"metadata": {"annotations": {APPROVED_PLAN: hash}}});
        reader.patch(&namespace, &name, &patch).await?;
        print(&format!("{} approved\n", resource_name(&name)))?;
        if flags.wait.wait {
            return carried_out(&reader, &object, &hash, flags.wait.timeout).await;
        }
        Ok(Answer::done(String::new()))
    })
}

/// The hash of the plan that waits, if it is the one that is `meant`.
///
/// # Errors
/// No plan waits for approval, or another one does.
fn waiting(object: &ProviderSecret, plan: &Plan, meant: Option<&str>) -> Result<String, Refusal> {
    let (namespace, name) = namespaced_name(object);
    if object.spec.approval() == Approval::Automatic {
        return Err(Refusal::failed(format!(
            "{namespace}/{name} waits for no approval: spec.approval is Automatic"
        )));
    }
    let Some(hash) = plan.hash.clone() else {
        let see = format!("see kubectl provider-secrets status {name} -n {namespace}");
        return Err(Refusal::failed(format!(
            "{namespace}/{name} has no plan that waits for approval: {see}"
        )));
    };
    match meant {
        Some(meant) if meant != hash => Err(Refusal::failed(format!(
            "the plan of {namespace}/{name} is another one now: {hash}"
        ))),
        _ => Ok(hash),
    }
}

/// How far an approved plan is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// It is being carried out.
    Waiting,
    /// Everything is acknowledged.
    Synced(String),
    /// Something else would be done now, and waits.
    Another(String),
}

/// How far the plan `hash` is.
fn progress(object: &ProviderSecret, hash: &str) -> Progress {
    match Plan::live(object).hash {
        Some(now) if now != hash => Progress::Another(now),
        None if Standing::of(object).is_ready() => {
            let status = object.status.as_ref();
            let synced = status.and_then(|status| status.summary.clone());
            Progress::Synced(synced.unwrap_or_default())
        }
        Some(_) | None => Progress::Waiting,
    }
}

/// Waits until the plan is carried out; for a deleted object until it is gone.
async fn carried_out(
    reader: &Reader,
    object: &ProviderSecret,
    hash: &str,
    timeout: Duration,
) -> Answered {
    let (namespace, name) = namespaced_name(object);
    let resource = resource_name(&name);
    let wait = Wait::new(timeout);
    loop {
        let Some(found) = reader.awaited(object, wait).await? else {
            return Ok(Answer::done(format!("{resource} deleted\n")));
        };
        match progress(&found, hash) {
            Progress::Synced(synced) => {
                return Ok(Answer::done(format!("{resource} synced {synced}\n")));
            }
            Progress::Another(other) => {
                return Err(Refusal::failed(format!(
                    "something else would be done now: plan {other} waits, see kubectl provider-secrets plan {name} -n {namespace}"
                )));
            }
            Progress::Waiting => {
                if !wait.pause().await {
                    return Err(Refusal::timeout(format!(
                        "timed out waiting for {namespace}/{name}: see kubectl provider-secrets why {name} -n {namespace}"
                    )));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::tests::samples::{condition, object, provider};

    fn planned(approval: &str, plan: &Value, ready: &str) -> ProviderSecret {
        let spec = json!({"provider": provider("baseten", "baseten"), "approval": approval});
        let conditions = [condition("Ready", ready, "Synced", "m", 5)];
        object(
            "ml/o",
            spec,
            json!({"plan": plan, "conditions": conditions, "summary": "1/1"}),
        )
    }

    fn plan(hash: &str) -> Value {
        json!({"hash": hash, "create": 1, "update": 0, "delete": 0, "refuse": 0, "keep": 0, "calls": 1, "actions": []})
    }

    #[rstest]
    #[case(planned("Manual", &plan("one"), "False"), None, Ok("one"))]
    #[case(planned("ManualEveryChange", &plan("one"), "False"), Some("one"), Ok("one"))]
    #[case(planned("Manual", &plan("one"), "False"), Some("two"), Err("is another one now: one"))]
    #[case(planned("Manual", &Value::Null, "True"), None, Err("has no plan that waits"))]
    #[case(planned("Automatic", &plan("one"), "True"), None, Err("spec.approval is Automatic"))]
    fn what_can_be_approved(
        #[case] object: ProviderSecret,
        #[case] meant: Option<&str>,
        #[case] expected: Result<&str, &str>,
    ) {
        match (waiting(&object, &Plan::live(&object), meant), expected) {
            (Ok(hash), Ok(expected)) => assert_eq!(hash, expected),
            (Err(refusal), Err(part)) => assert!(refusal.text.contains(part), "{}", refusal.text),
            (said, _) => panic!("{said:?}"),
        }
    }

    #[rstest]
    #[case(planned("Manual", &plan("one"), "False"), Progress::Waiting)]
    #[case(planned("Manual", &plan("two"), "False"), Progress::Another("two".to_owned()))]
    #[case(planned("Manual", &Value::Null, "False"), Progress::Waiting)]
    #[case(planned("Manual", &Value::Null, "True"), Progress::Synced("1/1".to_owned()))]
    fn a_plan_is_carried_out_when_everything_is_synced(
        #[case] object: ProviderSecret,
        #[case] expected: Progress,
    ) {
        assert_eq!(progress(&object, "one"), expected);
    }
}
