//! Random histories in which no permit and no object gets lost.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Admit(usize, u8),
    Release(usize),
    Forget(usize, u8),
    Answer(usize, u16),
    Wait(u64),
    Close(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_usize, 0..12_u8).prop_map(|(account, name)| Step::Admit(account, name)),
        4 => (0..64_usize).prop_map(Step::Release),
        1 => (0..4_usize, 0..12_u8).prop_map(|(account, name)| Step::Forget(account, name)),
        2 => (0..4_usize, prop::sample::select(vec![200, 200, 401, 422, 429, 500]))
            .prop_map(|(account, status)| Step::Answer(account, status)),
        2 => (0..5000_u64).prop_map(Step::Wait),
        1 => (0..4_usize).prop_map(Step::Close),
    ]
}

proptest! {
    /// The limits hold after every step of any history (see [`TestPool::check`]). Once every call
    /// succeeds, each object that was parked is requeued and granted a permit.
    #[test]
    fn no_permit_and_no_object_is_lost(
        all in 1..9_usize,
        per_account in 1..5_usize,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut test = TestPool::new(all, per_account);
        let mut accounts: Vec<AccountId> = (0..4).map(|_| test.pool.add_account(ProviderKind::Pipecat)).collect();
        let mut permits: Vec<AccountId> = Vec::new();
        let mut waiting: HashSet<(AccountId, ObjectName)> = HashSet::new();
        for step in steps {
            match step {
                Step::Admit(account, name) => {
                    let (id, name) = (accounts[account], object(&format!("n{}", name % 3), &name.to_string()));
                    match test.admit(id, &name) {
                        Admission::Granted(()) => {
                            waiting.remove(&(id, name));
                            permits.push(id);
                        }
                        Admission::Parked | Admission::CircuitOpen(_) => {
                            waiting.insert((id, name));
                        }
                    }
                }
                Step::Release(number) if !permits.is_empty() => {
                    let id = permits.swap_remove(number % permits.len());
                    test.release(id);
                }
                Step::Forget(account, name) => {
                    let (id, name) = (accounts[account], object(&format!("n{}", name % 3), &name.to_string()));
                    test.forget(id, &name);
                    waiting.remove(&(id, name));
                }
                Step::Answer(account, status) => {
                    let failure = (status != 200).then(|| answer(status));
                    test.answered(accounts[account], failure.as_ref());
                }
                Step::Wait(seconds) => test.wait(Duration::from_secs(seconds)),
                // An account ends when none of its objects holds it, and so without permits.
                Step::Close(account) if !permits.contains(&accounts[account]) => {
                    let id = accounts[account];
                    test.change(|pool, now, effects| pool.remove_account(id, now, effects));
                    waiting.retain(|(of, _)| *of != id);
                    accounts[account] = test.pool.add_account(ProviderKind::Pipecat);
                }
                Step::Release(_) | Step::Close(_) => {}
            }
        }
        for id in permits {
            test.release(id);
        }
        // Every requeued object is reconciled, and every call succeeds.
        for _ in 0..1000 {
            test.wait(Duration::from_hours(2));
            let granted: Vec<(AccountId, ObjectName)> = test.pool.accounts.iter()
                .flat_map(|(id, account)| account.granted.iter().map(|name| (*id, name.clone())))
                .collect();
            if granted.is_empty() {
                break;
            }
            for (id, name) in granted {
                prop_assert!(test.requeued.contains(&name), "{name:?} was not requeued");
                if test.admit(id, &name) == Admission::Granted(()) {
                    test.answered(id, None);
                    test.release(id);
                    waiting.remove(&(id, name));
                }
            }
        }
        prop_assert_eq!(waiting.iter().collect::<Vec<_>>(), Vec::<&(AccountId, ObjectName)>::new());
        prop_assert_eq!(test.pool.in_flight, 0);
    }
}
