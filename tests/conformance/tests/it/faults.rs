//! A service that does not conform: the run says so, goes on, and cleans up all the same.

use conformance::Report;
use provider_secrets::api::ProviderKind;
use serde_json::json;
use simulator::{Fault, Simulator};

use crate::support::{APIS, Api, KEY, holdings};

/// A run against an account with a fault, which leaves nothing behind.
async fn run_with(api: Api, fault: Fault) -> Report {
    let simulator = Simulator::new();
    let account = api.account(&simulator);
    let before = holdings(&account);
    account.add_fault(fault);
    let report = api.run_at(&simulator, &account).await;
    assert_eq!(holdings(&account), before, "{api:?}\n{report:?}");
    report
}

/// How a provider changes what is there.
const fn update_of(api: Api) -> &'static str {
    match api.kind {
        ProviderKind::Baseten => "POST",
        ProviderKind::Pipecat => "PUT",
        ProviderKind::PrimeIntellect | ProviderKind::Braintrust => "PATCH",
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_cleans_up_also_when_checks_fail() {
    for api in APIS {
        // Some writes work and many do not, in one run.
        let fault = Fault::status(400).method(update_of(api)).skip(6).forever();
        let report = run_with(api, fault).await;
        assert!(!report.is_success(), "{api:?}");
        let cleaned = report.results.last().unwrap();
        assert!(cleaned.outcome.is_ok(), "{api:?}: {cleaned}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_is_reported() {
    for api in APIS {
        let simulator = Simulator::new();
        let account = api.account(&simulator);
        account.add_fault(Fault::status(403).method("DELETE").forever());
        let report = api.run_at(&simulator, &account).await;
        let cleaned = report.results.last().unwrap();
        assert!(cleaned.outcome.is_err(), "{api:?}: {cleaned}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_for() {
    for api in APIS {
        let fault = Fault::status(429)
            .header("retry-after", "7")
            .skip(5)
            .times(5);
        let report = run_with(api, fault).await;
        assert!(report.is_success(), "{api:?}: {report:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_never_quoted() {
    for api in APIS {
        for status in [200, 400, 403, 500] {
            let body = json!({ "error": format!("your key is {KEY}") }).to_string();
            let fault = Fault::status(status).body(&body).skip(2).forever();
            let simulator = Simulator::new();
            let account = api.account(&simulator);
            account.add_fault(fault);
            let report = api.run_at(&simulator, &account).await;
            assert!(!report.is_success());
            for line in &report.results {
                assert!(!line.to_string().contains(KEY), "{api:?}");
            }
        }
    }
}

/// A vendor that changes its mind: each of these is a thing the operator relies on.
#[tokio::test(start_paused = true)]
async fn a_silent_change_of_nothing_is_found_out() {
    for api in APIS {
        let accepted = match api.kind {
            ProviderKind::Baseten => json!({ "name": "x" }),
            ProviderKind::PrimeIntellect => json!({ "data": null }),
            ProviderKind::Pipecat => json!({ "status": "OK" }),
            ProviderKind::Braintrust => json!({ "name": "x", "id": "x" }),
        };
        let fault = Fault::status(200).method(update_of(api)).skip(1).forever();
        let report = run_with(api, fault.body(&accepted.to_string())).await;
        let update = "a changed value stays under the same id";
        assert!(
            report.failures().any(|line| line.check == update),
            "{api:?}: {report:#?}"
        );
    }
}
