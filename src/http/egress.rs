//! How connections to providers leave the cluster: through a proxy, and with which CAs.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Certificate, Client, ClientBuilder, NoProxy};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use url::Url;

/// How often a call looks at the files, at most. An idle operator reads nothing.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// How connections to providers leave the cluster. The default is: directly, with the CAs of the system.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// The proxy that https requests go through, by CONNECT; it sees host and port, and no more.
    pub proxy: Option<Proxy>,
    /// A file of PEM certificates of CAs that are trusted beside those of the system. It is read again when
    /// it changes.
    pub ca_bundle: Option<PathBuf>,
}

/// A proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Its URL, http or https, without credentials.
    pub url: Url,
    /// A file that holds `USER:PASSWORD`. It is read again when it changes.
    pub credentials: Option<PathBuf>,
    /// Hosts, domains and networks that are reached without it, with commas between them.
    pub no_proxy: String,
}

/// What is wrong with how connections would leave the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// There are no certificates of CAs, so no provider could be reached.
    #[error("no CA certificates were found; install them or set SSL_CERT_FILE")]
    NoAuthorities,
    /// The file of more CAs cannot be read, or holds no certificate.
    #[error("--ca-bundle: the file cannot be read or holds no PEM certificate")]
    Bundle,
    /// The file of the proxy's credentials cannot be read, or is not of that form.
    #[error("--https-proxy-credentials: the file cannot be read or is not USER:PASSWORD")]
    Credentials,
    /// The URL of the proxy is none.
    #[error("--https-proxy: the URL is no proxy's")]
    Proxy,
}

/// The files' contents that a client was made of.
struct Contents {
    bundle: Option<Vec<u8>>,
    credentials: Option<SecretString>,
}

impl Contents {
    fn read(egress: &Egress) -> Result<Self, EgressError> {
        let proxy = egress.proxy.as_ref();
        let credentials = proxy.and_then(|proxy| proxy.credentials.as_ref());
        let text = |path| fs::read_to_string(path).map(SecretString::from);
        let of = |what| move |_: io::Error| what;
        Ok(Self {
            bundle: (egress.ca_bundle.as_ref().map(fs::read).transpose())
                .map_err(of(EgressError::Bundle))?,
            credentials: (credentials.map(text).transpose())
                .map_err(of(EgressError::Credentials))?,
        })
    }

    fn is(&self, other: &Self) -> bool {
        self.bundle == other.bundle && self.credentials() == other.credentials()
    }

    fn credentials(&self) -> Option<&str> {
        self.credentials.as_ref().map(ExposeSecret::expose_secret)
    }
}

/// Makes a client that leaves the cluster so.
fn client(
    builder: ClientBuilder,
    egress: &Egress,
    contents: &Contents,
) -> Result<Client, EgressError> {
    let mut builder = builder;
    if let Some(bundle) = &contents.bundle {
        let certificates = Certificate::from_pem_bundle(bundle).map_err(|_| EgressError::Bundle)?;
        if certificates.is_empty() {
            return Err(EgressError::Bundle);
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(proxy) = &egress.proxy {
        let mut way = reqwest::Proxy::https(proxy.url.clone())
            .map_err(|_| EgressError::Proxy)?
            .no_proxy(NoProxy::from_string(&proxy.no_proxy));
        if let Some(credentials) = contents.credentials() {
            let (user, password) = (credentials.trim_end())
                .split_once(':')
                .filter(|(user, _)| !user.is_empty())
                .ok_or(EgressError::Credentials)?;
            way = way.basic_auth(user, password);
        }
        builder = builder.proxy(way);
    }
    builder.build().map_err(|_| match contents.bundle {
        // It held PEM, and no certificate in it.
        Some(_) => EgressError::Bundle,
        None => EgressError::NoAuthorities,
    })
}

/// Begins a client.
type Builder = Box<dyn Fn() -> ClientBuilder + Send>;

/// The client, made anew when a file has changed.
#[derive(Clone)]
pub(super) struct Clients(Arc<Mutex<Current>>);

struct Current {
    client: Client,
    contents: Contents,
    looked: Instant,
    egress: Egress,
    builder: Builder,
}

impl Clients {
    pub(super) fn new(builder: Builder, egress: Egress) -> Result<Self, EgressError> {
        let contents = Contents::read(&egress)?;
        Ok(Self(Arc::new(Mutex::new(Current {
            client: client(builder(), &egress, &contents)?,
            contents,
            looked: Instant::now(),
            egress,
            builder,
        }))))
    }

    pub(super) fn current(&self) -> Client {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= FILE_CHECK_INTERVAL {
            current.looked = Instant::now();
            current.reread();
        }
        current.client.clone()
    }
}

impl Current {
    /// Makes a client of what the files hold now. What cannot be used leaves the one there is: a mount that is
    /// being replaced is whole again a moment later.
    fn reread(&mut self) {
        let made = Contents::read(&self.egress).and_then(|contents| {
            if self.contents.is(&contents) {
                return Ok(None);
            }
            let client = client((self.builder)(), &self.egress, &contents)?;
            Ok(Some((client, contents)))
        });
        match made {
            Ok(None) => {}
            Ok(Some((client, contents))) => {
                tracing::info!("CAs or credentials of the proxy have changed and are used");
                (self.client, self.contents) = (client, contents);
            }
            Err(what) => tracing::warn!("what was read before is still used: {what}"),
        }
    }
}
