//! What the operator does for a user, feature by feature, against a real API server.

mod credentials; // API keys that are missing, refused, replaced
mod deletion; // what goes away, and what becomes of it at the provider
mod drift; // changes by other clients at a provider
mod key_rotation; // API keys that are rotated, and keys of other accounts
mod lifecycle; // create, rotate, add, remove, suspend, restart, for each of the five APIs
mod namespaces; // the operator of some namespaces: nothing elsewhere, Roles only
mod operations; // probes, metrics, logs, events, stopping
mod opt_in; // what must opt in before it leaves the cluster
mod ownership; // whose names they are
mod provider_failures; // what a provider can do to us
mod rate_limits; // what all objects of an account share
mod replicas; // who of several processes writes
mod sources; // Secrets that are missing, change or cannot be sent
mod sync_requests; // annotations that ask for a sync
mod templates; // values made of several keys
mod writes; // which writes happen, and which must not
