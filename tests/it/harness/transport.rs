//! The simulator without a socket, so that tests in process can pause the clock.

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use provider_secrets::http::{Transport, TransportError};
use simulator::{Provider, Simulator};
use tower::{service_fn, util::BoxCloneSyncService};

/// The simulated Baseten as the operator's transport.
pub(crate) fn transport(simulator: &Simulator) -> Transport {
    let simulator = simulator.clone();
    BoxCloneSyncService::new(service_fn(move |request: http::Request<Bytes>| {
        let simulator = simulator.clone();
        async move {
            let answer = simulator.call(Provider::Baseten, request.map(Body::from));
            let (head, body) = answer.await.map_err(|_| TransportError::Cut)?.into_parts();
            let body = to_bytes(body, usize::MAX).await;
            let body = body.map_err(|_| TransportError::Cut)?;
            Ok(http::Response::from_parts(head, body))
        }
    }))
}
