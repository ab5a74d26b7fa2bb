//! What a run says: one line for each check, in our own words.

use std::fmt;

use provider_secrets::http::ProviderError;

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as the operator expects it.
    Ok,
    /// It is so, and of several ways that the operator can live with it is this one.
    Observed(String),
    /// The provider has nothing of the kind.
    NotOffered,
}

impl Verdict {
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

/// One check and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was checked.
    pub check: &'static str,
    /// What it came to.
    pub verdict: Result<Verdict, Failure>,
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = self.check;
        match &self.verdict {
            Ok(Verdict::Ok) => write!(formatter, "ok           {check}"),
            Ok(Verdict::Observed(what)) => write!(formatter, "ok           {check}: {what}"),
            Ok(Verdict::NotOffered) => write!(formatter, "not offered  {check}"),
            Err(failure) => write!(formatter, "FAILED       {check}: {failure}"),
        }
    }
}

/// All lines of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One for each check, in the order of the checks.
    pub lines: Vec<Line>,
}

impl Report {
    /// Whether no check failed.
    pub fn is_success(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The lines of checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.verdict.is_err())
    }

    /// What a check observed.
    pub fn observed(&self, check: &str) -> Option<&str> {
        let line = self.lines.iter().find(|line| line.check == check)?;
        match &line.verdict {
            Ok(Verdict::Observed(what)) => Some(what),
            _ => None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |is: fn(&Line) -> bool| self.lines.iter().filter(|line| is(line)).count();
        let failed = count(|line| line.verdict.is_err());
        let absent = count(|line| line.verdict == Ok(Verdict::NotOffered));
        let ok = self.lines.len() - failed - absent;
        write!(formatter, "{ok} ok, {failed} failed, {absent} not offered")
    }
}
