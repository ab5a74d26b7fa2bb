//! The one integration test binary: the real operator against a real API server and the simulated
//! providers. Pure rules are tested beside the code.

mod ledger; // every call of the operator to the outside, and where it dies
mod support;

mod accounts; // what all objects of an account share
mod chart; // the chart, with Helm and the API server
mod cli; // the command line: exit codes, one line for what is wrong
mod credentials; // API keys that are missing, refused, replaced
mod deletion; // what goes away, and what becomes of it at the provider
mod drift; // what somebody else does at a provider
mod examples; // every manifest of examples/
mod failures; // what a provider can do to us
mod fuzz; // the fuzz targets, replayed
mod keys; // API keys that are rotated, and keys of other accounts
mod killed; // the process killed at its calls, against a real API server
mod leaks; // where no value is found
mod lifecycle; // create, rotate, add, remove, suspend, restart, for each of the five APIs
mod memory; // crashes and races, in process under simulated time
mod namespaces; // the operator of some namespaces: nothing elsewhere, Roles only
mod operator; // probes, metrics, logs, events, stopping
mod ownership; // whose names they are
mod packaging; // versions, manifests, lint rules
mod peer; // the defects of a peer, not so here
mod providers; // the traps of each provider
mod readme; // the documentation, and the demo
mod reliability; // which test shows which case of the catalogue
mod requests; // annotations that ask for a sync
mod rights; // the rights that the chart grants
mod schema; // the CustomResourceDefinition: rules, messages, bounds
mod sources; // Secrets that are missing, change or cannot be sent
mod tenants; // two who share a provider
mod writes; // which writes happen, and which must not
