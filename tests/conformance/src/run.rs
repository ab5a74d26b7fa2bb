//! One run of the suite against one account.

use std::{fmt, time::Duration};

use provider_secrets::{
    http::{ApiClient, ErrorClass, ProviderError},
    provider::{DeleteRequest, ListingNeed, Provider, Remote, Unit, rules},
};
use secrecy::SecretString;
use tokio::time::sleep;

use crate::{
    CheckResult, Failure, Guarded, Outcome, Report, Target, names,
    suite::{self, sandbox::Sandbox},
    target::With,
};

/// Reads a value back, where something other than the provider can: name, and set at Pipecat. No provider gives
/// values back, so this is how the run against the simulator sees more than the run against the service.
pub type Eye = Box<dyn Fn(&str, &str) -> Option<String> + Send + Sync>;

/// How often a call is tried that the provider asks to make later, or fails for a reason that passes.
const TRIES: u32 = 8;
/// The first wait between two tries, doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// How often something is looked at that may take its time to show, and the wait between.
pub(crate) const LOOKS: u32 = 30;
/// The wait between two looks.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// One run. Make it, let it [`Run::check`], and always let it [`Run::clean`].
pub struct Run {
    pub(crate) target: Target,
    pub(crate) eye: Option<Eye>,
    tag: String,
}

impl Run {
    /// A run against `target`.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            eye: None,
            tag: names::tag(),
        }
    }

    /// Lets the run see values.
    #[must_use]
    pub fn with_eye(mut self, eye: Eye) -> Self {
        self.eye = Some(eye);
        self
    }

    /// Makes every check, telling of each as it ends.
    pub async fn check(&self, mut tell: impl FnMut(&CheckResult)) -> Report {
        let mut report = Report::default();
        for check in suite::CHECKS {
            let line = CheckResult {
                check: check.what,
                outcome: (check.run)(self).await,
            };
            tell(&line);
            report.results.push(line);
        }
        report
    }

    /// Deletes what this run made, whatever became of its checks; the last line of a report.
    pub async fn clean(&self) -> CheckResult {
        CheckResult {
            check: "everything that was made is deleted again",
            outcome: self.delete_all().await,
        }
    }

    async fn delete_all(&self) -> Result<Outcome, Failure> {
        let all = self.target.connect(&With {
            set: &self.set("clean"),
            ..With::default()
        })?;
        let mine = [self.name(""), self.set("")];
        let is_mine = |remote: &Remote| mine.iter().any(|prefix| remote.name.starts_with(prefix));
        // Twice, because a listing may have been too old to show all.
        for _ in 0..LOOKS {
            let listed = patiently(|| all.list()).await?.remotes;
            let left: Vec<&Remote> = listed.iter().filter(|remote| is_mine(remote)).collect();
            if left.is_empty() {
                let others = listed.iter().any(|remote| names::is_ours(&remote.name));
                return Ok(if others {
                    Outcome::observed("yet there are some of another run that was cut short")
                } else {
                    Outcome::Ok
                });
            }
            for remote in left {
                self.delete(&all, remote).await?;
            }
            sleep(LOOK / 4).await;
        }
        Err(Failure::new("some are still listed"))
    }

    async fn delete(&self, all: &Guarded, remote: &Remote) -> Result<(), Failure> {
        if all.rules().unit == Unit::Set {
            let set = self.target.connect(&With {
                set: &remote.name,
                ..With::default()
            })?;
            patiently(|| set.delete_set()).await?;
            return Ok(());
        }
        let removal = DeleteRequest {
            name: &remote.name,
            id: remote.id.as_deref(),
            shown: Some(remote),
        };
        patiently(|| all.delete(&removal)).await?;
        Ok(())
    }

    /// The name of a secret of this run.
    pub(crate) fn name(&self, suffix: &str) -> String {
        format!("{}{}_{suffix}", names::PREFIX, self.tag.to_uppercase())
    }

    /// The name of a set of this run.
    pub(crate) fn set(&self, suffix: &str) -> String {
        format!("{}{}-{suffix}", names::SET_PREFIX, self.tag)
    }

    /// Where one check works: a set of its own at Pipecat, names of its own elsewhere.
    pub(crate) fn sandbox(&self, check: &str) -> Result<Sandbox<'_>, Failure> {
        self.sandbox_with(check, &With::default())
    }

    /// As [`Run::sandbox`], with a key, a scope or a region of its own.
    pub(crate) fn sandbox_with(
        &self,
        check: &str,
        with: &With<'_>,
    ) -> Result<Sandbox<'_>, Failure> {
        let set = self.set(check);
        let provider = self.target.connect(&With {
            set: &set,
            key: with.key,
            scope: with.scope,
            region: with.region,
        })?;
        Ok(Sandbox {
            run: self,
            provider,
            check: check.to_uppercase().replace('-', "_"),
            set,
        })
    }

    /// The way to the provider without a `Provider` on it.
    pub(crate) fn session(&self) -> Result<ApiClient, Failure> {
        self.target.session(&self.target.key)
    }

    /// Whether one write changes one entry.
    pub(crate) fn is_each(&self) -> bool {
        rules(self.target.kind).unit == Unit::Each
    }

    /// Whether a create of a name that exists is another call than a change of it.
    pub(crate) fn creates(&self) -> bool {
        rules(self.target.kind).listing == ListingNeed::Create
    }

    /// A key that no account has.
    pub(crate) fn wrong_key() -> SecretString {
        "provider-secrets-conformance-no-key".into()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Run")
    }
}

/// Makes a call again while the provider asks to come later, or fails for a reason that passes. An outcome that is
/// not known is not tried again: what it left behind would look like the fault of the next call.
pub(crate) async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match call().await {
            Err(error) if matches!(error.class, ErrorClass::Throttled | ErrorClass::Transient) => {
                sleep(error.retry_after.unwrap_or(wait)).await;
                wait *= 2;
            }
            outcome => return outcome,
        }
    }
    call().await
}
