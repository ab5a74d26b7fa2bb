//! One vendor as a tower service.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, extract::Request, response::Response};

use super::Simulator;
use crate::{fault::ConnectionCut, provider::Provider};

/// One vendor as a tower service; see [`Simulator::service`].
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) simulator: Simulator,
    pub(super) provider: Provider,
}

impl tower::Service<Request<Body>> for Service {
    type Response = Response;
    type Error = ConnectionCut;
    type Future = Pin<Box<dyn Future<Output = Result<Response, ConnectionCut>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ConnectionCut>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self {
            simulator,
            provider,
        } = self.clone();
        Box::pin(async move { simulator.call(provider, request).await })
    }
}
