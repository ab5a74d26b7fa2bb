//! The cluster does what its documentation says, and leaves nothing behind.

mod control_plane;
mod processes;
mod support;
mod tools;
mod usage;
