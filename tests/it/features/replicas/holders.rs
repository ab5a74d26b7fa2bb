//! Who has held the lease, one after the other.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::task::JoinHandle;

use super::gates::pod;
use crate::harness::LEASE;

/// Sees every holder of the lease.
pub(super) struct Holders {
    watching: JoinHandle<()>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Holders {
    /// Begins to watch.
    pub(super) fn watch(leases: Api<Lease>) -> Self {
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let shared = Arc::clone(&seen);
        let watching = tokio::spawn(async move {
            let only = watcher::Config::default().fields(&format!("metadata.name={LEASE}"));
            let watch = watcher(leases, only).default_backoff();
            let mut shown = pin!(watch.touched_objects());
            while let Some(lease) = shown.next().await {
                let Ok(lease) = lease else { continue };
                let holder = pod(lease).unwrap_or_default();
                let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.last() != Some(&holder) {
                    seen.push(holder);
                }
            }
        });
        Self { watching, seen }
    }

    /// The pods that have held it so far; an empty name where none did.
    pub(super) fn all(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.watching.abort();
    }
}
