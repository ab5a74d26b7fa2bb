//! The flags that say how the operator learns of changes of Secrets.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::run::duration;
use crate::controller::SecretAccess;

/// Which verbs the operator may use on Secrets, for `run` and for those who look whether it may.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct AccessFlag {
    /// watch: list and watch the metadata of all Secrets; get-only: ask for each Secret that an object names, so
    /// that the verb get is all that is needed
    #[arg(
        long,
        env = "PROVIDER_SECRETS_SECRET_ACCESS",
        value_enum,
        default_value = "watch"
    )]
    pub(super) secret_access: Access,
}

/// How the operator learns of changes of Secrets.
#[derive(Args, Debug)]
pub(super) struct SecretAccessFlags {
    #[command(flatten)]
    access: AccessFlag,

    /// How often each named Secret is asked for with --secret-access get-only: until then a change is not seen
    #[arg(
        long,
        env = "PROVIDER_SECRETS_SECRET_POLL_INTERVAL",
        default_value = "1m",
        value_parser = duration
    )]
    secret_poll_interval: Duration,
}

/// The verbs that the operator may use on Secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Access {
    /// get, list and watch.
    #[default]
    Watch,
    /// get.
    GetOnly,
}

impl From<SecretAccessFlags> for SecretAccess {
    fn from(flags: SecretAccessFlags) -> Self {
        match flags.access.secret_access {
            Access::Watch => Self::Watch,
            Access::GetOnly => Self::GetOnly(flags.secret_poll_interval),
        }
    }
}
