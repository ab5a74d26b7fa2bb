//! Keys and scopes, right and wrong.

use provider_secrets::{
    http::ErrorClass,
    provider::{Options, Provider},
};

use crate::{Failure, Run, Verdict, run::patiently, target::With};

/// What every other check needs.
pub(super) async fn accepted(run: &Run) -> Result<Verdict, Failure> {
    run.place("accepted")?.listed().await?;
    Ok(Verdict::Ok)
}

/// A key that nobody has, for a read and for a write.
pub(super) async fn wrong_key(run: &Run) -> Result<Verdict, Failure> {
    let key = Run::wrong_key();
    let stranger = run.place_with(
        "stranger",
        &With {
            key: Some(&key),
            ..With::default()
        },
    )?;
    let name = stranger.name("A");
    let read = stranger.provider.list().await.map(drop);
    let write = stranger.send(&name, "one", &Options::default(), None).await;
    for outcome in [read, write.map(drop)] {
        match outcome {
            Err(error) if error.class == ErrorClass::Auth => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Err(Failure::new("the provider takes a key that nobody has")),
        }
    }
    run.place("stranger")?.expect(&name, 0).await?;
    Ok(Verdict::Ok)
}

/// A team or an organization that nobody has.
pub(super) async fn wrong_scope(run: &Run) -> Result<Verdict, Failure> {
    if !run.is_each() {
        return Ok(Verdict::NotOffered);
    }
    let nowhere = run.place_with(
        "nowhere",
        &With {
            scope: Some("provider-secrets-conformance-nowhere"),
            ..With::default()
        },
    )?;
    match patiently(|| nowhere.provider.list()).await {
        Err(error) if matches!(error.class, ErrorClass::Config | ErrorClass::Auth) => {
            Ok(Verdict::observed(format!("it {}", error.what())))
        }
        Err(error) => Err(error.into()),
        Ok(listed) if listed.remotes.is_empty() => Ok(Verdict::observed("it is empty")),
        Ok(_) => Err(Failure::new("a scope that nobody has holds secrets")),
    }
}

/// Two objects with two keys of one scope are kept apart by this.
pub(super) async fn scope(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("scope")?;
    let asked = patiently(|| place.provider.scope()).await?;
    let written = place.write(&place.name("A"), "one").await?.scope;
    let listed = patiently(|| place.provider.list()).await?.scope;
    let mut told: Vec<String> = [asked, written, listed].into_iter().flatten().collect();
    told.dedup();
    match told.len() {
        0 => Ok(Verdict::NotOffered),
        1 => Ok(Verdict::Ok),
        _ => Err(Failure::new("it is told in two ways")),
    }
}
