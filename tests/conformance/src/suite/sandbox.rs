//! Where one check writes, and what it sees there.

use provider_secrets::{
    http::ProviderError,
    provider::{DeleteRequest, Options, Provider, Remote, Settled, Write, Written},
};
use secrecy::SecretString;
use tokio::time::sleep;

use crate::{
    Failure, Guarded, Run,
    run::{LOOK, LOOKS, patiently},
};

/// Names and, at Pipecat, a set that only one check of one run uses.
pub(crate) struct Sandbox<'a> {
    pub(crate) run: &'a Run,
    pub(crate) provider: Guarded,
    pub(crate) check: String,
    pub(crate) set: String,
}

impl Sandbox<'_> {
    /// A name of this check.
    pub(crate) fn name(&self, suffix: &str) -> String {
        self.run.name(&format!("{}_{suffix}", self.check))
    }

    /// Writes as the operator would: with the id of what is there, and until the provider is done with it.
    pub(crate) async fn write(&self, name: &str, value: &str) -> Result<Written, Failure> {
        self.write_with(name, value, &Options::default()).await
    }

    /// As [`Sandbox::write`], with managed options.
    pub(crate) async fn write_with(
        &self,
        name: &str,
        value: &str,
        options: &Options,
    ) -> Result<Written, Failure> {
        if !self.run.is_each() {
            self.write_set(&[(name, value)]).await?;
            return Ok(Written::default());
        }
        let there = self.found(name).await?;
        let id = there.first().and_then(|remote| remote.id.as_deref());
        Ok(self.send(name, value, options, id).await?)
    }

    /// Writes several keys of a set at once, until the provider is done with them.
    pub(crate) async fn write_set(&self, pairs: &[(&str, &str)]) -> Result<(), Failure> {
        self.send_set(pairs).await?;
        for _ in 0..LOOKS {
            match patiently(|| self.provider.settled()).await? {
                Settled::Ready => return Ok(()),
                Settled::Pending | Settled::Absent => sleep(LOOK).await,
                // One that failed is sent again, as the operator does.
                Settled::Failed => {
                    self.send_set(pairs).await?;
                }
            }
        }
        Err(Failure::new("the set was not ready in time"))
    }

    /// One write of several keys.
    pub(crate) async fn send_set(&self, pairs: &[(&str, &str)]) -> Result<Written, ProviderError> {
        let options = Options::default();
        let values: Vec<SecretString> = pairs
            .iter()
            .map(|(_, value)| SecretString::from(*value))
            .collect();
        let entries: Vec<Write<'_>> = pairs
            .iter()
            .zip(&values)
            .map(|((name, _), value)| Write {
                name,
                value,
                options: &options,
                id: None,
                region: None,
            })
            .collect();
        patiently(|| self.provider.write(&entries)).await
    }

    /// One write, with the id that is given and no other.
    pub(crate) async fn send(
        &self,
        name: &str,
        value: &str,
        options: &Options,
        id: Option<&str>,
    ) -> Result<Written, ProviderError> {
        let value = SecretString::from(value);
        let entries = [Write {
            name,
            value: &value,
            options,
            id,
            region: None,
        }];
        patiently(|| self.provider.write(&entries)).await
    }

    /// Everything that is listed.
    pub(crate) async fn listed(&self) -> Result<Vec<Remote>, Failure> {
        Ok(patiently(|| self.provider.list()).await?.remotes)
    }

    /// What the listing shows under a name, in any spelling that is the same to the provider.
    pub(crate) async fn found(&self, name: &str) -> Result<Vec<Remote>, Failure> {
        let fold = self.provider.rules().fold;
        let expected = fold(self.provider.listed_name(name));
        let mut listed = self.listed().await?;
        listed.retain(|remote| fold(&remote.name) == expected);
        Ok(listed)
    }

    /// How many there are of a name: secrets, or keys of the set.
    async fn count(&self, name: &str) -> Result<usize, Failure> {
        if self.run.is_each() {
            return Ok(self.found(name).await?.len());
        }
        let keys = patiently(|| self.provider.set_keys()).await?;
        let keys = keys.into_shown();
        Ok(keys.iter().filter(|key| *key == name).count())
    }

    /// Looks until there are so many of a name: a listing may come late.
    pub(crate) async fn expect(&self, name: &str, expected: usize) -> Result<(), Failure> {
        let mut count = 0;
        for _ in 0..LOOKS {
            count = self.count(name).await?;
            if count == expected {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(Failure::new(format!(
            "there are {count} of the name where {expected} were expected"
        )))
    }

    /// The only one of a name.
    pub(crate) async fn only(&self, name: &str) -> Result<Remote, Failure> {
        self.expect(name, 1).await?;
        let found = self.found(name).await?.into_iter().next();
        found.ok_or_else(|| Failure::new("what was listed is listed no more"))
    }

    /// The set of this check, as the listing shows it.
    pub(crate) async fn only_set(&self) -> Result<Remote, Failure> {
        for _ in 0..LOOKS {
            if let [only] = self.found("").await?.as_slice() {
                return Ok(only.clone());
            }
            sleep(LOOK).await;
        }
        Err(Failure::new("the set is not listed"))
    }

    /// Compares what arrived, where the run can see it.
    pub(crate) fn expect_value(&self, name: &str, value: &str) -> Result<(), Failure> {
        let Some(eye) = &self.run.eye else {
            return Ok(());
        };
        if eye(name, &self.set).as_deref() == Some(value) {
            Ok(())
        } else {
            Err(Failure::new("another value arrived than was sent"))
        }
    }

    /// Deletes a name as the operator would: knowing what the listing shows.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Failure> {
        let shown = self.found(name).await?;
        let shown = if self.run.is_each() {
            shown.first()
        } else {
            None
        };
        self.remove(name, shown).await
    }

    /// Deletes what a listing showed.
    pub(crate) async fn remove(&self, name: &str, shown: Option<&Remote>) -> Result<(), Failure> {
        let removal = DeleteRequest {
            name,
            id: shown.and_then(|remote| remote.id.as_deref()),
            shown,
        };
        patiently(|| self.provider.delete(&removal)).await?;
        Ok(())
    }
}
