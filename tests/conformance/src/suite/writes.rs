//! Creating, changing and deleting.

use provider_secrets::{
    http::ErrorClass,
    provider::{Options, Provider, Remote},
};

use crate::{Failure, Outcome, Run};

/// A new name.
pub(super) async fn create(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("create")?;
    let name = sandbox.name("A");
    sandbox.expect(&name, 0).await?;
    let written = sandbox.write(&name, "one").await?;
    let shown = sandbox.only(&name).await?;
    sandbox.expect_value(&name, "one")?;
    if written.id.is_some() && written.id != shown.id {
        return Err(Failure::new("the write and the listing tell of two ids"));
    }
    Ok(Outcome::Ok)
}

/// Idempotence: what the operator does after an answer that it did not get.
pub(super) async fn again(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("again")?;
    let name = sandbox.name("A");
    sandbox.write(&name, "one").await?;
    let first = sandbox.only(&name).await?;
    sandbox.write(&name, "one").await?;
    let second = sandbox.only(&name).await?;
    sandbox.expect_value(&name, "one")?;
    expect_same_id(&first, &second)?;
    Ok(match (&first.version, &second.version) {
        (None, _) | (_, None) => Outcome::observed("there is no version"),
        (first, second) if first == second => Outcome::observed("the version stays"),
        _ => Outcome::observed("the version moves"),
    })
}

/// What a create of a name that exists does, where that is another call than a change of it. Any answer but
/// a silent change of nothing will do, because the operator lists before it creates.
pub(super) async fn second_create(run: &Run) -> Result<Outcome, Failure> {
    if !run.is_each() {
        return Ok(Outcome::NotOffered);
    }
    let sandbox = run.sandbox("second")?;
    let name = sandbox.name("A");
    sandbox.write(&name, "one").await?;
    let first = sandbox.only(&name).await?;
    let second = sandbox.send(&name, "two", &Options::default(), None).await;
    match second {
        Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {
            sandbox.expect(&name, 1).await?;
            sandbox.expect_value(&name, "one")?;
            Ok(Outcome::observed(format!("it {}", error.what())))
        }
        Err(error) => Err(error.into()),
        Ok(_) if run.creates() && sandbox.found(&name).await?.len() == 2 => {
            Ok(Outcome::observed("it makes a second secret"))
        }
        Ok(_) => {
            expect_same_id(&first, &sandbox.only(&name).await?)?;
            sandbox.expect_value(&name, "two")?;
            Ok(Outcome::observed("it changes the first"))
        }
    }
}

/// A rotation.
pub(super) async fn update(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("update")?;
    let name = sandbox.name("A");
    sandbox.write(&name, "one").await?;
    let first = sandbox.only(&name).await?;
    sandbox.write(&name, "two").await?;
    let second = sandbox.only(&name).await?;
    sandbox.expect_value(&name, "two")?;
    expect_same_id(&first, &second)?;
    Ok(Outcome::Ok)
}

/// A deletion takes one name and no other.
pub(super) async fn delete(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("delete")?;
    let (gone, stays) = (sandbox.name("A"), sandbox.name("AB"));
    write_both(&sandbox, &gone, &stays).await?;
    sandbox.delete(&gone).await?;
    sandbox.expect(&gone, 0).await?;
    sandbox.expect(&stays, 1).await?;
    sandbox.expect_value(&stays, "two")?;
    sandbox.delete(&stays).await?;
    sandbox.expect(&stays, 0).await?;
    Ok(Outcome::Ok)
}

/// A deletion that is made twice, because its answer was lost.
pub(super) async fn delete_missing(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("missing")?;
    let (gone, stays) = (sandbox.name("A"), sandbox.name("AB"));
    write_both(&sandbox, &gone, &stays).await?;
    let shown: Option<Remote> = if run.is_each() {
        Some(sandbox.only(&gone).await?)
    } else {
        None
    };
    sandbox.remove(&gone, shown.as_ref()).await?;
    sandbox.remove(&gone, shown.as_ref()).await?;
    if sandbox.provider.rules().deletes_by_name {
        sandbox.remove(&sandbox.name("NEVER"), None).await?;
    }
    sandbox.expect(&gone, 0).await?;
    sandbox.expect(&stays, 1).await?;
    Ok(Outcome::Ok)
}

/// Writes two names; both at once where one write is all of a set, because it may replace the set.
async fn write_both(
    sandbox: &super::sandbox::Sandbox<'_>,
    first: &str,
    second: &str,
) -> Result<(), Failure> {
    if sandbox.run.is_each() {
        sandbox.write(first, "one").await?;
        sandbox.write(second, "two").await?;
        return Ok(());
    }
    sandbox.write_set(&[(first, "one"), (second, "two")]).await
}

fn expect_same_id(first: &Remote, second: &Remote) -> Result<(), Failure> {
    if first.id == second.id {
        Ok(())
    } else {
        Err(Failure::new("the id is another one"))
    }
}
