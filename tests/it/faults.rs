//! Crashes, races and outages, at every call of the operator to the outside.

mod call_log; // every call of the operator to the outside, and where it dies
mod process_crash; // the process killed at its calls, against a real API server
mod simulation; // crashes and races, in process under simulated time
