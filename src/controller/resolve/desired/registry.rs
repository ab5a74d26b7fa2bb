//! Credentials for registries: what a `kubernetes.io/dockerconfigjson` Secret or a key holds, in the
//! form that goes over the wire. Pure, and never a word of what was read in an error.

use std::collections::BTreeMap;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use url::Url;
use zeroize::Zeroizing;

use crate::controller::plan::Marks;

/// Docker writes padding and some others do not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// A message names up to this many registries, and counts more.
const NAMED: usize = 5;

/// A registry and the credential for it.
pub(crate) struct Login {
    /// The registry as a URL.
    pub(crate) host: String,
    /// The base64 of `user:token`.
    pub(crate) credential: SecretString,
}

impl Login {
    /// What of the credential is sent and hardly meant, whatever form it was stored in. A byte order mark before the
    /// token is as wrong as one before the user.
    pub(crate) fn marks(&self) -> Marks {
        use secrecy::ExposeSecret as _;
        let pair = STANDARD.decode(self.credential.expose_secret());
        let pair = Zeroizing::new(pair.unwrap_or_default());
        let token = pair.splitn(2, |byte| *byte == b':').nth(1);
        let marks = Marks::of(&pair);
        Marks {
            has_byte_order_mark: marks.has_byte_order_mark
                || Marks::of(token.unwrap_or_default()).has_byte_order_mark,
            ..marks
        }
    }
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not the JSON of such a Secret.
    NotJson,
    /// It is for no registry yet.
    Empty,
    /// The credential, or a half of it, is empty.
    Blank,
    /// It is for several registries, and none was named.
    Several(Registries),
    /// It is not for the registry that was named.
    NoSuchHost(Registries),
    /// The registry, or what stands for it, is none.
    InvalidHost,
    /// There is neither `auth` nor both `username` and `password`.
    NoCredential,
    /// There is a token that Docker sends by itself, and no user and token.
    LoneToken,
    /// It is neither `user:token` nor the base64 of that.
    NotUserToken,
}

/// The registries that credentials are for: their names, if these are few and plain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Registries {
    /// Their names.
    Named(Vec<String>),
    /// How many there are.
    Counted(usize),
}

/// What of `.dockerconfigjson` matters.
#[derive(Deserialize)]
struct Config {
    auths: BTreeMap<String, Kept>,
}

impl Config {
    /// Whether all of it is one credential for one registry, perhaps under several of its names.
    fn is_one_login(&self) -> bool {
        let first = self.auths.first_key_value();
        first.is_some_and(|(first, credential)| {
            let mut auths = self.auths.iter();
            auths.all(|(name, kept)| registry(name) == registry(first) && kept == credential)
        })
    }
}

/// What is kept for one registry.
#[derive(Deserialize, PartialEq)]
struct Kept {
    auth: Option<Hidden>,
    username: Option<Hidden>,
    password: Option<Hidden>,
    #[serde(rename = "identitytoken")]
    identity_token: Option<Hidden>,
    #[serde(rename = "registrytoken")]
    registry_token: Option<Hidden>,
}

impl Kept {
    /// The base64 of `user:token`.
    fn credential(&self) -> Result<SecretString, Fault> {
        let (auth, username) = (given(self.auth.as_ref()), given(self.username.as_ref()));
        match (auth, username, given(self.password.as_ref())) {
            (Some(auth), ..) => recoded(auth.as_bytes()),
            (None, Some(username), Some(password)) => {
                let pair = Zeroizing::new(format!("{username}:{password}"));
                encoded(pair.as_bytes())
            }
            (None, ..) if self.is_blank() => Err(Fault::Blank),
            (None, ..) => Err(Fault::NoCredential),
        }
    }

    /// Whether there is a token that Docker sends instead of a user and a token: some registries give one at a login,
    /// and leave the rest blank for ever.
    fn has_lone_token(&self) -> bool {
        let tokens = [self.identity_token.as_ref(), self.registry_token.as_ref()];
        tokens.into_iter().any(|token| given(token).is_some())
    }

    /// Whether there are a user and a token, or both in one, of which something is empty.
    fn is_blank(&self) -> bool {
        let is_empty = |hidden: &Option<Hidden>| hidden.as_ref().map(|text| text.0.is_empty());
        match (is_empty(&self.username), is_empty(&self.password)) {
            (Some(user), Some(token)) => user || token,
            _ => is_empty(&self.auth) == Some(true),
        }
    }
}

/// What a text holds, if it holds anything.
fn given(hidden: Option<&Hidden>) -> Option<&str> {
    let text = hidden.map(|hidden| hidden.0.as_str());
    text.filter(|text| !text.is_empty())
}

/// A text that is erased when it is dropped.
#[derive(PartialEq)]
struct Hidden(Zeroizing<String>);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// The credential in `.dockerconfigjson` for `host`, or for the one registry that there is.
pub(crate) fn from_config(json: &[u8], host: Option<&str>) -> Result<Login, Fault> {
    if json.trim_ascii().is_empty() {
        return Err(Fault::Blank);
    }
    // What serde says may quote what it read.
    let config: Config = serde_json::from_slice(json).map_err(|_| {
        let marks = json.iter().filter(|byte| !byte.is_ascii_whitespace());
        if marks.eq(b"{}") {
            Fault::Empty
        } else {
            Fault::NotJson
        }
    })?;
    if config.auths.is_empty() {
        return Err(Fault::Empty);
    }
    let (name, kept) = match host {
        Some(host) => config
            .auths
            .iter()
            .filter(|(name, _)| registry(name) == registry(host))
            // Of several names of one registry the one that was asked for.
            .min_by_key(|(name, _)| bare(name) != bare(host))
            .ok_or_else(|| Fault::NoSuchHost(Registries::of(&config)))?,
        None if !config.is_one_login() => return Err(Fault::Several(Registries::of(&config))),
        None => config.auths.first_key_value().ok_or(Fault::Empty)?,
    };
    let credential = kept.credential().map_err(|fault| match fault {
        Fault::Blank | Fault::NoCredential if kept.has_lone_token() => Fault::LoneToken,
        fault => fault,
    })?;
    let host = url(name)?;
    Ok(Login { host, credential })
}

/// The credential for `host` in a key: `user:token`, or the base64 of that.
pub(crate) fn from_key(bytes: &[u8], host: &str) -> Result<Login, Fault> {
    if bytes.trim_ascii().is_empty() {
        return Err(Fault::Blank);
    }
    let credential = if is_plain(bytes) {
        encoded(bytes)?
    } else {
        recoded(bytes)?
    };
    // The schema refuses it, and has let it pass before: the provider would send the credential in the clear.
    if split_scheme(host).0 == Some("http://") {
        return Err(Fault::InvalidHost);
    }
    let host = url(host)?;
    Ok(Login { host, credential })
}

/// Whether a key holds `user:token` as it is: base64 has no colon.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.contains(&b':')
}

fn encoded(pair: &[u8]) -> Result<SecretString, Fault> {
    // NUL is of a text in UTF-16.
    let colon = pair.iter().position(|byte| *byte == b':');
    let Some(colon) = colon.filter(|_| !pair.contains(&0)) else {
        return Err(Fault::NotUserToken);
    };
    if colon > 0 && colon + 1 < pair.len() {
        Ok(SecretString::from(STANDARD.encode(pair)))
    } else {
        Err(Fault::Blank)
    }
}

/// The same credential in the one spelling of base64 that every decoder reads. White space belongs to the file that it
/// came from: `base64` ends a line after 76 characters.
fn recoded(base64: &[u8]) -> Result<SecretString, Fault> {
    // With room for all of it, because a buffer that grows leaves copies behind that are never erased.
    let mut letters = Zeroizing::new(Vec::<u8>::with_capacity(base64.len()));
    let is_letter = |byte: &u8| !byte.is_ascii_whitespace();
    letters.extend(base64.iter().copied().filter(is_letter));
    let pair = LENIENT.decode(letters.as_slice());
    let pair = pair.map_err(|_| Fault::NotUserToken)?;
    encoded(&Zeroizing::new(pair))
}

/// A registry without scheme and slash at the end. `/v1/` and `/v2/` name versions of Docker's API
/// and not a registry: kubelet leaves them out too.
fn bare(host: &str) -> String {
    let lower = host.to_ascii_lowercase();
    let bare = split_scheme(&lower).1.trim_end_matches('/');
    let bare = bare
        .strip_suffix("/v1")
        .or_else(|| bare.strip_suffix("/v2"))
        .unwrap_or(bare);
    bare.trim_end_matches('/').to_owned()
}

/// A registry whatever it is called: Docker Hub has three names (docs/reference.md#image-pull-secrets).
fn registry(host: &str) -> String {
    const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
    let bare = bare(host);
    if DOCKER_HUB.contains(&bare.as_str()) {
        DOCKER_HUB[0].to_owned()
    } else {
        bare
    }
}

/// The scheme of a registry, however it is written, and the rest.
fn split_scheme(host: &str) -> (Option<&'static str>, &str) {
    let split = ["https://", "http://"].into_iter().find_map(|scheme| {
        let (head, rest) = host.split_at_checked(scheme.len())?;
        let is_scheme = head.eq_ignore_ascii_case(scheme);
        is_scheme.then_some((Some(scheme), rest))
    });
    split.unwrap_or((None, host))
}

/// The registry as a URL, with the path it has (docs/vendors.md#pc-6).
fn url(host: &str) -> Result<String, Fault> {
    let (scheme, name) = split_scheme(host);
    let url = format!("{}{name}", scheme.unwrap_or("https://"));
    if is_registry(name) && Url::parse(&url).is_ok() {
        Ok(url)
    } else {
        Err(Fault::InvalidHost)
    }
}

/// Whether a name without its scheme is one that the schema allows in `host`: another scheme, a pattern or a credential in
/// it would be sent for a registry that is none.
fn is_registry(name: &str) -> bool {
    let (place, path) = name.split_once('/').unwrap_or((name, ""));
    let (host, port) = place.split_once(':').unwrap_or((place, "443"));
    let is_plain = |letter: char| letter.is_ascii_alphanumeric();
    let holds_only = |text: &str, marks: &str| {
        let is_known = |letter: char| is_plain(letter) || marks.contains(letter);
        text.chars().all(is_known)
    };
    host.starts_with(is_plain)
        && host.ends_with(is_plain)
        && holds_only(host, "-.")
        && (1..=5).contains(&port.len())
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && holds_only(path, "-._~/")
}

impl Registries {
    fn of(config: &Config) -> Self {
        let hosts = || config.auths.keys().map(|name| split_scheme(name).1);
        let is_plain = |host: &str| host.len() <= 253 && is_registry(host);
        if hosts().count() <= NAMED && hosts().all(is_plain) {
            Self::Named(hosts().map(str::to_owned).collect())
        } else {
            Self::Counted(hosts().count())
        }
    }
}

#[cfg(test)]
mod tests;
