//! The simulated providers as the operator's transport, behind the call log.

mod quirk;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::Bytes,
    http::{Method, Request, Response},
};
use provider_secrets::{
    http::{Transport, TransportError},
    provider::{Choice, PROVIDERS},
};
use serde_json::Value;
use simulator::{Account, Provider, Simulator};
use tokio::time::sleep;
use tower::{service_fn, util::BoxCloneSyncService};

pub(super) use self::quirk::Quirk;
use self::quirk::{QuirkState, answer};
use crate::faults::call_log::{CallLog, Effect};

/// A character of two bytes.
pub(super) const CUT: char = 'é';

/// How often each remote name was written, foreign writes not counted.
pub(super) type Counts = BTreeMap<String, usize>;

/// One account and what was written to it.
#[derive(Clone)]
pub(super) struct RemoteAccount {
    simulator: Simulator,
    account: Account,
    tally: Arc<Mutex<Tally>>,
}

/// Makes one exchange slow. Unlike a fault of the simulator this is the network's doing: a request in flight arrives
/// even after its caller has given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub(super) is_write: bool,
    /// The time to the provider.
    pub(super) there: Duration,
    /// The time back.
    pub(super) back: Duration,
}

#[derive(Default)]
struct Tally {
    counts: Counts,
    /// Names by id, also of what is gone.
    names: BTreeMap<String, String>,
    slow: Vec<Slow>,
    quirks: QuirkState,
    is_panicking: bool,
    panics: usize,
}

impl RemoteAccount {
    pub(super) fn new(simulator: Simulator, account: Account) -> Self {
        Self {
            simulator,
            account,
            tally: Arc::default(),
        }
    }

    /// The simulator that the account is in.
    pub(super) fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Writes and deletes by remote name, at Pipecat by set; those that the provider refused have a
    /// count of their own.
    pub(super) fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    /// Makes the next exchange of its kind slow.
    pub(super) fn slow_down(&self, slow: Slow) {
        self.lock().slow.push(slow);
    }

    /// Gives the provider a quirk.
    pub(super) fn set_quirk(&self, quirk: Quirk) {
        self.lock().quirks.quirk = Some(quirk);
    }

    /// From here on, or no longer, a write of a value with [`CUT`] in it ends in a panic that quotes what
    /// was to be sent, as texts do that are cut inside of a character.
    pub(super) fn set_panicking(&self, is_panicking: bool) {
        self.lock().is_panicking = is_panicking;
    }

    /// How many panics there were.
    pub(super) fn panics(&self) -> usize {
        self.lock().panics
    }

    /// The transport of an incarnation of the operator.
    pub(super) fn transport(&self, call_log: &CallLog, incarnation: u64) -> Transport {
        let (remote, call_log) = (self.clone(), call_log.clone());
        BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
            let (remote, call_log) = (remote.clone(), call_log.clone());
            async move { remote.exchange(&call_log, incarnation, request).await }
        }))
    }

    async fn exchange(
        &self,
        call_log: &CallLog,
        incarnation: u64,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        let provider = request.uri().host().and_then(provider_at);
        let provider = provider.ok_or(TransportError::Connect)?;
        let is_read = request.method() == Method::GET;
        if !is_read {
            self.panic(&request);
        }
        let effect = if is_read { Effect::Read } else { Effect::Send };
        let request = self.lock().quirks.transform_request(request);
        let name = self.name(&request);
        let line = format!("{} {provider} {name}", request.method());
        let remote = self.clone();
        let call = async move {
            let slow = remote.slow(!is_read);
            if is_read && let Some(stale) = remote.lock().quirks.stale_answer(&request) {
                return Ok(stale);
            }
            remote.snapshot_before_write(provider, is_read).await;
            let simulator = remote.simulator.clone();
            let done = match slow {
                Some(Slow { there, .. }) => {
                    let arrives = tokio::spawn(async move {
                        sleep(there).await;
                        answer(&simulator, provider, request).await
                    });
                    arrives.await.expect("the simulator answers")
                }
                None => answer(&simulator, provider, request).await,
            };
            let done = done.map_err(|_| TransportError::Cut)?;
            if !is_read {
                let is_refused = !done.status().is_success();
                let counted = if is_refused { name + ", refused" } else { name };
                *remote.lock().counts.entry(counted).or_default() += 1;
            }
            sleep(slow.map_or(Duration::ZERO, |slow| slow.back)).await;
            let now = remote.simulator.now().to_string();
            Ok(remote.lock().quirks.transform_answer(is_read, done, &now))
        };
        call_log.call(incarnation, line, effect, call).await
    }

    /// Records the reads that a write is about to change.
    async fn snapshot_before_write(&self, provider: Provider, is_read: bool) {
        let known = self.lock().quirks.known_reads();
        if is_read || known.is_empty() {
            return;
        }
        let mut shown = BTreeMap::new();
        for (uri, parts) in known {
            let request = Request::from_parts(parts, Bytes::new());
            let before = answer(&self.simulator, provider, request).await;
            shown.insert(uri, before.expect("the simulator answers"));
        }
        self.lock().quirks.remember(shown);
    }

    fn panic(&self, request: &Request<Bytes>) {
        let text = str::from_utf8(request.body()).expect("a body is text");
        if let Some(at) = text.find(CUT)
            && self.lock().is_panicking
        {
            self.lock().panics += 1;
            // Its first byte, and not the second.
            let _ = &text[..=at];
        }
    }

    fn slow(&self, is_write: bool) -> Option<Slow> {
        let slow = &mut self.lock().slow;
        let index = slow.iter().position(|slow| slow.is_write == is_write)?;
        Some(slow.remove(index))
    }

    /// The remote name that a request is about.
    fn name(&self, request: &Request<Bytes>) -> String {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if let Some(name) = body["name"].as_str() {
            return name.to_owned();
        }
        let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
        let mut tally = self.lock();
        for scope in self.account.scopes() {
            for (name, held) in self.account.held(scope.as_deref()) {
                tally.names.extend(held.id.map(|id| (id, name)));
            }
        }
        match path.as_slice() {
            // A set, or a key of one: a set is written as a whole.
            ["v1", "secrets", set, ..] if self.account.provider() == Provider::Pipecat => {
                (*set).to_owned()
            }
            [.., id] => tally.names.get(*id).map_or(*id, String::as_str).to_owned(),
            [] => String::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The provider whose public API has this host.
fn provider_at(host: &str) -> Option<Provider> {
    let is_its = |(name, url): &(&str, &str)| {
        *name == Choice::DEFAULT_ENDPOINT && url.strip_prefix("https://") == Some(host)
    };
    let found = PROVIDERS
        .into_iter()
        .find(|provider| provider.endpoints.iter().any(is_its))?;
    found.flag.parse().ok()
}
