//! The one integration test binary: the real operator against a real API server and the simulated
//! providers. Pure rules are tested beside the code.

mod harness;

mod api; // the custom resource as the API server sees it
mod faults; // crashes, races and outages
mod features; // what the operator does for a user
mod gitops; // what the tools that deploy from Git make of the resource
mod guards; // what holds the repository itself to its word
mod install; // the chart, access rights, the command line
mod providers; // the traps of each provider
mod security; // what no tenant may reach and no output may show
