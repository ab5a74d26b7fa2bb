//! The whole controller in process, under simulated time, between an in-memory API server and the simulated providers:
//! crashes at every call, and orders of events that a real cluster shows once in a year. Thousands of runs take seconds.
//!
//! # Layout
//! - `store`, `refusal`, `request`, `server`: the API server
//! - `provider`: the provider account, behind the call log
//! - `world`: an API server, an account and an operator, and what users do
//! - `workload`, `plan`, `oracle`: what a run does, and what must hold at its end

mod aborted_relists;
mod approval; // plans that wait for a person
mod baseten_teams;
mod brakes;
mod conformance;
mod crash;
mod deleted_namespaces;
mod deletions; // of what the provider does not show, or another client has made
mod finalizers;
mod gateways; // what answers between the operator and a provider
mod get_only;
mod idle_events;
mod image_pull;
mod keys_of_one_scope;
mod large_secrets;
mod last_keys; // of Pipecat sets
mod late_answers;
mod listings;
mod lost_events;
mod missed_events;
mod moves; // to another cluster
mod noisy_neighbours;
mod older_statuses;
mod one_request; // that fails for good beside others that succeed
mod opt_in;
mod oracle;
mod outages;
mod pace;
mod panics;
mod plan;
mod provider;
mod provider_quirks;
mod races;
mod recreated_secrets;
mod refusal;
mod refused_rewrites;
mod relists;
mod renamed_secrets;
mod renumbered_versions;
mod request;
mod restored_data_store;
mod restored_status;
mod same_second;
mod sequences;
mod server;
mod set_back_statuses;
mod soak; // many hours of everything
mod stale_cache;
mod status_write_failures;
mod stopped_entries;
mod store;
mod stray_answers;
mod successions; // who has what an object wrote that goes
mod takeovers;
mod tenant_isolation;
mod undecodable;
mod unfinished_sets;
mod workload;
mod world;
mod wrong_keys;
