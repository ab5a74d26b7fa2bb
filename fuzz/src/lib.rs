//! What is fuzzed: plain functions that panic when something is wrong.
//!
//! The same file is a module of the integration tests, which replay `corpus/` and more on a stable compiler
//! (`tests/it/security/fuzz.rs`). To add a target: a function here, its line in [`TARGETS`], its three lines in
//! `fuzz_targets/`, its `[[bin]]`, and a file or two in `corpus/`.

mod answers;
mod resource;
mod retry_after;
mod template;

pub use self::{
    answers::answers, resource::resource, retry_after::retry_after, template::template,
};

/// A target by the name of its program and its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("answers", answers),
    ("resource", resource),
    ("retry_after", retry_after),
    ("template", template),
];
