//! What is kept in memory between two reconciles. A restart loses all of it and nothing else.

mod object_state;
mod reverse_index;
mod secret_versions;

pub(crate) use self::{
    object_state::{Acted, ObjectState, ObjectStates},
    reverse_index::ReverseIndex,
    secret_versions::{Relist, SecretName, SecretVersions},
};
