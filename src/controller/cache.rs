//! What is kept in memory between two reconciles. A restart loses all of it and nothing else.

mod backoff;
mod complete;
mod large_values;
mod namespace_bounds;
mod news;
mod object_state;
mod reverse_index;
mod rotations;
mod secret_questions;
mod secret_reads;
mod secret_versions;
mod seen_status;
mod stored;
mod window;

pub(crate) use self::{
    complete::Complete,
    large_values::{LargeValues, Room},
    namespace_bounds::NamespaceBounds,
    news::News,
    object_state::{
        Acted, Deletion, KnownDeletion, ObjectState, ObjectStates, OtherEntries, Tracked,
    },
    reverse_index::ReverseIndex,
    rotations::{Progress, Rotations},
    secret_questions::SecretQuestions,
    secret_reads::{NamedKeys, SecretReads, SharedSecret},
    secret_versions::{SecretName, SecretVersions, VersionChange},
    stored::Stored,
    window::Window,
};
