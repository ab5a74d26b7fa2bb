//! Three sentences and a command: what is wrong and since when, what the operator does next, what the reader should do.

mod operator;

use serde::Serialize;

use super::cause::{Cause, Facts};
use crate::{
    api::Reason,
    cli::{
        output::{age::age, some},
        reasons::{self, HELD_BY_OTHERS, UNAPPROVED_DELETION, plain, prospect},
        view::{Standing, conditions, namespaced_name, was_written},
    },
};

/// What `why` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explanation {
    namespace: String,
    pub(super) name: String,
    pub(super) ready: bool,
    /// A stable word for the cause: a reason, or one of those that no condition has.
    pub(super) cause: String,
    /// What is wrong, since when, and who waits for whom.
    pub(super) what: String,
    /// What the operator does next, and when.
    pub(super) next: String,
    /// What the reader should do.
    pub(super) advice: String,
    /// The next command.
    pub(super) command: String,
}

impl Explanation {
    pub(super) fn text(&self) -> String {
        let Self {
            what,
            next,
            advice,
            command,
            ..
        } = self;
        format!("{what}\n{next}\n{advice}\nNext: {command}\n")
    }

    pub(super) fn of(facts: &Facts, cause: &Cause) -> Self {
        let (namespace, name) = namespaced_name(&facts.object);
        let standing = Standing::of(&facts.object);
        let said = Words::new(facts).of(cause);
        Self {
            ready: standing.is_ready(),
            cause: word(cause),
            what: said.what,
            next: said.next,
            advice: said.advice,
            command: said.command,
            namespace,
            name,
        }
    }
}

struct Said {
    what: String,
    next: String,
    advice: String,
    command: String,
}

/// The stable word of a cause.
fn word(cause: &Cause) -> String {
    match cause {
        Cause::Nothing => "Ready",
        Cause::Idle(cause) => return word(cause),
        Cause::NotEstablished => "DefinitionNotEstablished",
        Cause::NoOperator => "NoOperator",
        Cause::ScaledDown(_) => "OperatorScaledDown",
        Cause::Down(..) => "OperatorDown",
        Cause::LeaseExpired(_) => "LeaseExpired",
        Cause::LeaseFree(_) => "NoLeader",
        Cause::NotWatched(_) => "NamespaceNotWatched",
        Cause::Denied(..) => "OperatorForbidden",
        Cause::OldDefinition(_) | Cause::Outdated(_) => "DefinitionOld",
        Cause::Unobserved => "NotObserved",
        Cause::Suspended => "Suspended",
        Cause::HeldBy(_) => "HeldByFinalizer",
        Cause::Deleting => "Deleting",
        Cause::Unapproved => Reason::AwaitingApproval.as_str(),
        Cause::Owned(_) | Cause::Claimed(..) => "Conflict",
        Cause::Account(reason, ..) | Cause::Reason(reason) => reason.as_str(),
        Cause::UnknownReason(reason) => reason,
    }
    .to_owned()
}

/// The words for one object.
struct Words<'a> {
    facts: &'a Facts,
    namespace: String,
    name: String,
    /// `ml/llm-serving is not Ready for 9m`.
    subject: String,
    credential: &'a str,
}

impl<'a> Words<'a> {
    fn new(facts: &'a Facts) -> Self {
        let (namespace, name) = namespaced_name(&facts.object);
        let standing = Standing::of(&facts.object);
        let verb = if standing.is_ready() {
            "is Ready"
        } else {
            "is not Ready"
        };
        let since = standing.since.map_or_else(String::new, |since| {
            format!(" for {}", age(since.min(facts.now), facts.now))
        });
        let choice = facts.object.spec.provider.choice();
        Self {
            subject: format!("{namespace}/{name} {verb}{since}"),
            credential: choice.map_or("", |choice| &choice.api_key_secret_ref().name),
            facts,
            namespace,
            name,
        }
    }

    fn plugin(&self, command: &str) -> String {
        let (namespace, name) = (&self.namespace, &self.name);
        format!("kubectl provider-secrets {command} {name} -n {namespace}")
    }

    fn of(&self, cause: &Cause) -> Said {
        let of_cluster = self.of_operator(cause).or_else(|| self.of_place(cause));
        of_cluster.unwrap_or_else(|| self.of_object(cause))
    }

    /// The words for what the object itself, or its account, is the cause of.
    fn of_object(&self, cause: &Cause) -> Said {
        let subject = &self.subject;
        match cause {
            Cause::Nothing => self.by_reason(Reason::Synced, format!("{subject}: {}", self.message())),
            Cause::Idle(cause) => {
                let said = self.of(cause);
                Said {
                    what: format!("{}, so that no change is acted on.", said.what.trim_end_matches('.')),
                    ..said
                }
            }
            Cause::Unobserved => {
                let generation = self.facts.object.metadata.generation.unwrap_or_default();
                Said {
                    what: format!("{subject}: the operator has not acted on generation {generation} of the spec yet."),
                    next: "It does within a second, unless it starts, has many objects to work on, or waits for an account that is paused.".to_owned(),
                    advice: "Look again in some seconds; if it stays so, read the operator's log.".to_owned(),
                    command: self.plugin("status"),
                }
            }
            Cause::Suspended => self.by_reason(Reason::Suspended, format!("{subject} and suspended: {}", self.message())),
            Cause::HeldBy(finalizers) => Said {
                what: format!("{subject}: it is being deleted, and does not wait for the operator but for {}.", some(finalizers)),
                next: format!("The operator {HELD_BY_OTHERS}."),
                advice: "Look at the controllers that set these finalizers, and why they do not remove them.".to_owned(),
                command: format!("kubectl get psec {} -n {} -o jsonpath={{.metadata.finalizers}}", self.name, self.namespace),
            },
            Cause::Deleting => Said {
                what: format!("{subject}: it is being deleted."),
                next: "The operator deletes what the object wrote, where deletionPolicy says so, and lets it go within --deletion-timeout (15 minutes by default).".to_owned(),
                advice: "Wait; only if the provider cannot be had any more, let it go without deleting anything there.".to_owned(),
                command: self.plugin("status"),
            },
            Cause::Unapproved => Said {
                next: format!("The operator {UNAPPROVED_DELETION}."),
                ..self.by_reason(Reason::AwaitingApproval, format!("{subject} (DeletionBlocked): {}", self.message()))
            },
            Cause::Owned(owner) => {
                let (what, advice) = match owner {
                    Some((owner, name)) => (
                        format!("{subject}: the older {} owns {name} at this account, and a name has one owner.", owner.namespaced_name()),
                        format!("Remove {name} from one of the two objects."),
                    ),
                    None => (
                        format!("{subject}: {}", self.message()),
                        "Ask a user who may list ProviderSecrets in all namespaces which object owns the name.".to_owned(),
                    ),
                };
                let command = match owner {
                    Some((owner, _)) => format!("kubectl provider-secrets status {} -n {}", owner.name, owner.namespace),
                    None => self.plugin("status"),
                };
                Said { what, advice, command, ..self.by_reason(Reason::Conflict, String::new()) }
            }
            Cause::Claimed(owner, name) => {
                let (older, message) = (owner.namespaced_name(), self.message());
                let message = message.trim_end_matches('.');
                let what = format!("{subject} (Conflict): {message}; the older {older} claims {name} too, and owns it if its API key is of the same account.");
                Said {
                    advice: format!("Compare the accounts of the two objects; if they are one, remove {name} from one of the two."),
                    command: format!("kubectl provider-secrets status {} -n {}", owner.name, owner.namespace),
                    ..self.by_reason(Reason::Conflict, what)
                }
            }
            Cause::Account(reason, count, first) => {
                let others = match count {
                    1 => format!("{first} waits for the same account"),
                    count => format!("{count} other objects wait for the same account, {first} among them"),
                };
                let message = self.message();
                let message = message.trim_end_matches('.');
                let what = format!("{subject} ({reason}): {message}; {others}.");
                self.by_reason(*reason, what)
            }
            Cause::Reason(reason) => {
                self.by_reason(*reason, format!("{subject} ({reason}): {}", self.message()))
            }
            other => Said {
                what: format!("{subject} ({}): {}", word(other), self.message()),
                next: "This program does not know the reason: it is older than the operator.".to_owned(),
                advice: "Follow the message, or use the program of the operator's version.".to_owned(),
                command: "kubectl provider-secrets version".to_owned(),
            },
        }
    }

    /// The first sentence of the message of the conditions that tells the cause.
    fn message(&self) -> String {
        let Some(first) = conditions(&self.facts.object).first() else {
            return "The operator says nothing.".to_owned();
        };
        let (sentence, rest) = first_sentence(&first.message);
        let blocked = Reason::DeletionBlocked.as_str();
        // Of a deletion the first sentence says that it is not done, and the next one why.
        if first.reason == blocked && !rest.is_empty() {
            return first_sentence(rest).0.to_owned();
        }
        sentence.to_owned()
    }

    fn by_reason(&self, reason: Reason, what: String) -> Said {
        let row = reasons::row(reason.as_str());
        // The first step about a deletion is to read the cause, which stands above it.
        let number = usize::from(reason == Reason::DeletionBlocked);
        let step = row.and_then(|row| row.steps.get(number));
        Said {
            what,
            next: format!(
                "The operator {}.",
                prospect(reason, self.credential, was_written(&self.facts.object))
            ),
            advice: step.map_or_else(String::new, |step| {
                plain(step, Some((&self.namespace, &self.name)))
            }),
            command: self.command(reason),
        }
    }

    fn command(&self, reason: Reason) -> String {
        let (namespace, credential) = (&self.namespace, self.credential);
        match reason {
            Reason::Suspended => self.plugin("resume"),
            Reason::SecretNotFound | Reason::CredentialNotFound => {
                format!("kubectl get secrets -n {namespace}")
            }
            Reason::CredentialKeyMissing | Reason::CredentialInvalid => {
                format!("kubectl describe secret {credential} -n {namespace}")
            }
            Reason::AuthenticationFailed | Reason::PermissionDenied => {
                format!("kubectl edit secret {credential} -n {namespace}")
            }
            Reason::Contended => format!("{} --wait", self.plugin("sync")),
            // A sync request would confirm it: what that deletes is looked at first.
            Reason::RemovalHeld => self.plugin("plan"),
            Reason::AwaitingApproval => self.plugin("approve"),
            Reason::InvalidSpec
            | Reason::InvalidTemplate
            | Reason::TooManyEntries
            | Reason::Unsupported => {
                format!("kubectl edit psec {} -n {namespace}", self.name)
            }
            _ => self.plugin("status"),
        }
    }
}

/// The first sentence of a text, and the rest of it.
fn first_sentence(text: &str) -> (&str, &str) {
    let end = text.match_indices(". ").find(|(at, _)| {
        let next = text[at + 2..].chars().next();
        next.is_some_and(char::is_uppercase)
    });
    end.map_or((text, ""), |(at, _)| (&text[..=at], &text[at + 2..]))
}

/// `namespace/name` as kubectl's arguments.
fn split(place: &str) -> String {
    match place.split_once('/') {
        Some((namespace, name)) => format!("{name} -n {namespace}"),
        None => place.to_owned(),
    }
}
