//! Keys and scopes, right and wrong.

use provider_secrets::{
    http::ErrorClass,
    provider::{Options, Provider},
};

use crate::{Failure, Outcome, Run, run::patiently, target::With, vendors::Vendor};

/// What every other check needs.
pub(super) async fn accepted(run: &Run) -> Result<Outcome, Failure> {
    run.sandbox("accepted")?.listed().await?;
    Ok(Outcome::Ok)
}

/// A key of no account, for a read and for a write.
pub(super) async fn wrong_key(run: &Run) -> Result<Outcome, Failure> {
    let key = Run::wrong_key();
    let stranger = run.sandbox_with(
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
            Ok(()) => return Err(Failure::new("the provider takes a key of no account")),
        }
    }
    run.sandbox("stranger")?.expect(&name, 0).await?;
    Ok(Outcome::Ok)
}

/// A team or an organization of no account.
pub(super) async fn wrong_scope(run: &Run) -> Result<Outcome, Failure> {
    if Vendor::of(run.target.kind).scope_field.is_none() {
        return Ok(Outcome::NotOffered);
    }
    let nowhere = run.sandbox_with(
        "nowhere",
        &With {
            scope: Some("provider-secrets-conformance-nowhere"),
            ..With::default()
        },
    )?;
    match patiently(|| nowhere.provider.list()).await {
        Err(error) if matches!(error.class, ErrorClass::Config | ErrorClass::Auth) => {
            Ok(Outcome::observed(format!("it {}", error.what())))
        }
        Err(error) => Err(error.into()),
        Ok(listed) if listed.remotes.is_empty() => Ok(Outcome::observed("it is empty")),
        Ok(_) => Err(Failure::new("a scope of no account holds secrets")),
    }
}

/// Two objects with two keys of one scope are kept apart by this.
pub(super) async fn scope(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("scope")?;
    let asked = patiently(|| sandbox.provider.scope()).await?;
    let written = sandbox.write(&sandbox.name("A"), "one").await?.scope;
    let listed = patiently(|| sandbox.provider.list()).await?.scope;
    let mut scopes: Vec<String> = [asked, written, listed].into_iter().flatten().collect();
    scopes.dedup();
    match scopes.len() {
        0 => Ok(Outcome::NotOffered),
        1 => Ok(Outcome::Ok),
        _ => Err(Failure::new("the scopes differ")),
    }
}
