//! What a change of one account costs while the circuits of many others are open.

use rstest::rstest;

use super::*;

/// How many accounts one change looks at, at most, while an object waits for the open circuit of
/// each of `others` other accounts.
fn most_visits(others: usize, status: u16) -> usize {
    let mut pool = PermitPool::new(28, 8);
    let mut now = Instant::now();
    let mut effects = Effects::default();
    let mut most = 0;
    let mut count = |pool: &mut PermitPool, call: &mut dyn FnMut(&mut PermitPool, &mut Effects)| {
        let before = pool.visits.get();
        call(pool, &mut effects);
        most = most.max(pool.visits.get() - before);
    };
    let error = answer(status);
    for number in 0..others {
        let id = pool.add_account(ProviderKind::Baseten);
        let name = object(&format!("n{}", number % 7), &number.to_string());
        count(&mut pool, &mut |pool, effects| {
            pool.answered(id, (now, now), CallKind::Write, Some(&error), effects);
        });
        count(&mut pool, &mut |pool, effects| {
            let admission = pool.admit(id, &name, now, effects);
            assert!(matches!(admission, Admission::CircuitOpen(_)));
        });
    }
    now += Duration::from_millis(1);
    let (one, other) = (
        pool.add_account(ProviderKind::Baseten),
        pool.add_account(ProviderKind::Baseten),
    );
    let (first, second, gone) = (object("a", "1"), object("a", "2"), object("a", "3"));
    for (id, name) in [(one, &first), (one, &second), (one, &gone), (other, &first)] {
        count(&mut pool, &mut |pool, effects| {
            pool.admit(id, name, now, effects);
        });
    }
    count(&mut pool, &mut |pool, effects| {
        pool.release(one, now, effects);
    });
    count(&mut pool, &mut |pool, effects| {
        assert_eq!(
            pool.admit(one, &second, now, effects),
            Admission::Granted(())
        );
    });
    count(&mut pool, &mut |pool, effects| {
        pool.park_failed(one, &second, now, effects);
    });
    count(&mut pool, &mut |pool, effects| {
        pool.forget(one, &gone, now, effects);
    });
    for name in [object("a", "unknown"), first] {
        count(&mut pool, &mut |pool, effects| {
            pool.forget_everywhere(&name, now, effects);
        });
    }
    count(&mut pool, &mut |pool, effects| {
        pool.timer_fired(0, now, effects);
    });
    count(&mut pool, &mut |pool, effects| {
        pool.remove_account(other, now, effects);
    });
    most
}

#[rstest]
#[case::paused(429)]
#[case::refused(401)]
fn a_change_looks_at_no_more_accounts_when_a_thousand_circuits_are_open(#[case] status: u16) {
    assert_eq!(most_visits(1000, status), most_visits(1, status));
}
