//! The one entry of an image pull secret.

use super::{
    Sources, missing,
    registry::{Fault, Login, Registries, from_config, from_key},
    value::{empty_key, no_key},
};
use crate::{
    api::{ImagePullSecret, ImagePullSource, Reason},
    controller::{error::Failure, plan::DesiredEntry},
    provider::{Options, Rules},
};

/// The key of a `kubernetes.io/dockerconfigjson` Secret.
const CONFIG: &str = ".dockerconfigjson";
/// The key of its predecessor, whose JSON is another.
const OLD_CONFIG: &str = ".dockercfg";

/// The wanted image pull secret `set`.
pub(crate) fn image_pull(
    set: &str,
    spec: &ImagePullSecret,
    sources: &Sources,
    rules: &Rules,
) -> DesiredEntry {
    let source = spec.source();
    let field = format!("spec.provider.{}.imagePullSecret.host", rules.kind.member());
    let login = source.map_or_else(
        || Err(no_source()),
        |source| login(set, source, sources, &field),
    );
    let login = login.and_then(|login| {
        (rules.check_name)(set).map_err(|reason| {
            let message = format!(
                "{} does not take the set name {set}: a name {}. Give another setName.",
                rules.kind, rules.name_rule
            );
            Failure::config(reason, message)
        })?;
        Ok(login)
    });
    let marks = login.as_ref().map(Login::marks).unwrap_or_default();
    let (host, value) = match login {
        Ok(Login { host, credential }) => (Some(host), Ok(credential)),
        Err(failure) => (None, Err(failure)),
    };
    DesiredEntry {
        name: set.to_owned(),
        folded: (rules.fold)(set),
        options: Options {
            host,
            ..Options::default()
        },
        value,
        secret: source.map_or_else(String::new, |source| source.secret_name().to_owned()),
        bulk: None,
        marks,
    }
}

/// The credential. `field` is where the spec may name the registry.
fn login(
    set: &str,
    source: ImagePullSource<'_>,
    sources: &Sources,
    field: &str,
) -> Result<Login, Failure> {
    let secret = source.secret_name();
    let data = match sources.get(secret) {
        Some(Ok(data)) => data,
        Some(Err(failure)) => return Err(failure.clone()),
        None => return Err(missing(secret)),
    };
    match source {
        ImagePullSource::Config { host, .. } => match data.get(CONFIG) {
            Some(json) => from_config(json, host).map_err(|fault| match fault {
                Fault::Blank if json.trim_ascii().is_empty() => empty_key(secret, CONFIG, set),
                fault => config_failure(fault, secret, host, field),
            }),
            // It is filled in a moment, perhaps.
            None if data.is_empty() => Err(no_key(secret, CONFIG, set)),
            None if data.contains_key(OLD_CONFIG) => Err(old(secret)),
            None => Err(no_config(secret)),
        },
        ImagePullSource::Key { key, host } => match data.get(&key.key) {
            Some(bytes) => from_key(bytes, host).map_err(|fault| match fault {
                Fault::Blank if bytes.trim_ascii().is_empty() => empty_key(secret, &key.key, set),
                fault => key_failure(&fault, secret, &key.key, field),
            }),
            None => Err(no_key(secret, &key.key, set)),
        },
    }
}

fn no_source() -> Failure {
    let message = "Give imagePullSecret either secretRef, or secretKeyRef together with host.";
    Failure::config(Reason::InvalidSpec, message)
}

fn old(secret: &str) -> Failure {
    let message = format!(
        "Secret {secret} has the old type kubernetes.io/dockercfg, which is not read. Make it anew with kubectl create secret docker-registry."
    );
    Failure::config(Reason::Unsupported, message)
}

fn no_config(secret: &str) -> Failure {
    let message = format!(
        "Secret {secret} has no key {CONFIG}, as one of the type kubernetes.io/dockerconfigjson has. Make it with kubectl create secret docker-registry, or give secretKeyRef and host instead of secretRef."
    );
    Failure::config(Reason::Unsupported, message)
}

/// A credential that another controller may fill in a moment.
fn unfilled(what: &str) -> Failure {
    let message = format!("{what}. It is used as soon as it is filled.");
    Failure::waiting(Reason::EmptyValue, message)
}

/// Why a `kubernetes.io/dockerconfigjson` Secret gives no credential.
fn config_failure(fault: Fault, secret: &str, host: Option<&str>, field: &str) -> Failure {
    let (reason, message) = match fault {
        Fault::Empty => {
            return unfilled(&format!(
                "Secret {secret} holds no credential for any registry yet"
            ));
        }
        Fault::Blank => {
            return unfilled(&format!(
                "In what Secret {secret} holds for the registry the user or the token is empty"
            ));
        }
        Fault::NotJson => (
            Reason::InvalidEncoding,
            format!(
                "Key {CONFIG} of Secret {secret} is not the JSON that Docker keeps credentials in. Make the Secret with kubectl create secret docker-registry."
            ),
        ),
        Fault::Several(registries) => (
            Reason::InvalidSpec,
            format!(
                "Secret {secret} holds credentials for {}. Name one in {field}.",
                names_of(&registries)
            ),
        ),
        Fault::NoSuchHost(registries) => (
            Reason::InvalidSpec,
            format!(
                "Secret {secret} holds no credential for {}, but for {}. Correct {field} or the Secret.",
                host.unwrap_or_default(),
                names_of(&registries)
            ),
        ),
        Fault::InvalidHost => (
            Reason::InvalidEncoding,
            format!(
                "What Secret {secret} names as the registry of its credential is not a host. Make the Secret with kubectl create secret docker-registry."
            ),
        ),
        Fault::NoCredential => (
            Reason::InvalidEncoding,
            format!(
                "Secret {secret} holds neither auth nor username and password for the registry. A credential helper cannot be asked: store the credential itself."
            ),
        ),
        Fault::LoneToken => (
            Reason::InvalidEncoding,
            format!(
                "Secret {secret} holds a token for the registry that Docker sends by itself, and no user and token. The provider takes a user and a token: store those, such as an access key of the registry."
            ),
        ),
        Fault::NotUserToken => (
            Reason::InvalidEncoding,
            format!(
                "What Secret {secret} holds for the registry is not the base64 of user:token. Make the Secret with kubectl create secret docker-registry."
            ),
        ),
    };
    Failure::config(reason, message)
}

/// Why a key gives no credential.
fn key_failure(fault: &Fault, secret: &str, key: &str, field: &str) -> Failure {
    if *fault == Fault::InvalidHost {
        let message =
            format!("{field} is not a registry that is reached by https. Write it like ghcr.io.");
        return Failure::config(Reason::InvalidSpec, message);
    }
    if *fault == Fault::Blank {
        return unfilled(&format!(
            "In key {key} of Secret {secret} the user or the token is empty"
        ));
    }
    let message = format!(
        "Key {key} of Secret {secret} is neither user:token nor the base64 of that. Store the credential in one of these forms."
    );
    Failure::config(Reason::InvalidEncoding, message)
}

fn names_of(registries: &Registries) -> String {
    match registries {
        Registries::Named(hosts) if hosts.is_empty() => "no registry".to_owned(),
        Registries::Named(hosts) => hosts.join(", "),
        Registries::Counted(count) => format!("{count} registries"),
    }
}
