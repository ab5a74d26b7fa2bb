//! Creating, changing and deleting.

use provider_secrets::{
    http::ErrorClass,
    provider::{Options, Remote},
};

use crate::{Failure, Run, Verdict};

/// A new name.
pub(super) async fn create(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("create")?;
    let name = place.name("A");
    place.expect(&name, 0).await?;
    let written = place.write(&name, "one").await?;
    let shown = place.only(&name).await?;
    place.expect_value(&name, "one")?;
    if written.id.is_some() && written.id != shown.id {
        return Err(Failure::new("the write and the listing tell of two ids"));
    }
    Ok(Verdict::Ok)
}

/// Idempotence: what the operator does after an answer that it did not get.
pub(super) async fn again(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("again")?;
    let name = place.name("A");
    place.write(&name, "one").await?;
    let first = place.only(&name).await?;
    place.write(&name, "one").await?;
    let second = place.only(&name).await?;
    place.expect_value(&name, "one")?;
    expect_same_id(&first, &second)?;
    Ok(match (&first.version, &second.version) {
        (None, _) | (_, None) => Verdict::observed("there is no version"),
        (first, second) if first == second => Verdict::observed("the version stays"),
        _ => Verdict::observed("the version moves"),
    })
}

/// What a create of a name that exists does, where that is another call than a change of it. Any answer but
/// a silent change of nothing will do, because the operator lists before it creates.
pub(super) async fn second_create(run: &Run) -> Result<Verdict, Failure> {
    if !run.is_each() {
        return Ok(Verdict::NotOffered);
    }
    let place = run.place("second")?;
    let name = place.name("A");
    place.write(&name, "one").await?;
    let first = place.only(&name).await?;
    let second = place.send(&name, "two", &Options::default(), None).await;
    match second {
        Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {
            place.expect(&name, 1).await?;
            place.expect_value(&name, "one")?;
            Ok(Verdict::observed(format!("it {}", error.what())))
        }
        Err(error) => Err(error.into()),
        Ok(_) if run.creates() && place.found(&name).await?.len() == 2 => {
            Ok(Verdict::observed("it makes a second secret"))
        }
        Ok(_) => {
            expect_same_id(&first, &place.only(&name).await?)?;
            place.expect_value(&name, "two")?;
            Ok(Verdict::observed("it changes the first"))
        }
    }
}

/// A rotation.
pub(super) async fn update(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("update")?;
    let name = place.name("A");
    place.write(&name, "one").await?;
    let first = place.only(&name).await?;
    place.write(&name, "two").await?;
    let second = place.only(&name).await?;
    place.expect_value(&name, "two")?;
    expect_same_id(&first, &second)?;
    Ok(Verdict::Ok)
}

/// A deletion takes one name and no other.
pub(super) async fn delete(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("delete")?;
    let (gone, stays) = (place.name("A"), place.name("AB"));
    write_both(&place, &gone, &stays).await?;
    place.delete(&gone).await?;
    place.expect(&gone, 0).await?;
    place.expect(&stays, 1).await?;
    place.expect_value(&stays, "two")?;
    place.delete(&stays).await?;
    place.expect(&stays, 0).await?;
    Ok(Verdict::Ok)
}

/// A deletion that is made twice, because its answer was lost.
pub(super) async fn delete_missing(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("missing")?;
    let (gone, stays) = (place.name("A"), place.name("AB"));
    write_both(&place, &gone, &stays).await?;
    let shown: Option<Remote> = if run.is_each() {
        Some(place.only(&gone).await?)
    } else {
        None
    };
    place.remove(&gone, shown.as_ref()).await?;
    place.remove(&gone, shown.as_ref()).await?;
    place.remove(&place.name("NEVER"), None).await?;
    place.expect(&gone, 0).await?;
    place.expect(&stays, 1).await?;
    Ok(Verdict::Ok)
}

/// Writes two names; both at once where one write is all of a set, because it may replace the set.
async fn write_both(
    place: &super::place::Place<'_>,
    first: &str,
    second: &str,
) -> Result<(), Failure> {
    if place.run.is_each() {
        place.write(first, "one").await?;
        place.write(second, "two").await?;
        return Ok(());
    }
    place.write_set(&[(first, "one"), (second, "two")]).await
}

fn expect_same_id(first: &Remote, second: &Remote) -> Result<(), Failure> {
    if first.id == second.id {
        Ok(())
    } else {
        Err(Failure::new("the id is another one"))
    }
}
