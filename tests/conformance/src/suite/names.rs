//! The rules of names.

use provider_secrets::{
    http::ErrorClass,
    provider::{Options, Provider, Unit},
};

use crate::{Failure, Outcome, Run};

/// Longer than what any provider takes.
const TOO_LONG: usize = 300;
/// Characters that some provider takes and some other does not.
const CHARACTERS: [char; 9] = ['Z', 'a', '9', '_', '-', '.', ' ', '/', 'é'];

/// Pairs of names that some provider takes for one.
const ALIKE: [[&str; 2]; 2] = [["A-B", "A_B"], ["AB", "Ab"]];

/// The longest name that the operator sends must be taken.
pub(super) async fn longest(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("longest")?;
    let check = sandbox.provider.rules().check_name;
    let start = sandbox.name("");
    let named = |length: usize| format!("{start}{}", "L".repeat(length));
    let longest = (0..TOO_LONG).map(named).rfind(|name| check(name).is_ok());
    let longest = longest.ok_or_else(|| Failure::new("no name is within the rules"))?;
    sandbox.write(&longest, "one").await?;
    sandbox.expect(&longest, 1).await?;
    sandbox.delete(&longest).await?;
    sandbox.expect(&longest, 0).await?;
    Ok(Outcome::Ok)
}

/// So must every character that the operator's rules permit.
pub(super) async fn alphabet(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("letters")?;
    let check = sandbox.provider.rules().check_name;
    let permitted: String = CHARACTERS
        .iter()
        .filter(|character| check(&sandbox.name(&character.to_string())).is_ok())
        .collect();
    let name = sandbox.name(&format!("{permitted}Z"));
    sandbox.write(&name, "one").await?;
    sandbox.expect(&name, 1).await?;
    sandbox.delete(&name).await?;
    sandbox.expect(&name, 0).await?;
    Ok(Outcome::Ok)
}

/// What is beyond the rules is never sent by the operator. A provider that takes it has wider rules, which harms
/// nothing; one that refuses must do so with an answer that is understood as a refusal.
pub(super) async fn beyond(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("beyond")?;
    let check = sandbox.provider.rules().check_name;
    let long = sandbox.name(&"L".repeat(TOO_LONG));
    let tries = [
        sandbox.name("a.b"),
        sandbox.name("a b"),
        sandbox.name("a-b"),
        long,
    ];
    let beyond: Vec<&String> = tries.iter().filter(|name| check(name).is_err()).collect();
    let mut taken = 0;
    for name in &beyond {
        match sandbox.send(name, "one", &Options::default(), None).await {
            Ok(_) => taken += 1,
            Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if run.is_each() && taken > 0 {
        return Ok(Outcome::observed(format!(
            "{taken} of {} are taken, so the provider's rules are wider",
            beyond.len()
        )));
    }
    Ok(Outcome::observed("it is refused"))
}

/// Two names that the operator takes for one.
pub(super) async fn fold(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("fold")?;
    let rules = sandbox.provider.rules();
    let names = ALIKE.map(|pair| pair.map(|name| sandbox.name(name)));
    let is_one = |[first, second]: &[String; 2]| {
        (rules.check_name)(second).is_ok() && (rules.fold)(first) == (rules.fold)(second)
    };
    let Some([first, second]) = names.into_iter().find(is_one) else {
        return Ok(Outcome::NotOffered);
    };
    debug_assert_eq!(rules.unit, Unit::Each);
    sandbox.write(&first, "one").await?;
    sandbox.write(&second, "two").await?;
    let shown = sandbox.only(&first).await?;
    sandbox.delete(&first).await?;
    sandbox.expect(&second, 0).await?;
    Ok(Outcome::observed(if shown.name == first {
        "the first spelling stays"
    } else {
        "the last spelling is shown"
    }))
}
