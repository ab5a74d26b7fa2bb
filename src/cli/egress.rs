//! The flags of how connections to providers leave the cluster.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::http_url;
use crate::{
    account::EndpointFlag,
    http::{Egress, Proxy},
};

/// Hosts that are never reached through a proxy.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// Where the endpoints of providers are, for the commands beside `run`.
#[derive(Args, Debug)]
pub(super) struct EndpointFlags {
    /// Base URL of an endpoint, as for `run`
    #[arg(
        long = "endpoint",
        value_name = "PROVIDER[/NAME]=URL",
        env = "PROVIDER_SECRETS_ENDPOINT",
        value_delimiter = ','
    )]
    pub(super) endpoint: Vec<EndpointFlag>,
}

/// How connections to providers leave the cluster.
#[derive(Args, Debug)]
pub(super) struct EgressFlags {
    /// URL of a proxy for the requests to providers, by CONNECT; never taken from the environment
    #[arg(
        long,
        value_name = "URL",
        env = "PROVIDER_SECRETS_HTTPS_PROXY",
        value_parser = proxy
    )]
    https_proxy: Option<Url>,

    /// A file that holds USER:PASSWORD for the proxy; it is read again when it changes
    #[arg(
        long,
        value_name = "FILE",
        env = "PROVIDER_SECRETS_HTTPS_PROXY_CREDENTIALS",
        requires = "https_proxy"
    )]
    https_proxy_credentials: Option<PathBuf>,

    /// Hosts, domains and networks that are reached without the proxy, with commas between them
    #[arg(
        long,
        value_name = "LIST",
        env = "PROVIDER_SECRETS_NO_PROXY",
        default_value = ""
    )]
    no_proxy: String,

    /// A file of PEM certificates of CAs that are trusted beside those of the system; it is read again
    /// when it changes
    #[arg(long, value_name = "FILE", env = "PROVIDER_SECRETS_CA_BUNDLE")]
    ca_bundle: Option<PathBuf>,
}

impl EgressFlags {
    pub(super) fn egress(&self) -> Egress {
        let proxy = self.https_proxy.clone().map(|url| Proxy {
            url,
            credentials: self.https_proxy_credentials.clone(),
            no_proxy: match self.no_proxy.as_str() {
                "" => LOOPBACK.to_owned(),
                hosts => format!("{LOOPBACK},{hosts}"),
            },
        });
        Egress {
            proxy,
            ca_bundle: self.ca_bundle.clone(),
        }
    }
}

fn proxy(text: &str) -> Result<Url, &'static str> {
    let url = http_url(text)?;
    if url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        // Users who may list processes or pods see flags.
        Err("credentials belong into the file of --https-proxy-credentials")
    }
}
