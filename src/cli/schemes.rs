//! The flags that choose how an API key is sent, one for each provider whose API takes it in two ways.

use clap::{
    Arg, ArgMatches, Args, Command, Error, FromArgMatches,
    builder::{PossibleValue, PossibleValuesParser},
};

use crate::{
    api::ProviderKind,
    http::Scheme,
    provider::{Descriptor, OtherScheme, PROVIDERS},
};

/// The schemes that were chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Schemes(pub(super) Vec<(ProviderKind, Scheme)>);

/// Every provider with a choice, and its other scheme.
fn choices() -> impl Iterator<Item = (&'static Descriptor, &'static OtherScheme)> {
    let with_choice =
        |provider: &'static Descriptor| Some((provider, provider.other_scheme.as_ref()?));
    PROVIDERS.into_iter().filter_map(with_choice)
}

impl FromArgMatches for Schemes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let chosen = choices().filter_map(|(provider, other)| {
            let word = matches.get_one::<String>(other.flag)?;
            (word == other.scheme.word()).then_some((provider.kind, other.scheme))
        });
        Ok(Self(chosen.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Schemes {
    fn augment_args(command: Command) -> Command {
        choices().fold(command, |command, (provider, other)| {
            let default = provider.rules.scheme;
            let words = [default, other.scheme].map(|scheme| PossibleValue::new(scheme.word()));
            let flag = Arg::new(other.flag)
                .long(other.flag)
                .env(other.variable)
                .value_name("SCHEME")
                .value_parser(PossibleValuesParser::new(words))
                .default_value(default.word())
                .help(format!("How the API key is sent to {}", provider.name));
            command.arg(flag)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str]) -> Result<Vec<(ProviderKind, Scheme)>, Error> {
        let command = Schemes::augment_args(Command::new("run")).args_override_self(true);
        let matches = command.try_get_matches_from(arguments)?;
        Ok(Schemes::from_arg_matches(&matches)?.0)
    }

    #[test]
    fn the_other_scheme_is_chosen_by_its_flag_and_the_rules_decide_else() {
        let flag = |word: &str| format!("--baseten-authorization={word}");
        let (bearer, api_key) = (flag("bearer"), flag("api-key"));
        assert!(chosen(&["run"]).unwrap().is_empty());
        assert!(chosen(&["run", &api_key]).unwrap().is_empty());
        let other = [(ProviderKind::Baseten, Scheme::Bearer)];
        assert_eq!(chosen(&["run", &api_key, &bearer]).unwrap(), other);
        for wrong in ["Bearer", "basic", ""] {
            assert!(chosen(&["run", &flag(wrong)]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_and_variables_are_spelled_as_all_others() {
        for (provider, other) in choices() {
            assert!(other.flag.starts_with(provider.flag), "{}", other.flag);
            let upper = other.flag.to_uppercase().replace('-', "_");
            assert_eq!(other.variable, format!("PROVIDER_SECRETS_{upper}"));
            assert_ne!(other.scheme, provider.rules.scheme);
        }
    }
}
