//! Endpoints: the operator's map from a name in the spec to a URL.
//!
//! No resource holds a URL, so a user who may write resources cannot send a key elsewhere. Plain
//! http is for loopback only, where simulators listen.

use std::{collections::HashMap, str::FromStr};

use url::{Host, Url};

use crate::{
    api::{ProviderKind, enumerated},
    http::Scheme,
    provider::{self, Choice, PROVIDERS},
};

/// The URLs of every provider's endpoints, and how the API key is sent to them.
#[derive(Clone, Debug)]
pub struct Endpoints {
    urls: HashMap<(ProviderKind, String), Url>,
    schemes: Vec<(ProviderKind, Scheme)>,
}

/// One `--endpoint PROVIDER[/NAME]=URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointFlag {
    kind: ProviderKind,
    name: String,
    url: Url,
}

impl Endpoints {
    /// The endpoints of the providers' descriptors and those of `flags`. A flag replaces an endpoint of the same name.
    pub fn new(flags: impl IntoIterator<Item = EndpointFlag>) -> Self {
        let built_in = PROVIDERS.into_iter().flat_map(|provider| {
            let endpoints = provider.endpoints.iter();
            endpoints.filter_map(|(name, url)| {
                Some(((provider.kind, (*name).to_owned()), Url::parse(url).ok()?))
            })
        });
        let given = flags
            .into_iter()
            .map(|flag| ((flag.kind, flag.name), flag.url));
        Self {
            urls: built_in.chain(given).collect(),
            schemes: Vec::new(),
        }
    }

    /// The same endpoints, with the schemes of the operator's flags in place of those of
    /// [`Rules::scheme`](crate::provider::Rules::scheme).
    pub fn with_schemes(self, schemes: Vec<(ProviderKind, Scheme)>) -> Self {
        Self { schemes, ..self }
    }

    /// How the API key is sent to the endpoints of a provider.
    pub fn scheme(&self, kind: ProviderKind) -> Scheme {
        let mut chosen = self.schemes.iter();
        let chosen = chosen.find(|(of, _)| *of == kind);
        chosen.map_or_else(|| provider::rules(kind).scheme, |(_, scheme)| *scheme)
    }

    /// Provider, name and URL of every endpoint, in the order of providers and names.
    pub fn all(&self) -> Vec<(ProviderKind, &str, &Url)> {
        let all = self.urls.iter();
        let mut all: Vec<_> = all
            .map(|((kind, name), url)| (*kind, &**name, url))
            .collect();
        all.sort_by_key(|(kind, name, _)| (*kind, *name));
        all
    }

    /// The URL of an endpoint, without the path of the provider's API.
    pub fn get(&self, kind: ProviderKind, name: &str) -> Option<&Url> {
        self.urls.get(&(kind, name.to_owned()))
    }
}

impl FromStr for EndpointFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (target, url) = text.split_once('=').ok_or("want PROVIDER[/NAME]=URL")?;
        let (kind, name) = target
            .split_once('/')
            .unwrap_or((target, Choice::DEFAULT_ENDPOINT));
        let kind = ProviderKind::ALL
            .into_iter()
            .find(|candidate| candidate.flag() == kind)
            .ok_or_else(|| {
                let flags = ProviderKind::ALL.map(ProviderKind::flag);
                format!("the provider is one of {}", enumerated(&flags))
            })?;
        let is_name = (1..=63).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-');
        if !is_name {
            return Err("the endpoint name holds lower-case letters, digits and - only".to_owned());
        }
        let url = Url::parse(url).map_err(|_| "this is not a URL")?;
        check(&url)?;
        Ok(Self {
            kind,
            name: name.to_owned(),
            url,
        })
    }
}

fn check(url: &Url) -> Result<(), String> {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err("the URL has no host".to_owned()),
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
        return Err("the URL must be https; http is for loopback only".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not hold credentials".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the URL must not have a query or fragment".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("baseten=https://api.example.com", true)]
    #[case("braintrust/self-hosted=https://braintrust.example.com/base", true)]
    #[case("pipecat=http://127.0.0.1:4000", true)]
    #[case("pipecat=http://[::1]:4000", true)]
    #[case("pipecat=http://localhost:4000", true)]
    #[case("pipecat=http://example.com", false)]
    #[case("pipecat=http://127.0.0.1.example.com", false)]
    #[case("pipecat=ftp://127.0.0.1", false)]
    #[case("Pipecat=https://example.com", false)]
    #[case("pipecat/=https://example.com", false)]
    #[case("pipecat/EU=https://example.com", false)]
    #[case("pipecat=https://user:word@example.com", false)]
    #[case("pipecat=https://example.com?x=1", false)]
    #[case("pipecat", false)]
    #[case("=https://example.com", false)]
    fn a_flag_is_checked(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(text.parse::<EndpointFlag>().is_ok(), accepted, "{text}");
    }

    #[test]
    fn a_flag_wins_over_what_is_built_in() {
        let flag = "baseten=https://baseten.example.com".parse().unwrap();
        let endpoints = Endpoints::new([flag]);
        let url = |kind, name| endpoints.get(kind, name).map(Url::as_str);
        assert_eq!(
            url(ProviderKind::Baseten, "default"),
            Some("https://baseten.example.com/")
        );
        assert_eq!(
            url(ProviderKind::Braintrust, "eu"),
            Some("https://api-eu.braintrust.dev/")
        );
        assert_eq!(url(ProviderKind::Baseten, "eu"), None);
    }
}
