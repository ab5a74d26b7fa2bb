//! What is kept in memory between two reconciles. A restart loses all of it and nothing else.

mod object_state;
mod reverse_index;
mod secret_versions;

pub(crate) use self::{
    object_state::{Acted, Memo, Memos},
    reverse_index::References,
    secret_versions::{Relist, SecretName, SecretVersions},
};
