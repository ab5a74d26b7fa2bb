//! The rules of names.

use provider_secrets::{
    api::ProviderKind,
    http::ErrorClass,
    provider::{Options, Provider, Unit},
};

use crate::{Failure, Run, Verdict};

/// Longer than what any provider takes.
const TOO_LONG: usize = 300;
/// Characters that some provider takes and some other does not.
const CHARACTERS: [char; 9] = ['Z', 'a', '9', '_', '-', '.', ' ', '/', 'é'];

/// The longest name that the operator sends must be taken.
pub(super) async fn longest(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("longest")?;
    let check = place.provider.rules().check_name;
    let start = place.name("");
    let named = |length: usize| format!("{start}{}", "L".repeat(length));
    let longest = (0..TOO_LONG).map(named).rfind(|name| check(name).is_ok());
    let longest = longest.ok_or_else(|| Failure::new("no name is within the rules"))?;
    place.write(&longest, "one").await?;
    place.expect(&longest, 1).await?;
    place.delete(&longest).await?;
    place.expect(&longest, 0).await?;
    Ok(Verdict::Ok)
}

/// So must every character that the operator's rules permit.
pub(super) async fn alphabet(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("letters")?;
    let check = place.provider.rules().check_name;
    let permitted: String = CHARACTERS
        .iter()
        .filter(|character| check(&place.name(&character.to_string())).is_ok())
        .collect();
    let name = place.name(&format!("{permitted}Z"));
    place.write(&name, "one").await?;
    place.expect(&name, 1).await?;
    place.delete(&name).await?;
    place.expect(&name, 0).await?;
    Ok(Verdict::Ok)
}

/// What is beyond the rules is never sent by the operator. A provider that takes it has wider rules, which harms
/// nothing; one that refuses must do so with an answer that is understood as a refusal.
pub(super) async fn beyond(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("beyond")?;
    let check = place.provider.rules().check_name;
    let long = place.name(&"L".repeat(TOO_LONG));
    let tries = [
        place.name("a.b"),
        place.name("a b"),
        place.name("a-b"),
        long,
    ];
    let beyond: Vec<&String> = tries.iter().filter(|name| check(name).is_err()).collect();
    let mut taken = 0;
    for name in &beyond {
        match place.send(name, "one", &Options::default(), None).await {
            Ok(_) => taken += 1,
            Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if run.is_each() && taken > 0 {
        return Ok(Verdict::observed(format!(
            "{taken} of {} are taken, so the provider's rules are wider",
            beyond.len()
        )));
    }
    Ok(Verdict::observed("it is refused"))
}

/// Two names that Baseten takes for one.
pub(super) async fn fold(run: &Run) -> Result<Verdict, Failure> {
    if run.target.kind != ProviderKind::Baseten {
        return Ok(Verdict::NotOffered);
    }
    let place = run.place("fold")?;
    debug_assert_eq!(place.provider.rules().unit, Unit::Each);
    let (first, second) = (place.name("A-B"), place.name("A_B"));
    place.write(&first, "one").await?;
    place.write(&second, "two").await?;
    let shown = place.only(&first).await?;
    place.delete(&first).await?;
    place.expect(&second, 0).await?;
    Ok(Verdict::observed(if shown.name == first {
        "the first spelling stays"
    } else {
        "the last spelling is shown"
    }))
}
