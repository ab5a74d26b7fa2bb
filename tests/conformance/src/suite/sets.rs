//! Sets, which only Pipecat has.

use http::{Method, StatusCode};
use provider_secrets::{
    api::Reason,
    http::{ApiClient, Body, Call, ErrorClass, ProviderError},
    provider::{Form, Provider, SetKeys, Settled},
};
use serde_json::json;

use crate::{Failure, Outcome, Run, run::patiently, target::With};

/// Regions of Pipecat; what counts is that there are two.
const REGIONS: [&str; 2] = ["us-west", "us-east"];

/// None before there is a set, and then the names that were written.
pub(super) async fn members(run: &Run) -> Result<Outcome, Failure> {
    if run.is_each() {
        return Ok(Outcome::NotOffered);
    }
    let sandbox = run.sandbox("members")?;
    if patiently(|| sandbox.provider.set_keys()).await? != SetKeys::NoSet {
        return Err(Failure::new("a set that was not made has keys"));
    }
    let (first, second) = (sandbox.name("A"), sandbox.name("B"));
    sandbox
        .write_set(&[(&first, "one"), (&second, "two")])
        .await?;
    let keys = patiently(|| sandbox.provider.set_keys()).await?;
    let mut keys = keys.into_shown();
    keys.sort();
    sandbox.expect_value(&second, "two")?;
    if keys == [first, second] {
        Ok(Outcome::Ok)
    } else {
        Err(Failure::new("the set has other keys than were written"))
    }
}

/// The documents do not say, so the operator always sends all.
pub(super) async fn unnamed_keys(run: &Run) -> Result<Outcome, Failure> {
    if run.is_each() {
        return Ok(Outcome::NotOffered);
    }
    let sandbox = run.sandbox("unnamed")?;
    let (first, second) = (sandbox.name("A"), sandbox.name("B"));
    sandbox
        .write_set(&[(&first, "one"), (&second, "two")])
        .await?;
    sandbox.write_set(&[(&second, "three")]).await?;
    sandbox.expect_value(&second, "three")?;
    let keys = patiently(|| sandbox.provider.set_keys()).await?;
    match keys.into_shown().len() {
        1 => Ok(Outcome::observed("they are removed")),
        2 => Ok(Outcome::observed("they stay")),
        _ => Err(Failure::new("the set has keys that were not written")),
    }
}

/// One key, then the last.
pub(super) async fn delete_keys(run: &Run) -> Result<Outcome, Failure> {
    if run.is_each() {
        return Ok(Outcome::NotOffered);
    }
    let sandbox = run.sandbox("keys")?;
    let (first, second) = (sandbox.name("A"), sandbox.name("B"));
    sandbox
        .write_set(&[(&first, "one"), (&second, "two")])
        .await?;
    sandbox.remove(&first, None).await?;
    sandbox.expect(&first, 0).await?;
    sandbox.expect(&second, 1).await?;
    sandbox.remove(&second, None).await?;
    sandbox.expect(&second, 0).await?;
    let left = patiently(|| sandbox.provider.set_keys()).await?;
    Ok(Outcome::observed(match left {
        SetKeys::NoSet => "the set goes with it",
        _ => "the empty set stays",
    }))
}

/// A set, and again.
pub(super) async fn delete_set(run: &Run) -> Result<Outcome, Failure> {
    if run.is_each() {
        return Ok(Outcome::NotOffered);
    }
    let sandbox = run.sandbox("set")?;
    let name = sandbox.name("A");
    sandbox.write(&name, "one").await?;
    for _ in 0..2 {
        patiently(|| sandbox.provider.delete_set()).await?;
        sandbox.expect(&name, 0).await?;
        if patiently(|| sandbox.provider.set_keys()).await? != SetKeys::NoSet {
            return Err(Failure::new("a set that was deleted is there"));
        }
    }
    if sandbox.found(&name).await?.is_empty() {
        Ok(Outcome::Ok)
    } else {
        Err(Failure::new("a set that was deleted is listed"))
    }
}

/// From not ready to ready.
pub(super) async fn settles(run: &Run) -> Result<Outcome, Failure> {
    if run.is_each() {
        return Ok(Outcome::NotOffered);
    }
    let sandbox = run.sandbox("settles")?;
    let name = sandbox.name("A");
    if patiently(|| sandbox.provider.settled()).await? != Settled::Absent {
        return Err(Failure::new("a set that was not made is there"));
    }
    sandbox.send_set(&[(&name, "one")]).await?;
    let at_first = patiently(|| sandbox.provider.settled()).await?;
    sandbox.write(&name, "two").await?;
    Ok(Outcome::observed(match at_first {
        Settled::Ready => "it is ready at once",
        Settled::Pending => "it is pending at first",
        Settled::Absent => "it is not shown at first",
        Settled::Failed => "it failed and was sent again",
    }))
}

/// A set is in one region; a write that names another changes nothing.
pub(super) async fn region(run: &Run) -> Result<Outcome, Failure> {
    if run.is_each() {
        return Ok(Outcome::NotOffered);
    }
    let sandbox = run.sandbox("region")?;
    let name = sandbox.name("A");
    sandbox.write(&name, "one").await?;
    let Some(shown) = sandbox.only_set().await?.region else {
        return Ok(Outcome::NotOffered);
    };
    let same = run.sandbox_with(
        "region",
        &With {
            region: Some(&shown),
            ..With::default()
        },
    )?;
    same.write(&name, "two").await?;
    let other = REGIONS.iter().find(|region| **region != shown).copied();
    let elsewhere = run.sandbox_with(
        "region",
        &With {
            region: other,
            ..With::default()
        },
    )?;
    match elsewhere.send_set(&[(&name, "three")]).await {
        Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(Failure::new("a set was written in two regions")),
    }
    sandbox.expect_value(&name, "two")?;
    Ok(Outcome::Ok)
}

/// Writes an image pull secret by hand; the name is this run's own.
async fn put_image_pull(session: &ApiClient, set: &str, host: &str) -> Result<(), ProviderError> {
    let body = json!({
        "isImagePullSecret": true,
        "host": host,
        "secretValue": "bm9ib2R5Om5vdGhpbmc=",
    });
    let path = ["v1", "secrets", set];
    patiently(|| async {
        let call = Call {
            operation: "upsert",
            method: Method::PUT,
            path: &path,
            body: Some(Body::json(&body)?),
            ..Call::default()
        };
        match session.call(call).await {
            // A set may be busy while it is pending.
            Err(error) if error.is(StatusCode::CONFLICT) => {
                Err(error.with(ErrorClass::Transient, Reason::ProviderUnavailable))
            }
            answer => answer.map(drop),
        }
    })
    .await
}

/// A second write of an image pull secret, which older servers refuse.
pub(super) async fn image_pull_update(run: &Run) -> Result<Outcome, Failure> {
    if run.is_each() {
        return Ok(Outcome::NotOffered);
    }
    let sandbox = run.sandbox("pull-again")?;
    let session = run.session()?;
    put_image_pull(&session, &sandbox.set, "https://registry.example.com").await?;
    let again = put_image_pull(&session, &sandbox.set, "https://other.example.com").await;
    let observed = match again {
        Ok(()) => "it is updated",
        Err(error) if error.is(StatusCode::BAD_REQUEST) => "it answered 400",
        Err(error) => return Err(error.into()),
    };
    if sandbox.only_set().await?.form != Some(Form::ImagePull) {
        return Err(Failure::new("it is shown as a set of keys"));
    }
    patiently(|| sandbox.provider.delete_set()).await?;
    Ok(Outcome::observed(observed))
}

/// An image pull secret of the name is shown as one, has no keys to read, and takes none.
pub(super) async fn image_pull(run: &Run) -> Result<Outcome, Failure> {
    if run.is_each() {
        return Ok(Outcome::NotOffered);
    }
    let sandbox = run.sandbox("pull")?;
    put_image_pull(
        &run.session()?,
        &sandbox.set,
        "https://registry.example.com",
    )
    .await?;
    if sandbox.only_set().await?.form != Some(Form::ImagePull) {
        return Err(Failure::new("it is shown as a set of keys"));
    }
    let read = patiently(|| sandbox.provider.set_keys()).await.map(drop);
    let write = sandbox.send_set(&[(&sandbox.name("A"), "one")]).await;
    for outcome in [read, write.map(drop)] {
        match outcome {
            Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Err(Failure::new("it is taken for a set of keys")),
        }
    }
    patiently(|| sandbox.provider.delete_set()).await?;
    if sandbox.found("").await?.is_empty() {
        Ok(Outcome::Ok)
    } else {
        Err(Failure::new("one that was deleted is listed"))
    }
}
