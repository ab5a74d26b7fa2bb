//! The simulator: accounts, clock and request log, and the ways in: in process, on sockets, by typed handles.

mod directory;
mod service;
mod wait;

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::{Router, extract::Request, response::Response};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    account::{Account, AccountError, Cell, NewKey},
    clock::World,
    fault::ConnectionCut,
    log::{Exchange, Log},
    pipeline,
    provider::Provider,
    serve::Served,
    tenant::{Held, Tenant},
};

use self::directory::Directory;
pub(crate) use self::directory::Key;
pub use self::{service::Service, wait::TimedOut};

/// The four vendors; clones mean the same simulator.
#[derive(Clone)]
pub struct Simulator(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) world: World,
    pub(crate) log: Log,
    version: watch::Sender<u64>,
    directories: [Directory; Provider::ALL.len()],
}

impl Shared {
    pub(crate) fn directory(&self, provider: Provider) -> &Directory {
        &self.directories[provider as usize]
    }

    /// Notifies all waiters of a change.
    pub(crate) fn changed(&self) {
        self.version
            .send_modify(|version| *version = version.wrapping_add(1));
    }
}

impl Default for Simulator {
    fn default() -> Self {
        Self::new()
    }
}

impl Simulator {
    /// A simulator without accounts whose wall clock starts now.
    pub fn new() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// A simulator whose wall clock starts at a given time, for repeatable timestamps.
    pub fn starting_at(time: Timestamp) -> Self {
        Self(Arc::new(Shared {
            world: World::starting_at(time),
            log: Log::new(),
            version: watch::Sender::new(0),
            directories: Default::default(),
        }))
    }

    /// An account by name.
    pub fn account(&self, provider: Provider, name: &str) -> Option<Account> {
        let cell = self.0.directory(provider).account(name)?;
        Some(Account {
            shared: Arc::clone(&self.0),
            cell,
        })
    }

    /// All accounts of a provider, by name.
    pub fn accounts(&self, provider: Provider) -> Vec<Account> {
        let cells = self.0.directory(provider).accounts();
        cells
            .into_iter()
            .map(|cell| Account {
                shared: Arc::clone(&self.0),
                cell,
            })
            .collect()
    }

    /// What an account holds in a scope; see [`Account::held`]. Empty for an unknown account.
    pub fn held(
        &self,
        provider: Provider,
        account: &str,
        scope: Option<&str>,
    ) -> BTreeMap<String, Held> {
        self.account(provider, account)
            .map(|account| account.held(scope))
            .unwrap_or_default()
    }

    /// All requests that the log still keeps, oldest first.
    pub fn requests(&self) -> Vec<Exchange> {
        self.0.log.select(|_| true)
    }

    /// All POST, PUT, PATCH and DELETE requests that the log still keeps, oldest first.
    pub fn writes(&self) -> Vec<Exchange> {
        self.0.log.select(Exchange::is_write)
    }

    /// The sequence of the newest request; 0 before the first.
    pub fn last_sequence(&self) -> u64 {
        self.0.log.last_sequence()
    }

    /// The requests after this sequence that the log still keeps, oldest first. Costs nothing for the older ones.
    pub fn requests_since(&self, sequence: u64) -> Vec<Exchange> {
        self.0.log.since(sequence)
    }

    /// How many requests the log no longer keeps.
    pub fn dropped_requests(&self) -> u64 {
        self.0.log.dropped()
    }

    /// Empties the request log.
    pub fn clear_requests(&self) {
        self.0.log.clear();
    }

    /// Bounds the request log (at first 200,000 entries).
    pub fn set_log_capacity(&self, entries: usize) {
        self.0.log.set_capacity(entries);
    }

    /// The simulated wall time.
    pub fn now(&self) -> Timestamp {
        self.0.world.now()
    }

    /// Handles one request in process; an error is a connection that a fault cut.
    pub async fn call(
        &self,
        provider: Provider,
        request: Request,
    ) -> Result<Response, ConnectionCut> {
        pipeline::run(&self.0, provider, request).await
    }

    /// The same as a tower service, whose error is a cut connection.
    pub fn service(&self, provider: Provider) -> Service {
        Service {
            simulator: self.clone(),
            provider,
        }
    }

    /// The same as an axum router. A router cannot fail, so a cut is an empty answer with status 599 that carries
    /// [`ConnectionCut`] as an extension and whose body ends with an error.
    pub fn router(&self, provider: Provider) -> Router {
        let simulator = self.clone();
        Router::new().fallback(move |request: Request| {
            let simulator = simulator.clone();
            async move {
                simulator
                    .call(provider, request)
                    .await
                    .unwrap_or_else(pipeline::cut_answer)
            }
        })
    }

    /// The admin API as an axum router; see the crate's README.
    pub fn admin_router(&self) -> Router {
        crate::admin::router(self.clone())
    }

    /// Serves the four vendors and the admin API on free ports of `127.0.0.1` until the result is dropped.
    pub async fn serve(&self) -> std::io::Result<Served> {
        self.serve_on(std::net::Ipv4Addr::LOCALHOST.into()).await
    }

    /// As [`Simulator::serve`], on another address.
    pub async fn serve_on(&self, address: std::net::IpAddr) -> std::io::Result<Served> {
        Served::bind(self, address).await
    }

    /// Adds an account that is described by the JSON form of the vendor's `NewAccount`.
    pub fn add_account_json(
        &self,
        provider: Provider,
        account: Value,
    ) -> Result<Account, AccountError> {
        (provider.vendor().add_json)(self, account)
    }

    /// Adds an account with this key and the scopes that a demo needs.
    pub fn add_demo_account(
        &self,
        provider: Provider,
        name: &str,
        key: &str,
    ) -> Result<Account, AccountError> {
        (provider.vendor().add_demo)(self, name, key)
    }

    pub(crate) fn world(&self) -> &World {
        &self.0.world
    }

    pub(crate) fn add_account(
        &self,
        provider: Provider,
        name: String,
        keys: Vec<NewKey>,
        tenant: Box<dyn Tenant>,
    ) -> Result<Account, AccountError> {
        let cell = Arc::new(Cell::new(provider, name, tenant));
        self.0.directory(provider).add(&cell, keys)?;
        self.0.changed();
        Ok(Account {
            shared: Arc::clone(&self.0),
            cell,
        })
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Simulator")
    }
}
