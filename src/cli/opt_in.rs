//! The flags that say what must opt in before values leave the cluster.

use clap::Args;

use crate::controller::OptIn;

/// What must opt in before values leave the cluster.
#[derive(Args, Debug)]
pub(super) struct OptInFlags {
    /// Read and send only Secrets with the label providersecrets.dev/allow=true, those of API keys included
    #[arg(
        long,
        env = "PROVIDER_SECRETS_REQUIRE_SOURCE_OPT_IN",
        default_value_t = false,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = clap::ArgAction::Set
    )]
    require_source_opt_in: bool,

    /// Send nothing of a namespace that does not name the providers and endpoints that it may use, in its
    /// annotation providersecrets.dev/allowed-providers; where it does, that bound holds without this flag
    #[arg(
        long,
        env = "PROVIDER_SECRETS_REQUIRE_NAMESPACE_OPT_IN",
        default_value_t = false,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = clap::ArgAction::Set
    )]
    require_namespace_opt_in: bool,
}

impl From<OptInFlags> for OptIn {
    fn from(flags: OptInFlags) -> Self {
        Self {
            sources: flags.require_source_opt_in,
            namespaces: flags.require_namespace_opt_in,
        }
    }
}
