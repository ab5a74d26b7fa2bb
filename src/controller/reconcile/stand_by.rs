//! What becomes of an object that comes to a process that may not write.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use kube::{ResourceExt, runtime::controller::Action};

use super::begin;
use crate::{
    account::ObjectName,
    api::ProviderSecret,
    controller::{cache::Tracked, context::Context},
};

/// How soon a holder whose lease has run out looks again. It renews it, or ends.
const LAPSED_LEASE_RETRY: Duration = Duration::from_secs(1);

/// How the reconcile of an object ends that this process leaves alone; none if it leads. An object that
/// does not decode is news.
pub(crate) fn stand_by(
    context: &Context,
    name: &ObjectName,
    seen: Option<&Arc<ProviderSecret>>,
) -> Option<Action> {
    let leadership = &context.leadership;
    if leadership.is_held() {
        return None;
    }
    // A lease that ran out may be renewed by an answer that comes late. Then no process begins to lead, and
    // nothing but this would bring the object again.
    if leadership.term().is_some() {
        return Some(Action::requeue(LAPSED_LEASE_RETRY));
    }
    let has_news = match seen {
        // As in a reconcile, a panic would end the controller for every object.
        Some(seen) => {
            let look = AssertUnwindSafe(|| has_news(context, seen));
            catch_unwind(look).unwrap_or(true)
        }
        None => true,
    };
    context.news.note(name.clone(), has_news);
    // Unless it has begun to lead in the meantime.
    (!leadership.is_held()).then(Action::await_change)
}

/// Whether there is news of an object.
fn has_news(context: &Context, seen: &ProviderSecret) -> bool {
    let namespace = seen.namespace().unwrap_or_default();
    let names = seen.spec.secret_names();
    // It comes again when they are listed.
    if !context.is_listed() || !context.secrets.covers(&namespace, &names) {
        return false;
    }
    let current = |name: &str| context.secrets.get(&namespace, name);
    let uid = seen.uid().unwrap_or_default();
    let look = |tracked: &mut Tracked| begin::has_news(tracked, seen, current);
    context.states.with(&uid, look).unwrap_or_default()
}
