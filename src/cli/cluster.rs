//! The way to the API server: of a kubeconfig, or of the ServiceAccount of the pod.
//!
//! Variables such as `HTTPS_PROXY` have no say in it. They are meant for the way to the internet, and
//! a proxy on the way to the API server would see its answers, or break them off. A proxy is used if
//! the cluster of the kubeconfig names one (`proxy-url`), as in kubectl.

mod connection;
mod kubectl;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use http::Uri;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// How long a connection to the API server may say nothing: longer than a watch lasts, after a
/// connection has been idle as long as it may.
const READ_TIMEOUT: Duration = Duration::from_secs(295);

/// Takes the place of a proxy, so that kube does not look for one in the environment. No connection is
/// made to it.
const NO_PROXY: &str = "http://none.invalid";

/// What is said of a kubeconfig from which no client can be made.
const UNUSABLE: &str = "the kubeconfig, or a file that it names, cannot be used";

/// Which kubeconfig is used, where the usual one is not meant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Named<'a> {
    /// The file.
    pub(super) file: Option<&'a Path>,
    /// The context.
    pub(super) context: Option<&'a str>,
}

impl Named<'_> {
    /// The kubeconfig, with the context that is meant as its current one.
    fn read(self) -> Option<Kubeconfig> {
        let mut kubeconfig = match self.file {
            Some(file) => Kubeconfig::read_from(file).ok()?,
            None => usual()?,
        };
        if let Some(context) = self.context {
            kubeconfig.current_context = Some(context.to_owned());
        }
        Some(kubeconfig)
    }

    /// Why there is no client, where a kubeconfig was read or not.
    fn missing(self, is_read: bool) -> String {
        match (self.file, self.context) {
            (None, None) if is_read => UNUSABLE.to_owned(),
            (None, None) => "there is neither a usable kubeconfig nor a ServiceAccount".to_owned(),
            (_, Some(context)) => format!("the kubeconfig has no usable context {context}"),
            (Some(file), None) => format!("{} is not a usable kubeconfig", file.display()),
        }
    }
}

/// The kubeconfig where no file is named.
#[expect(
    clippy::disallowed_methods,
    reason = "kube reads the same variable where no file of it is there"
)]
fn usual() -> Option<Kubeconfig> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    match existing(&listed).as_slice() {
        [] => Kubeconfig::read().ok(),
        files => merged(files),
    }
}

/// The files of a list that exist; kubectl leaves out the others too.
fn existing(list: &OsStr) -> Vec<PathBuf> {
    let files = std::env::split_paths(list).filter(|file| !file.as_os_str().is_empty());
    // A file that the user may not look at is an error.
    files
        .filter(|file| file.try_exists().unwrap_or(true))
        .collect()
}

/// What several files say: of two that say the same, the first one.
fn merged(files: &[PathBuf]) -> Option<Kubeconfig> {
    files
        .iter()
        .try_fold(Kubeconfig::default(), |merged, file| {
            let mut next = Kubeconfig::read_from(file).ok()?;
            // kubectl writes an empty one for none.
            next.current_context = next.current_context.filter(|name| !name.is_empty());
            merged.merge(next).ok()
        })
}

/// The client of the API server, or why there is none. The ServiceAccount of the pod is used where no
/// kubeconfig and no context is named.
pub(super) async fn client(named: Named<'_>) -> Result<Client, String> {
    let kubeconfig = named.read();
    let missing = named.missing(kubeconfig.is_some());
    let found = match kubeconfig {
        Some(kubeconfig) => of_kubeconfig(kubeconfig).await,
        None => None,
    };
    let is_named = named.file.is_some() || named.context.is_some();
    let found = found.or_else(|| if is_named { None } else { in_cluster() });
    let (config, proxy) = found.ok_or(missing)?;
    let config = bounded(kubectl::with_token(config)?);
    let is_known = |proxy: &Uri| matches!(proxy.scheme_str(), Some("http" | "https"));
    let parsed = |proxy: String| {
        let known = proxy.parse().ok().filter(is_known);
        known.ok_or("the proxy-url of the kubeconfig must begin with http:// or https://")
    };
    let proxy = proxy.map(parsed).transpose()?;
    connection::client(&config, proxy.as_ref()).map_err(|_| UNUSABLE.to_owned())
}

/// The configuration of the current context, and the proxy that its cluster names.
async fn of_kubeconfig(mut kubeconfig: Kubeconfig) -> Option<(Config, Option<String>)> {
    kubectl::without_empty(&mut kubeconfig);
    let context = kubeconfig.current_context.as_deref();
    let mut contexts = kubeconfig.contexts.iter();
    let context = contexts.find(|one| Some(one.name.as_str()) == context)?;
    let cluster = context.context.as_ref()?.cluster.clone();
    let mut proxy = None;
    for named in &mut kubeconfig.clusters {
        let Some(found) = &mut named.cluster else {
            continue;
        };
        let named_proxy = found.proxy_url.replace(NO_PROXY.to_owned());
        if named.name == cluster {
            proxy = named_proxy.filter(|proxy| !proxy.is_empty());
        }
    }
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.ok()?;
    // As for kubectl: without a namespace a path of the API server means all of them.
    if config.default_namespace.is_empty() {
        "default".clone_into(&mut config.default_namespace);
    }
    Some((config, proxy))
}

fn in_cluster() -> Option<(Config, Option<String>)> {
    Some((Config::incluster().ok()?, None))
}

fn bounded(mut config: Config) -> Config {
    config.proxy_url = None;
    // The queue and the watches retry by themselves; kube's own retry would hide an outage for
    // minutes (docs/architecture.md#calls-to-the-api-server).
    config.default_retry = false;
    // Nothing else bounds a list, and the opening of a watch, that are never answered.
    config.read_timeout = Some(READ_TIMEOUT);
    config
}

#[cfg(test)]
mod tests;
