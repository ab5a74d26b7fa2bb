//! Secrets that are asked for by their names, because the operator may not list them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};

use super::SecretName;

/// The question for a Secret.
struct Question {
    /// Whether the API server has ever answered it.
    is_answered: bool,
    /// When it is asked again; none while it is asked.
    due: Option<Instant>,
}

/// The question for each Secret that an object names.
pub(crate) struct SecretQuestions {
    questions: Mutex<HashMap<SecretName, Question>>,
    /// Takes the names that are to be asked for at once.
    ask: mpsc::UnboundedSender<SecretName>,
    /// Within which each is asked for again.
    interval: Duration,
}

impl SecretQuestions {
    /// No question yet, and the names that are to be asked for at once. Again each is asked for within `interval`.
    pub(crate) fn new(interval: Duration) -> (Arc<Self>, mpsc::UnboundedReceiver<SecretName>) {
        let (ask, named) = mpsc::unbounded_channel();
        let questions = Self {
            questions: Mutex::default(),
            ask,
            interval,
        };
        (Arc::new(questions), named)
    }

    /// Within which each Secret is asked for again.
    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// An object names Secrets: those without a question are asked for at once.
    pub(crate) fn ask_for(&self, namespace: &str, names: &[&str]) {
        let mut questions = self.lock();
        for name in names {
            let name = (namespace.to_owned(), (*name).to_owned());
            if let Entry::Vacant(entry) = questions.entry(name.clone()) {
                entry.insert(Question {
                    is_answered: false,
                    due: None,
                });
                // The receiver lives as long as the controller.
                let _ = self.ask.send(name);
            }
        }
    }

    /// A user wants to know: these Secrets are due now.
    pub(crate) fn ask_again(&self, namespace: &str, names: &[&str]) {
        for name in names {
            self.set_due(&(namespace.to_owned(), (*name).to_owned()), Instant::now());
        }
    }

    /// A Secret is asked for again at this time, if it is not asked for now.
    pub(crate) fn set_due(&self, secret: &SecretName, at: Instant) {
        let mut questions = self.lock();
        let question = questions.get_mut(secret);
        if let Some(due) = question.and_then(|question| question.due.as_mut()) {
            *due = at;
        }
    }

    /// The Secrets that are to be asked for until then. Each is taken once, until it is answered.
    pub(crate) fn take_due(&self, until: Instant) -> Vec<SecretName> {
        let mut questions = self.lock();
        let is_due = |question: &Question| question.due.is_some_and(|due| due <= until);
        let due = questions
            .iter_mut()
            .filter(|(_, question)| is_due(question));
        due.map(|(name, question)| {
            question.due = None;
            name.clone()
        })
        .collect()
    }

    /// The API server has answered the question for a Secret, or gives none; it is asked again within the
    /// interval. Whether it was asked for the first time.
    pub(crate) fn set_answered(&self, secret: &SecretName, now: Instant) -> bool {
        let mut questions = self.lock();
        // An object has let go of it meanwhile.
        let Some(question) = questions.get_mut(secret) else {
            return false;
        };
        let is_first = !std::mem::replace(&mut question.is_answered, true);
        // Those of a start are spread over the interval, and stay so.
        let share = if is_first {
            fastrand::f64()
        } else {
            0.9 + fastrand::f64() / 10.0
        };
        question.due = Some(now + self.interval.mul_f64(share));
        is_first
    }

    /// Whether each Secret was answered for.
    pub(crate) fn are_answered(&self) -> bool {
        self.lock().values().all(|question| question.is_answered)
    }

    /// Whether no Secret is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Drops the questions for Secrets that no object names, and gives their names.
    pub(crate) fn keep(&self, is_named: impl Fn(&SecretName) -> bool) -> Vec<SecretName> {
        let mut questions = self.lock();
        let gone = questions.extract_if(|name, _| !is_named(name));
        gone.map(|(name, _)| name).collect()
    }

    /// Whether the API server has answered for these Secrets.
    pub(crate) fn cover(&self, namespace: &str, names: &[&str]) -> bool {
        let questions = self.lock();
        names.iter().all(|name| {
            let question = questions.get(&(namespace.to_owned(), (*name).to_owned()));
            question.is_some_and(|question| question.is_answered)
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretName, Question>> {
        self.questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> SecretName {
        ("ml".to_owned(), name.to_owned())
    }

    #[test]
    fn absence_means_something_where_each_secret_was_asked_for() {
        let (now, interval) = (Instant::now(), Duration::from_mins(1));
        let (secrets, mut asked) = SecretQuestions::new(interval);
        for _ in 0..2 {
            secrets.ask_for("ml", &["a", "b"]);
        }
        let questions = std::iter::from_fn(|| asked.try_recv().ok());
        assert_eq!(questions.collect::<Vec<_>>(), ["a", "b"].map(name));
        assert!(
            secrets.take_due(now + interval).is_empty(),
            "both are asked for"
        );
        assert!(secrets.set_answered(&name("a"), now));
        assert!(!secrets.are_answered());
        assert_eq!(secrets.take_due(now + interval), [name("a")]);
        assert!(!secrets.set_answered(&name("a"), now));
        assert!(secrets.take_due(now + interval.mul_f64(0.8)).is_empty());
        secrets.ask_again("ml", &["a"]);
        assert_eq!(secrets.take_due(Instant::now()), [name("a")]);
        secrets.set_answered(&name("a"), now);
        assert!(secrets.cover("ml", &["a"]) && !secrets.cover("ml", &["a", "b"]));
        assert_eq!(secrets.keep(|named| *named == name("b")), [name("a")]);
        assert!(!secrets.cover("ml", &["a"]));
    }
}
