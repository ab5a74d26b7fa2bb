//! One object for each shape of status that the operator can write, as `tests/statuses.jsonl` has them. The integration
//! tests ask Argo CD, Flux, kubectl and Helm about each, and hold every status that they see against them.
//!
//! The objects are made here, by what makes them in the operator, and not recorded in a run: so they are complete
//! whichever tests ran, and the same in each run.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    conditions::{Readiness, ReadyState, conditions, readiness, stalled_by_protocol},
    messages, next_status,
    outcome::Outcome,
};
use crate::{
    api::{
        EntryState, EntryStatus, FINALIZER, ProviderSecret, ProviderSecretStatus, READY,
        RECONCILING, Reason, STALLED, SUSPENDED,
    },
    controller::{
        error::Failure,
        object::{time, unwritten},
    },
    http::ErrorClass,
    provider::{PROVIDERS, Settled},
};

const FILE: &str = "tests/statuses.jsonl";
/// The generation that the statuses speak of.
const GENERATION: i64 = 1;

/// The classes that a failure of this reason has. A reason of events, or of what is no failure, has none.
fn classes(reason: Reason) -> &'static [ErrorClass] {
    match reason {
        Reason::Synced
        | Reason::Suspended
        | Reason::Resumed
        | Reason::ProgressingWithRetry
        | Reason::ProviderFailed
        | Reason::DeletionBlocked
        | Reason::TrailingNewline
        | Reason::ByteOrderMark
        | Reason::DriftDetected
        | Reason::DeletionSkipped
        | Reason::RemoteDeleted => &[],
        Reason::Progressing
        | Reason::AwaitingApproval
        | Reason::SecretNotFound
        | Reason::KeyNotFound
        | Reason::CredentialNotFound
        | Reason::CredentialKeyMissing
        | Reason::EmptyValue => &[ErrorClass::Waiting],
        Reason::AuthenticationFailed | Reason::PermissionDenied => &[ErrorClass::Auth],
        Reason::RateLimited => &[ErrorClass::Throttled],
        Reason::Forbidden
        | Reason::SecretUnavailable
        | Reason::ProviderUnavailable
        | Reason::CertificateNotTrusted => &[ErrorClass::Transient],
        Reason::Timeout | Reason::NetworkError => {
            &[ErrorClass::Transient, ErrorClass::UnknownOutcome]
        }
        Reason::UnexpectedResponse => &[ErrorClass::Protocol],
        Reason::Rejected => &[
            ErrorClass::Config,
            ErrorClass::Transient,
            ErrorClass::Protocol,
        ],
        Reason::CredentialInvalid
        | Reason::TargetNotFound
        | Reason::InvalidKeyName
        | Reason::ValueTooLarge
        | Reason::InvalidEncoding
        | Reason::InvalidTemplate
        | Reason::Conflict
        | Reason::Ambiguous
        | Reason::Unsupported
        | Reason::InvalidSpec
        | Reason::TooManyEntries
        | Reason::SourceRefused
        | Reason::SourceNotAllowed
        | Reason::ProviderNotAllowed
        | Reason::Immutable
        | Reason::Contended
        | Reason::AccountChanged
        | Reason::RemovalHeld => &[ErrorClass::Config],
    }
}

fn failure(class: ErrorClass, reason: Reason) -> Failure {
    Failure {
        class,
        ..Failure::waiting(reason, format!("What a {reason} is about. What to do."))
    }
}

/// Everything that a reconcile can come to.
fn readinesses() -> Vec<Readiness> {
    let entries = [unwritten("HF_TOKEN")];
    let done = |settled| messages::all_done(settled, &entries, None);
    let mut all: Vec<Readiness> = [Settled::Ready, Settled::Pending, Settled::Absent]
        .map(done)
        .into();
    all.extend([true, false].map(messages::suspended));
    let timeout = failure(ErrorClass::Transient, Reason::Timeout);
    all.push(messages::deletion_blocked(&timeout));
    for reason in Reason::ALL {
        for class in classes(*reason) {
            let failures = [failure(*class, *reason)];
            let first = readiness(&failures, done(Settled::Ready));
            if *class == ErrorClass::Protocol {
                all.push(stalled_by_protocol(&failures, first.clone()));
            }
            all.push(first);
        }
    }
    all
}

/// The name of an object with this readiness: its state and its reason.
fn name(readiness: &Readiness) -> String {
    let state = match readiness.state {
        ReadyState::Ready => "ready",
        ReadyState::Suspended => "unready",
        ReadyState::Reconciling {
            after_failure: false,
        } => "waiting",
        ReadyState::Reconciling {
            after_failure: true,
        } => "retrying",
        ReadyState::Stalled => "stalled",
    };
    let mut name = state.to_owned();
    for letter in readiness.reason.as_str().chars() {
        if letter.is_ascii_uppercase() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// An object that the operator has not acted on.
fn object(name: &str, suspend: bool) -> ProviderSecret {
    let mut object = json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {"name": name, "namespace": "ml", "generation": GENERATION},
        "spec": {
            "provider": {PROVIDERS[0].flag: {"apiKeySecretRef": {"name": PROVIDERS[0].flag, "key": "api-key"}}},
            "data": [{"name": "HF_TOKEN", "secretKeyRef": {"name": "huggingface", "key": "token"}}],
        },
        "status": {"observedGeneration": -1},
    });
    if suspend {
        object["spec"]["suspend"] = true.into();
    }
    serde_json::from_value(object).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap()
}

/// The object after a reconcile that came to this.
fn reported(readiness: &Readiness) -> ProviderSecret {
    let mut object = object(&name(readiness), readiness.reason == Reason::Suspended);
    let entry = if readiness.state == ReadyState::Ready {
        EntryStatus {
            state: EntryState::Synced,
            reason: None,
            last_write_time: Some(time(now())),
            ..unwritten("HF_TOKEN")
        }
    } else {
        EntryStatus {
            reason: Some(readiness.reason.as_str().to_owned()),
            ..unwritten("HF_TOKEN")
        }
    };
    let outcome = Outcome::of(vec![entry], Vec::new());
    object.status = Some(next_status(&object, readiness, &outcome, None, now()));
    if readiness.reason == Reason::DeletionBlocked {
        object.metadata.deletion_timestamp = Some(time(now()));
        object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    }
    object
}

/// The object of which a record was written ahead of the first write: its generation is not acted on yet.
fn written_ahead() -> ProviderSecret {
    let mut object = object("first-write", false);
    let status = object.status.take().unwrap_or_default();
    let writing = messages::writing(1);
    object.status = Some(ProviderSecretStatus {
        conditions: conditions(&[], &writing, status.observed_generation, now()),
        entries: vec![unwritten("HF_TOKEN")],
        ..status
    });
    object
}

/// Every object of the file, as JSON, sorted by name.
fn objects() -> Vec<Value> {
    let mut unseen = object("no-status", false);
    unseen.status = None;
    let mut objects = vec![object("new", false), unseen, written_ahead()];
    objects.extend(readinesses().iter().map(reported));
    objects.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    objects.dedup_by(|a, b| a.metadata.name == b.metadata.name);
    let objects = objects.iter().map(serde_json::to_value);
    objects.map(Result::unwrap).collect()
}

/// `make statuses` writes it anew.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the setting of a test and not of the operator"
)]
fn the_file_of_statuses_is_what_the_operator_can_write() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let lines: Vec<String> = objects()
        .iter()
        .map(|object| format!("{object}\n"))
        .collect();
    let text = lines.concat();
    if std::env::var("WRITE_STATUSES").is_ok() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{FILE} is old: run `make statuses`");
}

/// The conditions that are True with each reason are those that `docs/reasons.yaml` tells.
#[test]
fn each_reason_has_the_class_that_its_row_tells() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reasons.yaml");
    let table: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let objects = objects();
    for row in table["reasons"].as_array().unwrap() {
        let (reason, class) = (&row["reason"], row["class"].as_str().unwrap());
        for kind in [READY, RECONCILING, STALLED, SUSPENDED] {
            // Of a suspended object it is its own condition that counts.
            let is_told = class.contains(kind);
            let mut conditions = objects
                .iter()
                .filter(|object| {
                    let conditions = object["status"]["conditions"].as_array();
                    let mut conditions = conditions.into_iter().flatten();
                    conditions.any(|condition| condition["reason"] == *reason)
                })
                .flat_map(|object| object["status"]["conditions"].as_array().unwrap());
            let is_true = conditions
                .any(|condition| condition["type"] == kind && condition["status"] == "True");
            let is_ready_too = kind == READY && reason == "Suspended";
            assert!(is_true == is_told || is_ready_too, "{reason}: {kind}");
        }
    }
}
