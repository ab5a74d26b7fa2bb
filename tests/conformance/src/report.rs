//! What a run says: one line for each check, in our own words.

use std::fmt;

use provider_secrets::http::ProviderError;

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as the operator expects it.
    Ok,
    /// It is so, and of several ways that the operator can live with it is this one.
    Observed(String),
    /// The provider has nothing of the kind.
    NotOffered,
}

impl Outcome {
    /// An observation.
    pub fn observed(what: impl Into<String>) -> Self {
        Self::Observed(what.into())
    }
}

/// Why a check failed, in our own words: never a text of a server, a value or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// Something is not as it should be.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self(format!("the provider {}", error.what()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One check and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// What was checked.
    pub check: &'static str,
    /// Its outcome.
    pub outcome: Result<Outcome, Failure>,
}

impl fmt::Display for CheckResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = self.check;
        match &self.outcome {
            Ok(Outcome::Ok) => write!(formatter, "ok           {check}"),
            Ok(Outcome::Observed(what)) => write!(formatter, "ok           {check}: {what}"),
            Ok(Outcome::NotOffered) => write!(formatter, "not offered  {check}"),
            Err(failure) => write!(formatter, "FAILED       {check}: {failure}"),
        }
    }
}

/// All results of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One for each check, in the order of the checks.
    pub results: Vec<CheckResult>,
}

impl Report {
    /// Whether no check failed.
    pub fn is_success(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The results of checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CheckResult> {
        self.results.iter().filter(|result| result.outcome.is_err())
    }

    /// What a check observed.
    pub fn observed(&self, check: &str) -> Option<&str> {
        let result = self.results.iter().find(|result| result.check == check)?;
        match &result.outcome {
            Ok(Outcome::Observed(what)) => Some(what),
            _ => None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count =
            |is: fn(&CheckResult) -> bool| self.results.iter().filter(|result| is(result)).count();
        let failed = count(|result| result.outcome.is_err());
        let absent = count(|result| result.outcome == Ok(Outcome::NotOffered));
        let ok = self.results.len() - failed - absent;
        write!(formatter, "{ok} ok, {failed} failed, {absent} not offered")
    }
}
