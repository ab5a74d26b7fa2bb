//! A test case: one test's namespace and provider account in an environment.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::PostParams};
use provider_secrets::api::{Condition, ProviderSecret};
use serde_json::{Value, json};
use simulator::{Account, Exchange};
use tokio::time::Instant;

use super::{CANARY, DEADLINE, Target, TestEnv, invariants, until, until_within, violations};

/// How often the API server is asked for an object that the watch does not show as it should be.
const ASK: Duration = Duration::from_secs(2);

/// Stands for the Baseten team of a test case in the lines of requests: its id differs in each account.
const TEAM: &str = "{team}";

/// One test's namespace, with an account at the provider and its API key in the Secret `credential`, key `api-key`.
pub(crate) struct TestCase<'a> {
    pub(crate) env: &'a TestEnv,
    pub(crate) target: Target,
    pub(crate) namespace: String,
    pub(crate) account: Account,
    pub(crate) key: String,
    /// The values of other clients at the provider, which must stay, by scope and name.
    pub(crate) foreign_secrets: Mutex<ForeignSecrets>,
    /// The namespace whose account this test case uses, where it has none of its own.
    pub(crate) shares: Option<String>,
}

/// Values by scope and name.
pub(crate) type ForeignSecrets = BTreeMap<(Option<String>, String), String>;

impl<'a> TestCase<'a> {
    /// Creates a namespace and an account.
    pub(crate) async fn new(env: &'a TestEnv, target: Target) -> Self {
        Self::in_namespace(env, target, &fresh_names().0).await
    }

    /// A test case with an object `target`, synced by [`TestCase::synced`].
    pub(crate) async fn with_synced_target(env: &'a TestEnv, target: Target) -> Self {
        let case = Self::new(env, target).await;
        case.synced("target", &json!({})).await;
        case
    }

    /// As [`Self::new`], in a namespace of this name, which may exist.
    pub(crate) async fn in_namespace(env: &'a TestEnv, target: Target, namespace: &str) -> Self {
        let namespace = namespace.to_owned();
        let key = format!("{CANARY}-key-of-{namespace}");
        let account = target.account(env.simulator(), &namespace, &key);
        Self {
            env,
            target,
            namespace,
            account,
            key,
            foreign_secrets: Mutex::default(),
            shares: None,
        }
        .open()
        .await
    }

    /// A test case in another namespace with an existing account and key.
    pub(crate) async fn with_account(&self, account: &Account, key: &str) -> TestCase<'a> {
        TestCase {
            env: self.env,
            target: self.target,
            namespace: fresh_names().0,
            account: account.clone(),
            key: key.to_owned(),
            foreign_secrets: Mutex::default(),
            shares: Some(self.namespace.clone()),
        }
        .open()
        .await
    }

    /// A further key of this account.
    pub(crate) fn further_key(&self) -> String {
        let (_, key) = fresh_names();
        self.account
            .add_key(key.as_str())
            .expect("a further key is added");
        key
    }

    /// Creates the namespace and the Secret of the API key.
    async fn open(self) -> Self {
        let case = self;
        case.env.statuses();
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": case.namespace}}))
                .expect("a namespace");
        let namespaces: Api<Namespace> = Api::all(case.env.client.clone());
        match namespaces.create(&PostParams::default(), &namespace).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            made => drop(made.expect("a namespace is made")),
        }
        case.secret("credential", &[("api-key", &case.key)]).await;
        case
    }

    /// Makes Pipecat an older server, at which a set is ready when its write is answered: for tests that count what a
    /// write costs, and events of it.
    pub(crate) fn ready_at_once(&self) {
        if self.target == Target::Pipecat {
            let pipecat = self.env.simulator().pipecat();
            pipecat.set_variants(&self.account, |variants| {
                variants.ready_after = Duration::ZERO;
            });
        }
    }

    /// The id of the default team at Baseten.
    pub(crate) fn default_team(&self) -> String {
        Target::default_team(self.account.name())
    }

    /// A value that carries the canary.
    pub(crate) fn value(&self, text: &str) -> String {
        format!("{CANARY}-{}-{text}", self.namespace)
    }

    /// Replaces the API key by one that the operator has not seen, so that it starts without any state of the account.
    pub(crate) async fn replace_key(&self) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let key = format!("{}-{}", self.key, COUNT.fetch_add(1, Ordering::Relaxed));
        self.account.add_key(&*key).expect("a key is added");
        self.secret("credential", &[("api-key", &key)]).await;
    }

    /// `spec.provider` for this test case's account.
    pub(crate) fn provider(&self) -> Value {
        self.target.provider_spec(self.account.name())
    }

    /// The names and values in this test case's scope at the provider.
    pub(crate) fn held(&self) -> BTreeMap<String, String> {
        self.account.values(self.scope().as_deref())
    }

    /// The whole lines of the operator's log about this test case.
    pub(crate) fn log_lines(&self) -> Vec<Value> {
        let log = self.env.operator.log();
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let lines = whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"));
        lines
            .filter(|line: &Value| line["namespace"] == *self.namespace)
            .collect()
    }

    /// The requests that wrote at the provider, by method and path.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.account
            .writes()
            .iter()
            .map(|write| self.line(write))
            .collect()
    }

    /// Method and path of a request, with [`TEAM`] for the id of this test case's team.
    pub(crate) fn line(&self, request: &Exchange) -> String {
        request.line().replace(&self.team(), TEAM)
    }

    /// The id of this test case's team at Baseten.
    pub(crate) fn team(&self) -> String {
        Target::team(self.account.name())
    }

    /// The test case of this identity, after a change of the environment.
    pub(crate) fn resume(
        env: &'a TestEnv,
        target: Target,
        (namespace, account, key): &(String, Account, String),
    ) -> Self {
        Self {
            env,
            target,
            namespace: namespace.clone(),
            account: account.clone(),
            key: key.clone(),
            foreign_secrets: Mutex::default(),
            shares: None,
        }
    }

    /// Namespace, account and key, for [`TestCase::resume`].
    pub(crate) fn identity(&self) -> (String, Account, String) {
        (
            self.namespace.clone(),
            self.account.clone(),
            self.key.clone(),
        )
    }

    /// Waits until the provider holds exactly these.
    pub(crate) async fn wait_held(&self, expected: &[(&str, &str)]) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let expected: BTreeMap<String, String> = expected.iter().map(owned).collect();
        until("the provider holds the values", async || {
            let held = self.held();
            if held == expected {
                Ok(())
            } else {
                Err(format!("{:?}: it holds {held:?}", self.target))
            }
        })
        .await;
    }

    /// Waits until `Ready` has this reason for the newest generation, and gives the object. Checks
    /// that the conditions are consistent.
    pub(crate) async fn wait_reason(&self, name: &str, reason: &str) -> ProviderSecret {
        self.wait(name, reason, |object| {
            first_condition(object).is_some_and(|first| first.reason == reason)
        })
        .await
    }

    /// Waits until `Ready` is True for the newest generation, and gives the object.
    pub(crate) async fn wait_ready(&self, name: &str) -> ProviderSecret {
        self.wait(name, "ready", |object| {
            condition(object, "Ready").is_some_and(|ready| ready.status == "True")
        })
        .await
    }

    /// Waits until an object is as expected and its status is of the newest generation.
    pub(crate) async fn wait(
        &self,
        name: &str,
        what: &str,
        is_expected: impl Fn(&ProviderSecret) -> bool,
    ) -> ProviderSecret {
        self.wait_within(DEADLINE, name, what, is_expected).await
    }

    /// As [`Self::wait`], for what may take longer.
    pub(crate) async fn wait_within(
        &self,
        limit: Duration,
        name: &str,
        what: &str,
        is_expected: impl Fn(&ProviderSecret) -> bool,
    ) -> ProviderSecret {
        let is_right = |object: &ProviderSecret| {
            let status = object.status.as_ref();
            let observed = status.and_then(|status| status.observed_generation);
            observed == object.metadata.generation && is_expected(object)
        };
        let (mut asked, mut shown) = (None::<Instant>, String::new());
        let object = until_within(limit, &format!("{name} is {what}"), async || {
            // A look at what the watch has shown costs nothing; that it is still so, the API server says.
            let statuses = self.env.statuses();
            if asked.is_some_and(|asked| asked.elapsed() < ASK)
                && !statuses.shows(&self.namespace, name, is_right)
            {
                return Err(shown.clone());
            }
            asked = Some(Instant::now());
            let object = self.objects().get(name).await;
            let object = object.map_err(|error| error.to_string())?;
            if is_right(&object) {
                return Ok(object);
            }
            shown = format!("{:#?}", object.status);
            Err(shown.clone())
        })
        .await;
        check_conditions(&object);
        object
    }

    /// Ends the test: checks the invariants, and that the provider holds no secret of ours that no object names.
    pub(crate) async fn finish(self) {
        invariants::check(&self, &[]).await;
    }

    /// As [`Self::finish`], where the test left these names at the provider on purpose.
    pub(crate) async fn finish_leaving(self, names: &[&str]) {
        invariants::check(&self, names).await;
    }
}

impl Drop for TestCase<'_> {
    /// Holds what the operator sent against the vendors' documents, also where a test does not check the invariants.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let violations = violations(&self.account.requests());
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

/// Names of a namespace and of a key that no other test uses.
fn fresh_names() -> (String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    (format!("case-{number}"), format!("{CANARY}-key-{number}"))
}

/// Runs a test at each of the five upstream APIs, side by side in the shared environment.
pub(crate) async fn at_each_api(play: impl AsyncFn(TestCase<'static>)) {
    at_each_api_on(TestEnv::shared().await, play).await;
}

/// As [`at_each_api`], in another environment.
pub(crate) async fn at_each_api_on<'a>(env: &'a TestEnv, play: impl AsyncFn(TestCase<'a>)) {
    let play = &play;
    let plays = Target::ALL.map(async |target| play(TestCase::new(env, target).await).await);
    futures::future::join_all(plays).await;
}

/// As [`at_each_api`], in [`TestEnv::verifying`].
pub(crate) async fn at_each_api_verifying(play: impl AsyncFn(TestCase<'static>)) {
    at_each_api_on(TestEnv::verifying().await, play).await;
}

/// As [`at_each_api_verifying`], with an operator of its own: it sends every event, where one that many tests
/// share drops some that are no Warnings.
pub(crate) async fn at_each_api_alone(play: impl AsyncFn(TestCase<'_>)) {
    at_each_api_on(&TestEnv::fresh_verifying().await, play).await;
}

/// A condition of an object.
pub(crate) fn condition<'a>(object: &'a ProviderSecret, kind: &str) -> Option<&'a Condition> {
    object
        .status
        .as_ref()?
        .conditions
        .iter()
        .find(|condition| condition.r#type == kind)
}

/// The condition that kubectl shows: Ready, or Suspended where there is no Ready.
fn first_condition(object: &ProviderSecret) -> Option<&Condition> {
    object.status.as_ref()?.conditions.first()
}

/// Asserts that exactly one of the three conditions is True, at most one while suspended, and that each has the
/// generation of the status.
pub(super) fn check_conditions(object: &ProviderSecret) {
    let Some(status) = &object.status else { return };
    if status.conditions.is_empty() {
        return;
    }
    let is_true =
        |condition: &&Condition| condition.status == "True" && condition.r#type != "Suspended";
    let count = status.conditions.iter().filter(is_true).count();
    let is_suspended = condition(object, "Suspended").is_some();
    let allowed = if is_suspended { 0..=1 } else { 1..=1 };
    assert!(allowed.contains(&count), "{:#?}", status.conditions);
    let is_false_ready = condition(object, "Ready").is_some_and(|ready| ready.status != "True");
    assert!(!is_suspended || !is_false_ready, "{:#?}", status.conditions);
    for condition in &status.conditions {
        assert_eq!(condition.observed_generation, status.observed_generation);
        assert!(!condition.message.is_empty());
    }
}
