//! The connections of a client of the API server. kube makes such a client too, but one that holds small packets back.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri};
use hyper::rt::{Read, Write};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{
        Builder,
        connect::{Connection, HttpConnector, proxy::Tunnel},
    },
    rt::TokioExecutor,
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt as _},
};
use percent_encoding::percent_decode_str;
use tower::{BoxError, Service, ServiceBuilder};

/// A client whose connections go through the proxy, if there is one.
pub(super) fn client(config: &Config, proxy: Option<&Uri>) -> kube::Result<Client> {
    let Some(proxy) = proxy else {
        return over(config, config.rustls_https_connector_with_connector(tcp())?);
    };
    let to_proxy = config.rustls_https_connector_with_connector(tcp())?;
    let mut tunnel = Tunnel::new(proxy.clone(), to_proxy);
    if let Some(authorization) = authorization(proxy) {
        tunnel = tunnel.with_auth(authorization);
    }
    over(
        config,
        config.rustls_https_connector_with_connector(tunnel)?,
    )
}

/// What is written is sent at once. Else a small packet can wait up to 40 ms until the other end acknowledges what was sent
/// before (docs/performance.md#what-costs-most).
fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

/// A client over these connections.
fn over<C>(config: &Config, connector: C) -> kube::Result<Client>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let mut connector = TimeoutConnector::new(connector);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    let connections = Builder::new(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(connections);
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// What the user and password of the proxy's URL are to the proxy.
fn authorization(proxy: &Uri) -> Option<HeaderValue> {
    let (user, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    let plain = percent_decode_str(user).collect::<Vec<u8>>();
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(plain))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn small_requests_do_not_wait_for_acknowledgements() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let connected = tcp().call(uri.parse().unwrap()).await.unwrap();
        assert!(connected.into_inner().nodelay().unwrap());
    }
}
