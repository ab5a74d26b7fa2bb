//! The flags of how connections to providers leave the cluster.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;
use url::Url;

use super::http_url;
use crate::{
    account::EndpointFlag,
    http::{Egress, Proxy},
};

/// Hosts that are never reached through a proxy.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";
/// Every host, as the client takes it: its `*` is every name and no address.
const EVERY_HOST: &str = "*,0.0.0.0/0,::/0";

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
        default_value = "",
        value_parser = hosts
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

/// The items of `--no-proxy` as the client takes them. One that matches no host would send requests through the proxy in
/// silence.
fn hosts(text: &str) -> Result<String, &'static str> {
    let items = text.split(',').map(str::trim);
    let items = items.filter(|item| !item.is_empty()).map(|item| {
        // As many programs have it. The client knows the dot alone.
        let domain = item.strip_prefix('*');
        let domain = domain.filter(|domain| domain.starts_with('.'));
        let item = domain.unwrap_or(item);
        let taken = if item == "*" { EVERY_HOST } else { item };
        can_match(item).then_some(taken)
    });
    let items: Option<Vec<&str>> = items.collect();
    let items = items.map(|items| items.join(","));
    items.ok_or("want hosts, .domains, addresses and networks, with commas between them")
}

/// Whether an item matches any host: all, a network, an address, or a name with or without a dot before it.
fn can_match(item: &str) -> bool {
    if let Some((address, length)) = item.split_once('/') {
        let longest = match address.parse() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        let number = length.parse::<u8>().ok();
        return number.is_some_and(|number| number <= longest && number.to_string() == length);
    }
    let is_of_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_of_label);
    let mut labels = item.strip_prefix('.').unwrap_or(item).rsplit('.');
    // A host that ends with a number is an address.
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = labels.clone().all(is_label) && !labels.next().is_some_and(is_number);
    item == "*" || is_name || item.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        egress: EgressFlags,
    }

    #[rstest]
    #[case("", "")]
    #[case("*", "*,0.0.0.0/0,::/0")]
    #[case("a.test, *", "a.test,*,0.0.0.0/0,::/0")]
    #[case("api.corp.test, .corp.test ,,b", "api.corp.test,.corp.test,b")]
    #[case("*.corp.test", ".corp.test")]
    #[case("10.0.0.1,10.0.0.0/8,0.0.0.0/0", "10.0.0.1,10.0.0.0/8,0.0.0.0/0")]
    #[case("::1,fd00::/8,fd00::1/128", "::1,fd00::/8,fd00::1/128")]
    #[case("host_1,1.host-2", "host_1,1.host-2")]
    fn what_is_reached_without_the_proxy_is_as_the_client_takes_it(
        #[case] given: &str,
        #[case] taken: &str,
    ) {
        let flags = Flags::try_parse_from(["run", &format!("--no-proxy={given}")]);
        assert_eq!(flags.unwrap().egress.no_proxy, taken);
    }

    #[rstest]
    #[case("api.corp.test:443")]
    #[case("https://api.corp.test")]
    #[case("api.corp.test/path")]
    #[case("a.corp.test b.corp.test")]
    #[case("a.corp.test;b.corp.test")]
    #[case("*corp.test")]
    #[case("api.*.test")]
    #[case("*.")]
    #[case("..corp.test")]
    #[case("corp.test.")]
    #[case("10.0.0.0/33")]
    #[case("10.0.0.0/+8")]
    #[case("10.0.0.0/08")]
    #[case("10.0.0.0/255.0.0.0")]
    #[case("fd00::/129")]
    #[case("10.0.0")]
    #[case("10.0.0.256")]
    #[case("[::1]")]
    #[case("b\u{fc}ro.test")]
    fn what_can_match_no_host_is_refused(#[case] item: &str) {
        for list in [item.to_owned(), format!("localhost,{item}")] {
            let flags = Flags::try_parse_from(["run", &format!("--no-proxy={list}")]);
            let refusal = flags.expect_err(item);
            assert_eq!(refusal.exit_code(), 2, "{list}");
            let words = "want hosts, .domains, addresses and networks";
            assert!(refusal.to_string().contains(words), "{refusal}");
        }
    }
}
