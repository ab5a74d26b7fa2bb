//! Resolve: reads the Secrets of an object and makes of them what it wants at the provider.

pub(crate) mod dereference;
pub(crate) mod desired;
