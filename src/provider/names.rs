//! Names that a spec gives, which depend on the provider it has chosen.

use super::Choice;
use crate::api::{Entry, EntrySource, ImagePullSecret, ImagePullSource, ProviderSecretSpec};

impl ProviderSecretSpec {
    /// The image pull secret that the object named `object` writes instead of entries, behind the
    /// name of its set.
    pub fn image_pull_secret<'a>(
        &'a self,
        object: &'a str,
    ) -> Option<(&'a str, &'a ImagePullSecret)> {
        let choice = self.provider.choice()?;
        Some((choice.set_name(object)?, choice.image_pull_secret()?))
    }

    /// The names at the provider that the spec itself gives to the object named `object`, in the
    /// order of the spec. Those of bulk entries are not among them.
    pub fn explicit_names<'a>(&'a self, object: &'a str) -> Vec<&'a str> {
        match self.image_pull_secret(object) {
            Some((set, _)) => vec![set],
            None => self.entries().iter().map(|entry| &*entry.name).collect(),
        }
    }

    /// The names of every Secret that values come from; sorted, without repeats.
    pub fn source_names(&self) -> Vec<&str> {
        let choice = self.provider.choice();
        let image_pull = choice
            .and_then(Choice::image_pull_secret)
            .and_then(ImagePullSecret::source)
            .map(ImagePullSource::secret_name);
        let explicit = self.entries().iter().filter_map(Entry::source);
        let bulk = self.bulk_sources().iter();
        let mut names: Vec<&str> = explicit
            .map(EntrySource::secret_name)
            .chain(bulk.map(|source| source.secret_ref.name.as_str()))
            .chain(image_pull)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The names of every Secret that the object reads, the credential's too; sorted, without repeats.
    pub fn secret_names(&self) -> Vec<&str> {
        let mut names = self.source_names();
        let choice = self.provider.choice();
        names.extend(choice.map(|choice| choice.api_key_secret_ref().name.as_str()));
        names.sort_unstable();
        names.dedup();
        names
    }
}
