//! The five upstream APIs, and what a test needs to know of each.

use serde_json::{Value, json};
use simulator::{Account, Simulator, baseten, braintrust, pipecat, prime_intellect};

/// The name of the set that Pipecat objects of the tests write.
pub(super) const SET: &str = "agents";

/// The five upstream APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    BasetenWorkspace,
    BasetenTeam,
    PrimeIntellect,
    Pipecat,
    Braintrust,
}

impl Target {
    pub(crate) const ALL: [Self; 5] = [
        Self::BasetenWorkspace,
        Self::BasetenTeam,
        Self::PrimeIntellect,
        Self::Pipecat,
        Self::Braintrust,
    ];

    /// What status calls the provider.
    pub(crate) fn provider(self) -> &'static str {
        match self {
            Self::BasetenWorkspace | Self::BasetenTeam => "Baseten",
            Self::PrimeIntellect => "PrimeIntellect",
            Self::Pipecat => "Pipecat",
            Self::Braintrust => "Braintrust",
        }
    }

    /// Whether the provider shows nothing by which a change of a value could be seen.
    pub(crate) fn is_blind(self) -> bool {
        match self {
            Self::BasetenWorkspace | Self::BasetenTeam | Self::Pipecat => true,
            Self::PrimeIntellect | Self::Braintrust => false,
        }
    }

    /// The id of the team at Baseten. An id belongs to one account, as at Baseten, and is not long.
    pub(crate) fn team(account: &str) -> String {
        format!("team-of-{account:.48}")
    }

    /// The id of the default team at Baseten.
    pub(crate) fn default_team(account: &str) -> String {
        format!("default-of-{account:.48}")
    }

    /// An account at the provider.
    pub(crate) fn account(self, simulator: &Simulator, name: &str, key: &str) -> Account {
        let account = match self {
            Self::BasetenWorkspace | Self::BasetenTeam => {
                let account = baseten::NewAccount::new(name, key);
                simulator.baseten().add_account(
                    account
                        .team(Self::default_team(name), "default")
                        .team(Self::team(name), "one"),
                )
            }
            Self::PrimeIntellect => simulator
                .prime_intellect()
                .add_account(prime_intellect::NewAccount::new(name, key)),
            Self::Pipecat => simulator
                .pipecat()
                .add_account(pipecat::NewAccount::new(name, key)),
            Self::Braintrust => {
                let account = braintrust::NewAccount::new(name, key);
                simulator
                    .braintrust()
                    .add_account(account.organization("org"))
            }
        };
        account.expect("an account is added")
    }

    /// `spec.provider`, with the API key in the Secret `credential`, key `api-key`.
    pub(crate) fn provider_spec(self, account: &str) -> Value {
        let mut member = json!({"apiKeySecretRef": {"name": "credential", "key": "api-key"}});
        let name = match self {
            Self::BasetenWorkspace => "baseten",
            Self::BasetenTeam => {
                member["teamId"] = Self::team(account).into();
                "baseten"
            }
            Self::PrimeIntellect => "primeIntellect",
            Self::Pipecat => {
                member["setName"] = SET.into();
                "pipecat"
            }
            Self::Braintrust => "braintrust",
        };
        json!({name: member})
    }

    /// The method that creates a secret that is not there.
    pub(crate) fn create_method(self) -> &'static str {
        match self {
            Self::BasetenWorkspace | Self::BasetenTeam | Self::PrimeIntellect => "POST",
            Self::Pipecat | Self::Braintrust => "PUT",
        }
    }

    /// The method that updates an existing secret.
    pub(crate) fn update_method(self) -> &'static str {
        match self {
            Self::BasetenWorkspace | Self::BasetenTeam => "POST",
            Self::PrimeIntellect | Self::Braintrust => "PATCH",
            Self::Pipecat => "PUT",
        }
    }

    /// The paths of the API that the operator may call.
    pub(crate) fn paths(self) -> &'static [&'static str] {
        match self {
            Self::BasetenWorkspace => &["/v1/secrets", "/v1/teams"],
            // A test may give an object the key of another team.
            Self::BasetenTeam => &["/v1/teams/"],
            Self::PrimeIntellect => &["/api/v1/secrets/", "/api/v1/user/whoami"],
            Self::Pipecat => &["/v1/secrets"],
            Self::Braintrust => &["/v1/ai_secret"],
        }
    }

    /// Method and path of a listing, with `team` for the id of the team.
    pub(crate) fn listing(self, team: &str) -> String {
        match self {
            Self::BasetenWorkspace | Self::Pipecat => "GET /v1/secrets".to_owned(),
            Self::BasetenTeam => format!("GET /v1/teams/{team}/secrets"),
            Self::PrimeIntellect => "GET /api/v1/secrets/".to_owned(),
            Self::Braintrust => "GET /v1/ai_secret".to_owned(),
        }
    }

    /// A name as the provider compares it.
    pub(crate) fn fold(self, name: &str) -> String {
        match self {
            Self::BasetenWorkspace | Self::BasetenTeam => name.replace(['-', '.'], "_"),
            Self::PrimeIntellect | Self::Pipecat | Self::Braintrust => name.to_owned(),
        }
    }

    /// The scope that objects write, as the simulator knows it.
    pub(crate) fn scope(self, account: &str) -> Option<String> {
        match self {
            Self::BasetenTeam => Some(Self::team(account)),
            Self::Pipecat => Some(SET.to_owned()),
            Self::BasetenWorkspace | Self::PrimeIntellect | Self::Braintrust => None,
        }
    }
}
