//! Deleted, or changed on the way to its deletion, while no operator runs.

use std::time::Duration;

use futures::future::join_all;
use simulator::{Action, Fault};

use crate::harness::{
    SHORT_LEASE, Target, TestCase, TestEnv, delete_policy, is_guarded, run, until_within,
};

/// Cases: L-02
#[test]
fn what_is_deleted_while_the_operator_is_down_is_cleaned_up_by_the_next_one() {
    run(async {
        let env = TestEnv::fresh(&SHORT_LEASE).await;
        let mut test_cases = Vec::new();
        for target in Target::ALL {
            let case = TestCase::new(&env, target).await;
            case.synced("gone", &delete_policy()).await;
            // The other's first write arrives, and its answer is lost.
            case.secret("other", &[("b", &case.value("b"))]).await;
            test_cases.push(case);
        }
        join_all(test_cases.iter().map(async |case| {
            let method = case.target.create_method();
            let fault = Fault::new(Action::HangAfterEffect).method(method);
            case.account.add_fault(fault.forever());
            let mut spec = case.spec(&[("B_KEY", "other", "b")], &delete_policy());
            if case.target == Target::Pipecat {
                spec["provider"]["pipecat"]["setName"] = "crashed".into();
            }
            case.apply("crashed", spec).await.expect("it is applied");
            crate::harness::until("the write arrived", async || {
                let crashed = (case.target == Target::Pipecat).then(|| "crashed".to_owned());
                let held = case
                    .account
                    .held(crashed.or_else(|| case.scope()).as_deref());
                held.contains_key("B_KEY")
                    .then_some(())
                    .ok_or_else(|| format!("{held:?}"))
            })
            .await;
        }))
        .await;
        env.operator.kill().await;
        for case in &test_cases {
            case.account.clear_faults();
            case.delete("gone").await;
            case.delete("crashed").await;
        }
        let next = env.further(&SHORT_LEASE).await;
        join_all(test_cases.iter().map(async |case| {
            case.wait_gone("gone").await;
            case.wait_gone("crashed").await;
            case.assert_held(&[]);
            let everything = case.account.values(None);
            assert!(everything.is_empty(), "{:?} {everything:?}", case.target);
            assert!(case.events("DeletionSkipped").await.is_empty());
        }))
        .await;
        assert!(next.terminate().await.success());
        for case in test_cases {
            case.finish().await;
        }
    });
}

/// Cases: L-04
#[test]
fn a_crash_between_the_deletion_there_and_the_end_of_the_object_deletes_once_more() {
    run(async {
        let env = TestEnv::fresh(&SHORT_LEASE).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(&env, target).await;
            case.synced("gone", &delete_policy()).await;
            let fault = Fault::new(Action::HangAfterEffect).method("DELETE");
            case.account.add_fault(fault.forever());
            case.delete("gone").await;
            case.wait_held(&[]).await;
            case
        }))
        .await;
        env.operator.kill().await;
        for case in &test_cases {
            assert!(is_guarded(&case.get("gone").await), "{:?}", case.target);
            case.account.clear_faults();
        }
        let next = env.further(&SHORT_LEASE).await;
        for case in &test_cases {
            // What is not shown may be shown later, until half a minute after the last write.
            until_within(Duration::from_mins(1), "the object is gone", async || {
                let object = case.objects().get_opt("gone").await;
                match object.map_err(|error| error.to_string())? {
                    None => Ok(()),
                    Some(object) => Err(format!("{:?} {:?}", case.target, object.status)),
                }
            })
            .await;
            case.assert_held(&[]);
            // Whether it is looked for first is up to the provider.
            assert!(case.deletions().len() <= 2, "{:?}", case.deletions());
            assert!(case.events("DeletionSkipped").await.is_empty());
        }
        assert!(next.terminate().await.success());
        for case in test_cases {
            case.finish().await;
        }
    });
}

/// Cases: D-05
#[test]
fn a_credential_that_is_gone_after_a_restart_is_waited_for() {
    run(async {
        let flags = [&["--deletion-timeout=10s"], &SHORT_LEASE[..]].concat();
        let mut env = TestEnv::fresh(&flags).await;
        let mut parked = Vec::new();
        for target in Target::ALL {
            let case = TestCase::new(&env, target).await;
            case.synced("gone", &delete_policy()).await;
            parked.push((target, case.identity()));
        }
        env.operator.kill().await;
        for (target, identity) in &parked {
            let case = TestCase::resume(&env, *target, identity);
            case.delete_secret("credential").await;
            case.delete("gone").await;
        }
        env.restart(&flags).await;
        let plays = parked.into_iter().enumerate();
        join_all(plays.map(async |(number, (target, identity))| {
            let case = TestCase::resume(&env, target, &identity);
            let stays = case.value("one");
            if number % 2 == 0 {
                // It comes back in time.
                case.secret("credential", &[("api-key", &case.key)]).await;
                case.wait_gone("gone").await;
                case.assert_held(&[]);
                case.finish().await;
            } else {
                case.wait_gone("gone").await;
                case.assert_held(&[("A_KEY", &stays)]);
                let note = case.wait_event("DeletionSkipped").await;
                assert!(note.contains("A_KEY"), "{note}");
                case.finish_leaving(&["A_KEY"]).await;
            }
        }))
        .await;
    });
}
