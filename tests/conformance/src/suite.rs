//! The checks, written once for all providers.

mod names;
mod options;
mod pages;
mod refusals;
pub(crate) mod sandbox;
mod sets;
mod values;
mod writes;

use std::pin::Pin;

use crate::{Failure, Outcome, Run};

/// One check.
pub(crate) struct Check {
    /// What it checks, as its line says it.
    pub(crate) what: &'static str,
    /// The check.
    pub(crate) run: for<'a> fn(&'a Run) -> CheckFuture<'a>,
}

/// A running check.
type CheckFuture<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + Send + 'a>>;

macro_rules! checks {
    ($($what:literal => $check:path,)*) => {
        [$(Check { what: $what, run: |run| Box::pin($check(run)) }),*]
    };
}

/// All of them. Each works under names of its own, so that none depends on another.
pub(crate) const CHECKS: [Check; 28] = checks! {
    "the key is accepted" => refusals::accepted,
    "a wrong key is refused as one" => refusals::wrong_key,
    "a scope that does not exist is refused" => refusals::wrong_scope,
    "whose secrets these are is told alike everywhere" => refusals::scope,
    "a new name is created and listed" => writes::create,
    "the same write again leaves one secret" => writes::again,
    "a second create of a name" => writes::second_create,
    "a changed value stays under the same id" => writes::update,
    "a deleted name is gone and the others stay" => writes::delete,
    "what is not there counts as deleted" => writes::delete_missing,
    "the list has every page" => pages::list,
    "a name of the longest length is taken" => names::longest,
    "a name of every permitted character is taken" => names::alphabet,
    "a name beyond the rules" => names::beyond,
    "two names that fold together" => names::fold,
    "values of every kind arrive" => values::kinds,
    "a value of 64 KiB arrives" => values::large,
    "an empty value" => values::empty,
    "a file is a file, up to its limit" => values::file,
    "managed options are taken" => options::managed,
    "a set names its keys" => sets::members,
    "keys that a write does not name" => sets::unnamed_keys,
    "a key is deleted, and in the end the last" => sets::delete_keys,
    "a set is deleted" => sets::delete_set,
    "a write of a set settles" => sets::settles,
    "a set stays in its region" => sets::region,
    "an image pull secret is seen and left alone" => sets::image_pull,
    "an image pull secret is written again" => sets::image_pull_update,
};
