//! `rotated secret/NAME`: whether every entry that this Secret feeds is acknowledged in the version that it has now.

mod feed;

use std::{collections::BTreeMap, fmt::Write as _, process::ExitCode, time::Duration};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use self::feed::{Acknowledged, Feed};
use super::{
    answer::{Answer, Answered, Refusal, TIMEOUT},
    flags::{ClusterFlags, Format, OutputFlags, Scope, WaitFlags},
    output::{Cell, Table, Tone, structured},
    read::{Reader, on_cluster},
    say,
    view::{path_name, resource_name},
    wait::Wait,
};

/// How long an object may be at rest with an older version before a sync is requested of it, and between two
/// such requests: a change that leaves every value as it was is not written into status by itself.
const REST_BEFORE_SYNC: Duration = Duration::from_secs(2);
const SYNC_INTERVAL: Duration = Duration::from_secs(10);
/// What is said when the time is over and something is not acknowledged.
const NOT_YET: &str = "timed out waiting for what is not acknowledged";
/// What is said when the time is over and no look was answered.
const UNSEEN: &str = "timed out waiting: the API server did not answer in time";

/// The flags of `rotated`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The Secret, as secret/NAME or NAME
    #[arg(value_name = "secret/NAME")]
    secret: String,

    #[command(flatten)]
    cluster: ClusterFlags,

    #[command(flatten)]
    output: OutputFlags,

    #[command(flatten)]
    wait: WaitFlags,
}

/// What is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rotation {
    namespace: String,
    secret: String,
    /// The version that the Secret has now.
    resource_version: String,
    acknowledged: bool,
    objects: Vec<Feed>,
    besides: Vec<&'static str>,
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    on_cluster(&flags.cluster, async |reader| {
        let secret = secret_name(&flags.secret)?;
        let mut watch = Watch::new(&reader, secret);
        if flags.wait.wait {
            return acknowledged(&mut watch, &flags.output, flags.wait.timeout).await;
        }
        shown(&watch.look().await?, &flags.output)
    })
}

/// Waits until everything is acknowledged. When the time is over, it shows what it saw last: the end may cut a look.
async fn acknowledged(watch: &mut Watch<'_>, output: &OutputFlags, timeout: Duration) -> Answered {
    let wait = Wait::new(timeout);
    let mut last: Option<Rotation> = None;
    loop {
        let looked = match wait.bound(watch.look()).await {
            Some(Ok(rotation)) if rotation.acknowledged => return shown(&rotation, output),
            Some(Ok(rotation)) => {
                wait.bound(watch.request_sync(&rotation)).await;
                last = Some(rotation);
                if wait.pause().await {
                    continue;
                }
                Err(Refusal::timeout(NOT_YET))
            }
            Some(Err(refusal)) => wait.after(refusal).await,
            None if last.is_some() => Err(Refusal::timeout(NOT_YET)),
            None => Err(Refusal::timeout(UNSEEN)),
        };
        match (looked, &last) {
            (Err(late), Some(rotation)) if late.code == TIMEOUT => {
                let text = shown(rotation, output)?.text;
                say(&late.text);
                return Ok(Answer {
                    text,
                    code: TIMEOUT,
                });
            }
            (looked, _) => looked?,
        }
    }
}

/// The name in `secret/NAME`.
pub(super) fn secret_name(text: &str) -> Result<&str, Refusal> {
    match text.split_once('/') {
        None => path_name(text),
        Some(("secret" | "secrets", name)) if !name.is_empty() && !name.contains('/') => {
            path_name(name)
        }
        Some(_) => Err(Refusal::usage("want secret/NAME")),
    }
}

/// A Secret that is looked at again and again.
struct Watch<'a> {
    reader: &'a Reader,
    secret: &'a str,
    /// Whether the Secret was there.
    is_seen: bool,
    /// Since when an object has been at rest with an older version.
    resting: BTreeMap<String, Instant>,
    /// What could not be requested, which is said once.
    is_refused: bool,
}

impl<'a> Watch<'a> {
    fn new(reader: &'a Reader, secret: &'a str) -> Self {
        Self {
            reader,
            secret,
            is_seen: false,
            resting: BTreeMap::new(),
            is_refused: false,
        }
    }

    async fn look(&mut self) -> Result<Rotation, Refusal> {
        let namespace = &self.reader.namespace;
        let Some(found) = self.reader.find_secret(namespace, self.secret).await? else {
            let text = format!(
                "there is no Secret {} in namespace {namespace}",
                self.secret
            );
            return Err(Refusal {
                // It is replaced, perhaps: deleted, and made anew in a moment.
                is_transient: self.is_seen,
                ..Refusal::failed(text)
            });
        };
        self.is_seen = true;
        let version = found.version;
        let secret = self.secret;
        let scope = Scope::default();
        let found = self.reader.each(&scope, |object| {
            let feed = feed::of(&object, secret, &version);
            feed.or_else(|| feed::former(&object))
        });
        let objects: Vec<Feed> = found.await?.into_iter().flatten().collect();
        if self.reader.is_incomplete() {
            // It may take something from the Secret.
            let text = "whether everything is acknowledged is not known: an object could not be understood";
            return Err(Refusal::failed(text));
        }
        if objects.is_empty() {
            let text = format!(
                "no ProviderSecret in namespace {namespace} takes anything from Secret {secret}"
            );
            return Err(Refusal::failed(text));
        }
        Ok(Rotation {
            namespace: namespace.clone(),
            secret: secret.to_owned(),
            resource_version: version,
            acknowledged: objects.iter().all(Feed::is_acknowledged),
            besides: feed::besides(&objects),
            objects,
        })
    }

    /// Requests a sync of objects that are at rest with an older version: its answer names the version that was
    /// compared, also where no value has changed.
    async fn request_sync(&mut self, rotation: &Rotation) {
        let now = Instant::now();
        let is_resting = |feed: &&Feed| feed.acknowledged == Acknowledged::AtRest;
        let resting: Vec<&Feed> = rotation.objects.iter().filter(is_resting).collect();
        self.resting
            .retain(|object, _| resting.iter().any(|feed| feed.object == *object));
        for feed in resting {
            let object = &feed.object;
            let due = self
                .resting
                .entry(object.clone())
                .or_insert(now + REST_BEFORE_SYNC);
            if *due > now || self.is_refused {
                continue;
            }
            *due = now + SYNC_INTERVAL;
            if let Err(refusal) = self
                .reader
                .patch(
                    &self.reader.namespace,
                    object,
                    &feed.sync_patch(Timestamp::now()),
                )
                .await
                && !refusal.is_transient
            {
                self.is_refused = true;
                say(&format!(
                    "whether {object} has compared this version is told with its next change: {}",
                    refusal.text
                ));
            }
        }
    }
}

fn shown(rotation: &Rotation, output: &OutputFlags) -> Answered {
    let is_done = rotation.acknowledged;
    if let Some(text) = structured(rotation, output.output)? {
        return Ok(Answer::new(text, is_done));
    }
    if output.output == Format::Name {
        let names = rotation
            .objects
            .iter()
            .map(|feed| resource_name(&feed.object) + "\n");
        return Ok(Answer::new(names.collect(), is_done));
    }
    let mut table = Table::new([
        "OBJECT",
        "PROVIDER",
        "USE",
        "ACKNOWLEDGED",
        "ENTRIES",
        "NOT-YET",
    ]);
    for feed in &rotation.objects {
        let is_acknowledged = feed.is_acknowledged();
        let (word, tone) = if is_acknowledged {
            ("True", Tone::Good)
        } else {
            ("False", Tone::Bad)
        };
        table.row([
            feed.object.clone().into(),
            feed.provider.into(),
            feed.r#use.into(),
            Cell::toned(word, tone),
            feed.entries.join(",").into(),
            feed.pending.join(",").into(),
        ]);
    }
    let mut text = output.render(&table);
    for feed in rotation
        .objects
        .iter()
        .filter(|feed| !feed.is_acknowledged())
    {
        let _ = writeln!(text, "{}: {}", feed.object, feed.because);
    }
    let (secret, version) = (&rotation.secret, &rotation.resource_version);
    let sum = if is_done {
        format!(
            "Every entry that Secret {secret} feeds is acknowledged in version {version}: as far as storage goes the old value may be revoked.\n"
        )
    } else {
        format!(
            "Keep the old value: not every entry that Secret {secret} feeds is acknowledged in version {version}.\n"
        )
    };
    text.push_str(&sum);
    for besides in &rotation.besides {
        let _ = writeln!(text, "Besides: {besides}");
    }
    Ok(Answer::new(text, is_done))
}

#[cfg(test)]
mod tests;
