//! One suite for whatever is behind the operator's `Provider` trait: the simulator, and the real service.
//!
//! The simulator is written from documents. This suite is how one finds out that a document was wrong: it runs
//! against the simulator in every test run, in every reading that the documents allow, and by hand with an API key
//! against the vendor (`make conformance PROVIDER=…`).
//!
//! # Layout
//! - [`Target`]: an account, by hand or from the environment
//! - [`Run`]: one run of the suite; everything it makes bears the names of [`names`]
//! - [`Report`]: one line for each check
//! - `suite`: the checks
//! - `vendors`: what they know of each vendor beside its descriptor

mod guard;
pub mod names;
mod report;
mod run;
mod suite;
mod target;
mod vendors;

pub use guard::Guarded;
pub use report::{CheckResult, Failure, Outcome, Report};
pub use run::{Eye, Run};
pub use target::Target;
pub use vendors::Variables;
