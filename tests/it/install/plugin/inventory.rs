//! `inventory --read-credentials`: what the providers hold and no object owns is listed, and left there.

use provider_secrets::provider::PROVIDERS;
use serde_json::json;

use super::Plugin;
use crate::harness::{CANARY, Target, TestCase, TestEnv, run};

#[test]
fn what_no_object_owns_is_listed_and_left() {
    run(async {
        let env = TestEnv::shared().await;
        let plugin = Plugin::new(env);
        let endpoints = PROVIDERS.iter().flat_map(|provider| {
            let url = env.served.url(provider.flag.parse().expect("a simulator"));
            let names = provider.endpoints.iter().map(|(name, _)| name);
            names.map(move |name| format!("--endpoint={}/{name}={url}", provider.flag))
        });
        let endpoints: Vec<String> = endpoints.collect();
        for target in Target::ALL {
            let case = TestCase::new(env, target).await;
            let scope = case.scope();
            case.synced("target", &json!({})).await;
            let foreign = case
                .account
                .foreign_write(scope.as_deref(), "LEFT_BEHIND", "foreign");
            foreign.expect("another client writes");
            let mut arguments = vec!["inventory", "--read-credentials"];
            arguments.extend(endpoints.iter().map(String::as_str));
            let before = case.account.requests().len();
            let (code, shown) = plugin.json(&case.namespace, &arguments).await;
            assert_eq!(code, 0, "{target:?} {shown}");
            assert_eq!(shown["items"][0]["name"], "A_KEY", "{target:?}");
            let unowned = shown["unowned"].as_array().expect("a list");
            let names: Vec<&str> = unowned
                .iter()
                .filter_map(|one| one["name"].as_str())
                .collect();
            let name = |name: &str| match (target, &scope) {
                (Target::Pipecat, Some(set)) => format!("{set}/{name}"),
                _ => name.to_owned(),
            };
            assert!(
                names.contains(&&*name("LEFT_BEHIND")),
                "{target:?} {names:?}"
            );
            assert!(!names.contains(&&*name("A_KEY")), "{target:?} {names:?}");
            let requests = case.account.requests().split_off(before);
            assert!(
                requests.iter().all(|request| !request.is_write()),
                "{target:?}"
            );
            assert!(!shown.to_string().contains(CANARY));

            case.account
                .add_fault(simulator::Fault::status(503).forever());
            let refused = plugin.run(&case.namespace, &arguments).await;
            assert_eq!(refused.code, 1, "{}", refused.stdout);
            assert!(
                refused.stderr.contains("answered 503"),
                "{}",
                refused.stderr
            );
            case.account.clear_faults();
            let without = plugin.run(&case.namespace, &["inventory"]).await;
            assert!(without.code == 0 && !without.stdout.contains("LEFT_BEHIND"));
            case.finish_leaving(&["A_KEY", "LEFT_BEHIND"]).await;
        }
    });
}
