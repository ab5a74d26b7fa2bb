//! Reading from the API server: thin, with words of our own for what fails.

mod error;
mod facts;

use std::{cell::Cell, future::Future, process::ExitCode, rc::Rc};

use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::Value;

pub(super) use self::{
    error::{ANSWER_TIMEOUT, is_of_kind, is_transient, refused},
    facts::{EventFact, SecretFact, SecretValues, known},
};
use super::{
    answer::{Answered, DONE, FAILED, Refusal, TIMEOUT},
    cluster::{self, Named},
    finish,
    flags::{ClusterFlags, Scope},
    say,
    view::{namespaced_name, object_name, path_name},
    wait::Wait,
};
use crate::{
    api::{GROUP, ProviderSecret},
    controller::Guarded,
    telemetry::visible,
};

/// Objects of one page of a list, as for kubectl.
const PAGE: u32 = 500;

/// What could be read, or why not, in words that go behind "because".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known<T> {
    /// It was read.
    Read(T),
    /// It could not be read.
    Unread(String),
}

impl<T> Known<T> {
    /// What was read.
    pub(super) fn read(&self) -> Option<&T> {
        match self {
            Self::Read(read) => Some(read),
            Self::Unread(_) => None,
        }
    }
}

/// The objects that a user may list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visible<T> {
    pub(super) found: Known<Vec<T>>,
    /// Why it is not those of all namespaces.
    pub(super) narrowed: Option<String>,
}

impl<T> Visible<T> {
    /// The objects, where they are all or none.
    pub(super) fn whole(found: Known<Vec<T>>) -> Self {
        Self {
            found,
            narrowed: None,
        }
    }

    /// Why there may be other objects; none if these are all.
    pub(super) fn lacks(&self) -> Option<&str> {
        match &self.found {
            Known::Read(_) => self.narrowed.as_deref(),
            Known::Unread(why) => Some(why),
        }
    }
}

/// The API server, with the rights of the user.
pub(super) struct Reader {
    pub(super) client: Client,
    /// The namespace of the flags, else of the context.
    pub(super) namespace: String,
    /// Whether an object was left out because it does not decode, or is not there.
    is_incomplete: Rc<Cell<bool>>,
}

/// Runs a command that reads from an API server.
pub(super) fn on_cluster(
    flags: &ClusterFlags,
    command: impl AsyncFnOnce(Reader) -> Answered,
) -> ExitCode {
    let answered = connected(flags, async |reader| {
        let is_incomplete = Rc::clone(&reader.is_incomplete);
        let mut answer = command(reader).await?;
        if is_incomplete.get() && answer.code == DONE {
            answer.code = FAILED;
        }
        Ok(answer)
    });
    finish(answered)
}

/// What is read from an API server.
pub(super) fn connected<T>(
    flags: &ClusterFlags,
    read: impl AsyncFnOnce(Reader) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let provider = rustls::crypto::ring::default_provider();
    // An error means that there is one, which can be only this one.
    let _ = provider.install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|_| Refusal::failed("the runtime could not be started"))?;
    let answered = runtime.block_on(async { read(Reader::connect(flags).await?).await });
    // A lookup of a name that gets no answer would hold up the end.
    runtime.shutdown_background();
    answered
}

impl Reader {
    async fn connect(flags: &ClusterFlags) -> Result<Self, Refusal> {
        let named = Named {
            file: flags.kubeconfig(),
            context: flags.context(),
        };
        let namespace = flags.namespace()?.map(str::to_owned);
        let client = cluster::client(named).await;
        let client = client.map_err(|what| Refusal::failed(format!("no cluster: {what}")))?;
        let namespace = match namespace {
            Some(given) => given,
            None => path_name(client.default_namespace())?.to_owned(),
        };
        Ok(Self::new(client, namespace))
    }

    pub(super) fn new(client: Client, namespace: String) -> Self {
        Self {
            client,
            namespace,
            is_incomplete: Rc::default(),
        }
    }

    /// The same API server, for the objects of a namespace.
    pub(super) fn within(&self, namespace: &str) -> Self {
        Self {
            client: self.client.clone(),
            namespace: namespace.to_owned(),
            is_incomplete: Rc::clone(&self.is_incomplete),
        }
    }

    /// Whether an object was left out because it does not decode, or is not there.
    pub(super) fn is_incomplete(&self) -> bool {
        self.is_incomplete.get()
    }

    /// The object in what was read. One that does not decode is told, left out, and makes the exit code 1.
    pub(super) fn decoded(&self, read: Guarded) -> Option<ProviderSecret> {
        let (namespace, name) = (read.namespace().unwrap_or_default(), read.name_any());
        let object = read.0.ok().map(printable);
        if object.is_none() {
            say(&undecodable(&namespace, &name).text);
            self.is_incomplete.set(true);
        }
        object
    }

    /// The API of the objects in the namespace, or in all.
    pub(super) fn api<K>(&self, scope: &Scope) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        if scope.all_namespaces {
            Api::all(self.client.clone())
        } else {
            Api::namespaced(self.client.clone(), &self.namespace)
        }
    }

    /// One object of the namespace, by NAME or KIND/NAME.
    pub(super) async fn object(&self, name: &str) -> Result<ProviderSecret, Refusal> {
        let name = object_name(name)?;
        let found = self.find(&self.namespace, name).await?;
        found.ok_or_else(|| self.no_object(name))
    }

    /// This very object, in a wait; none if it is gone. What heals by itself is tried again until the wait is over.
    pub(super) async fn awaited(
        &self,
        object: &ProviderSecret,
        wait: Wait,
    ) -> Result<Option<ProviderSecret>, Refusal> {
        let (namespace, name) = namespaced_name(object);
        loop {
            match wait.look(self.find(&namespace, &name)).await {
                Ok(found) => {
                    return Ok(found.filter(|found| found.metadata.uid == object.metadata.uid));
                }
                Err(refusal) => {
                    let waited = wait.after(refusal).await;
                    waited.map_err(|refusal| match refusal.code {
                        TIMEOUT => Refusal::timeout(format!(
                            "{}; see kubectl provider-secrets why {name} -n {namespace}",
                            refusal.text
                        )),
                        _ => refusal,
                    })?;
                }
            }
        }
    }

    /// One object; none if there is none.
    pub(super) async fn find(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<ProviderSecret>, Refusal> {
        let api: Api<Guarded> = Api::namespaced(self.client.clone(), namespace);
        let what = format!("get providersecret {name}");
        let call = async {
            match api.get(name).await {
                // Without its definition no object is there, and the reason is another.
                Err(kube::Error::Api(status))
                    if status.code == 404 && !is_of_kind(&status.message) =>
                {
                    Ok(None)
                }
                read => read.map(Some),
            }
        };
        let read = bounded(&what, Some(namespace), call).await?;
        let decoded = read.map(|read| read.0.map(printable)).transpose();
        decoded.map_err(|_| undecodable(namespace, name))
    }

    /// What `map` makes of each object of the scope, in the order of the API server; page by page, so that many
    /// objects take no more memory than what is made of them.
    pub(super) async fn each<T>(
        &self,
        scope: &Scope,
        mut map: impl FnMut(ProviderSecret) -> T,
    ) -> Result<Vec<T>, Refusal> {
        let api: Api<Guarded> = self.api(scope);
        let mut parameters = ListParams::default().limit(PAGE);
        parameters.label_selector = scope.selector.clone();
        let namespace = (!scope.all_namespaces).then_some(self.namespace.as_str());
        let (mut all, what) = (Vec::new(), scope.question("list"));
        loop {
            let page = bounded(&what, namespace, api.list(&parameters)).await?;
            let objects = page.items.into_iter().filter_map(|read| self.decoded(read));
            all.extend(objects.map(&mut map));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters.continue_token = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// What `map` makes of each object of all namespaces, or of the reader's where the user may not list all. What fails
    /// otherwise is no reason to look at less.
    pub(super) async fn each_visible<T>(&self, map: impl Fn(ProviderSecret) -> T) -> Visible<T> {
        match self.each(&Scope::everywhere(), &map).await {
            Err(refusal) if refusal.is_forbidden => Visible {
                found: known(self.each(&Scope::default(), &map).await),
                narrowed: Some(refusal.text),
            },
            read => Visible::whole(known(read)),
        }
    }

    /// The objects that are named, else those of the scope. As by kubectl a name of none is told, hides no other, and makes
    /// the exit code 1.
    ///
    /// # Errors
    /// They could not be read, or none of the names is one.
    pub(super) async fn objects(
        &self,
        names: &[String],
        scope: &Scope,
    ) -> Result<Vec<ProviderSecret>, Refusal> {
        if names.is_empty() {
            return self.each(scope, |object| object).await;
        }
        scope.allows(names)?;
        let (mut objects, mut missing) = (Vec::new(), None);
        for name in names {
            let name = object_name(name)?;
            if let Some(found) = self.find(&self.namespace, name).await? {
                objects.push(found);
            } else if let Some(former) = missing.replace(self.no_object(name)) {
                say(&former.text);
            }
        }
        match missing {
            Some(missing) if objects.is_empty() => Err(missing),
            Some(missing) => {
                say(&missing.text);
                self.is_incomplete.set(true);
                Ok(objects)
            }
            None => Ok(objects),
        }
    }

    fn no_object(&self, name: &str) -> Refusal {
        Refusal::failed(format!(
            "there is no ProviderSecret {name} in namespace {}",
            self.namespace
        ))
    }

    /// Merges a patch into an object.
    pub(super) async fn patch(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<ProviderSecret, Refusal> {
        let api: Api<ProviderSecret> = Api::namespaced(self.client.clone(), namespace);
        let parameters = PatchParams {
            field_manager: Some(format!("{GROUP}-cli")),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(patch);
        let what = format!("patch providersecret {name}");
        bounded(&what, Some(namespace), api.patch(name, &parameters, &patch)).await
    }
}

/// Bounds a call, and gives its failure words.
pub(super) async fn bounded<T>(
    what: &str,
    namespace: Option<&str>,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(ANSWER_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let text = refused(what, namespace, &error);
            Err(Refusal {
                is_transient: is_transient(&error),
                is_forbidden: matches!(&error, kube::Error::Api(status) if status.code == 403),
                ..Refusal::failed(text)
            })
        }
        Err(_) => Err(Refusal::transient(format!(
            "the API server did not answer in time to: {what}"
        ))),
    }
}

/// An object whose status a terminal does not act on: every user who may write it writes its texts.
fn printable(mut object: ProviderSecret) -> ProviderSecret {
    let Some(status) = &mut object.status else {
        return object;
    };
    let clean = |text: &mut String| *text = visible(text);
    for condition in &mut status.conditions {
        for text in [
            &mut condition.r#type,
            &mut condition.status,
            &mut condition.reason,
            &mut condition.message,
        ] {
            clean(text);
        }
    }
    for text in [&mut status.provider, &mut status.scope, &mut status.summary] {
        text.iter_mut().for_each(clean);
    }
    for source in &mut status.sources {
        clean(&mut source.resource_version);
    }
    for entry in &mut status.entries {
        clean(&mut entry.name);
        entry.reason.iter_mut().for_each(clean);
    }
    object
}

fn undecodable(namespace: &str, name: &str) -> Refusal {
    Refusal::failed(format!(
        "providersecret {namespace}/{name} does not fit the resource that this program knows: see kubectl get psec {name} -n {namespace} -o yaml"
    ))
}

#[cfg(test)]
mod tests;
