//! A scene: one test's own namespace and provider account on a stage.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use provider_secrets::api::{Condition, ProviderSecret};
use serde_json::{Value, json};
use simulator::{Account, Exchange};

use super::{CANARY, Stage, Target, invariants, until};

/// How the lines of requests call the team of a scene at Baseten. Its id is the account's own: no two
/// organizations have a team of one id.
const TEAM: &str = "{team}";

/// One test's own namespace, with an account at the provider and its API key in the Secret
/// `credential`, key `api-key`.
pub(crate) struct Scene<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) target: Target,
    pub(crate) namespace: String,
    pub(crate) account: Account,
    pub(crate) key: String,
    /// What somebody else wrote at the provider, by scope and name.
    pub(crate) strangers: Mutex<Strangers>,
    /// The namespace whose account this scene uses, where it has none of its own.
    pub(crate) shares: Option<String>,
}

/// Values by scope and name.
pub(crate) type Strangers = BTreeMap<(Option<String>, String), String>;

impl<'a> Scene<'a> {
    /// Sets the scene.
    pub(crate) async fn new(stage: &'a Stage, target: Target) -> Self {
        Self::within(stage, target, &fresh_names().0).await
    }

    /// Sets the scene in a namespace of this name, which is made unless it is there.
    pub(crate) async fn within(stage: &'a Stage, target: Target, namespace: &str) -> Self {
        let namespace = namespace.to_owned();
        let key = format!("{CANARY}-key-of-{namespace}");
        let account = target.account(stage.simulator(), &namespace, &key);
        Self {
            stage,
            target,
            namespace,
            account,
            key,
            strangers: Mutex::default(),
            shares: None,
        }
        .open()
        .await
    }

    /// A scene in another namespace with an account and a key that are there.
    pub(crate) async fn beside(&self, account: &Account, key: &str) -> Scene<'a> {
        Scene {
            stage: self.stage,
            target: self.target,
            namespace: fresh_names().0,
            account: account.clone(),
            key: key.to_owned(),
            strangers: Mutex::default(),
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

    /// Makes the namespace and the credential.
    async fn open(self) -> Self {
        let scene = self;
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": scene.namespace}}))
                .expect("a namespace");
        let namespaces: Api<Namespace> = Api::all(scene.stage.client.clone());
        match namespaces.create(&PostParams::default(), &namespace).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            made => drop(made.expect("a namespace is made")),
        }
        scene.secret("credential", &[("api-key", &scene.key)]).await;
        scene
    }

    /// The id of the default team at Baseten.
    pub(crate) fn default_team(&self) -> String {
        Target::default_team(self.account.name())
    }

    /// A value that carries the canary.
    pub(crate) fn value(&self, text: &str) -> String {
        format!("{CANARY}-{}-{text}", self.namespace)
    }

    /// Replaces the API key by one that the operator has not seen: what it has learned of the account
    /// under the key before is no matter any more.
    pub(crate) async fn replace_key(&self) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let key = format!("{}-{}", self.key, COUNT.fetch_add(1, Ordering::Relaxed));
        self.account.add_key(&*key).expect("a key is added");
        self.secret("credential", &[("api-key", &key)]).await;
    }

    /// `spec.provider` for this scene's account.
    pub(crate) fn provider(&self) -> Value {
        self.target.provider_spec(self.account.name())
    }

    /// Names and values that the provider holds for this scene.
    pub(crate) fn held(&self) -> BTreeMap<String, String> {
        self.account.values(self.scope().as_deref())
    }

    /// Requests that wrote something at the provider, by method and path.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.account
            .writes()
            .iter()
            .map(|write| self.line(write))
            .collect()
    }

    /// Method and path of a request, with a name for this scene's team that is the same in all.
    pub(crate) fn line(&self, request: &Exchange) -> String {
        request.line().replace(&self.team(), TEAM)
    }

    /// The id of this scene's team at Baseten.
    pub(crate) fn team(&self) -> String {
        Target::team(self.account.name())
    }

    /// The same scene on a stage that changed meanwhile: its namespace, account and key.
    pub(crate) fn again(
        stage: &'a Stage,
        target: Target,
        (namespace, account, key): &(String, Account, String),
    ) -> Self {
        Self {
            stage,
            target,
            namespace: namespace.clone(),
            account: account.clone(),
            key: key.clone(),
            strangers: Mutex::default(),
            shares: None,
        }
    }

    /// What [`Scene::again`] needs.
    pub(crate) fn parts(&self) -> (String, Account, String) {
        (
            self.namespace.clone(),
            self.account.clone(),
            self.key.clone(),
        )
    }

    /// Waits until the provider holds exactly these.
    pub(crate) async fn wait_held(&self, wanted: &[(&str, &str)]) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let wanted: BTreeMap<String, String> = wanted.iter().map(owned).collect();
        until("the provider holds the values", async || {
            let held = self.held();
            if held == wanted {
                Ok(())
            } else {
                Err(format!("{:?}: it holds {held:?}", self.target))
            }
        })
        .await;
    }

    /// Makes or replaces a Secret with text values; its version afterwards.
    pub(crate) async fn secret(&self, name: &str, data: &[(&str, &str)]) -> String {
        let data: BTreeMap<&str, &[u8]> = data
            .iter()
            .map(|(key, value)| (*key, value.as_bytes()))
            .collect();
        self.binary_secret(name, &data).await
    }

    /// Makes or replaces a Secret with values of any bytes; its version afterwards.
    pub(crate) async fn binary_secret(&self, name: &str, data: &BTreeMap<&str, &[u8]>) -> String {
        let data: BTreeMap<String, k8s_openapi::ByteString> = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), k8s_openapi::ByteString(value.to_vec())))
            .collect();
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "data": data,
        });
        let parameters = PatchParams::apply("test").force();
        let secret = self
            .secrets()
            .patch(name, &parameters, &Patch::Apply(&secret))
            .await;
        secret
            .expect("a Secret is applied")
            .resource_version()
            .expect("a version")
    }

    /// Deletes a Secret.
    pub(crate) async fn delete_secret(&self, name: &str) {
        self.secrets()
            .delete(name, &DeleteParams::default())
            .await
            .expect("a Secret is deleted");
    }

    /// The Secrets of this namespace.
    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.stage.client.clone(), &self.namespace)
    }

    /// The objects of this namespace.
    pub(crate) fn objects(&self) -> Api<ProviderSecret> {
        Api::namespaced(self.stage.client.clone(), &self.namespace)
    }

    /// Applies an object whose `data` are (remote name, Secret, key).
    pub(crate) async fn object(&self, name: &str, data: &[(&str, &str, &str)]) {
        let data: Vec<Value> = data
            .iter()
            .map(|(entry, secret, key)| json!({"name": entry, "secretKeyRef": {"name": secret, "key": key}}))
            .collect();
        self.apply(name, json!({"provider": self.provider(), "data": data}))
            .await
            .expect("an object is applied");
    }

    /// Applies an object with this spec.
    pub(crate) async fn apply(&self, name: &str, spec: Value) -> kube::Result<ProviderSecret> {
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": name},
            "spec": spec,
        });
        let parameters = PatchParams::apply("test").force();
        self.objects()
            .patch(name, &parameters, &Patch::Apply(&object))
            .await
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn patch(&self, name: &str, patch: Value) -> kube::Result<ProviderSecret> {
        self.objects()
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
    }

    /// Waits until `Ready` has this reason for the newest generation, and gives the object. Checks
    /// that the conditions are consistent.
    pub(crate) async fn wait_reason(&self, name: &str, reason: &str) -> ProviderSecret {
        self.wait(name, reason, |object| {
            condition(object, "Ready").is_some_and(|ready| ready.reason == reason)
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

    /// Waits until an object is as wanted, having been acted on in its newest generation.
    pub(crate) async fn wait(
        &self,
        name: &str,
        what: &str,
        is_wanted: impl Fn(&ProviderSecret) -> bool,
    ) -> ProviderSecret {
        let object = until(&format!("{name} is {what}"), async || {
            let object = self
                .objects()
                .get(name)
                .await
                .map_err(|error| error.to_string())?;
            let observed = object
                .status
                .as_ref()
                .and_then(|status| status.observed_generation);
            if observed == object.metadata.generation && is_wanted(&object) {
                Ok(object)
            } else {
                Err(format!("{:#?}", object.status))
            }
        })
        .await;
        check_conditions(&object);
        object
    }

    /// Runs kubectl in this namespace as the administrator; its standard output.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        let arguments = [&["--namespace", self.namespace.as_str()], arguments].concat();
        self.stage.kubectl(&arguments, None).await
    }

    /// Runs kubectl in this namespace, which must fail; its standard error.
    pub(crate) async fn kubectl_refused(&self, arguments: &[&str], stdin: Option<&str>) -> String {
        let arguments = [&["--namespace", self.namespace.as_str()], arguments].concat();
        let output = self
            .stage
            .cluster
            .kubectl_output(&arguments, stdin)
            .await
            .expect("kubectl runs");
        assert!(
            !output.success,
            "kubectl {arguments:?} was accepted: {}",
            output.stdout
        );
        output.stderr
    }

    /// The columns that `kubectl get psec` shows of an object, its name and age left out.
    pub(crate) async fn columns(&self, name: &str) -> Vec<String> {
        let table = self.kubectl(&["get", "psec", name]).await;
        let mut lines = table.lines().map(str::split_whitespace);
        let heads: Vec<&str> = lines.next().expect("kubectl prints heads").collect();
        assert_eq!(
            heads,
            [
                "NAME",
                "PROVIDER",
                "READY",
                "REASON",
                "SYNCED",
                "LAST-SYNC",
                "AGE"
            ],
            "{table}"
        );
        let cells: Vec<String> = lines
            .next()
            .expect("kubectl prints a row")
            .map(str::to_owned)
            .collect();
        assert_eq!(cells[0], name, "{table}");
        cells[1..cells.len() - 1].to_vec()
    }

    /// Ends the test: checks what must hold whatever the test did, and that nothing is at the
    /// provider that no object wants.
    pub(crate) async fn finish(self) {
        invariants::check(&self, &[]).await;
    }

    /// The same where the test left these names at the provider on purpose.
    pub(crate) async fn finish_leaving(self, names: &[&str]) {
        invariants::check(&self, names).await;
    }
}

/// The names of a namespace and of a key that no other test has.
fn fresh_names() -> (String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    (format!("scene-{number}"), format!("{CANARY}-key-{number}"))
}

/// Plays a test at each of the five upstream APIs, side by side on the shared stage.
pub(crate) async fn at_each_api(play: impl AsyncFn(Scene<'static>)) {
    at_each_api_on(Stage::shared().await, play).await;
}

/// The same on another stage.
pub(crate) async fn at_each_api_on<'a>(stage: &'a Stage, play: impl AsyncFn(Scene<'a>)) {
    let play = &play;
    let plays = Target::ALL.map(async |target| play(Scene::new(stage, target).await).await);
    futures::future::join_all(plays).await;
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

/// Exactly one of the three conditions is True, but for what is suspended; each speaks of the
/// generation that status does.
pub(super) fn check_conditions(object: &ProviderSecret) {
    let Some(status) = &object.status else { return };
    if status.conditions.is_empty() {
        return;
    }
    let is_true = |condition: &&Condition| condition.status == "True";
    let count = status.conditions.iter().filter(is_true).count();
    let ready = condition(object, "Ready").expect("there is always a Ready condition");
    let allowed = if ready.reason == "Suspended" {
        0..=1
    } else {
        1..=1
    };
    assert!(allowed.contains(&count), "{:#?}", status.conditions);
    for condition in &status.conditions {
        assert_eq!(condition.observed_generation, status.observed_generation);
        assert!(!condition.message.is_empty());
    }
}
