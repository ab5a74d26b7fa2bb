//! What a change of one account costs while many others are closed.

use rstest::rstest;

use super::*;

/// The most accounts that one call visits, while the circuit of each of `closed` other accounts
/// is open for objects that wait.
fn most_visits(closed: usize, status: u16) -> usize {
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
    for number in 0..closed {
        let id = pool.add_account(ProviderKind::Baseten);
        let name = object(&format!("n{}", number % 7), &number.to_string());
        count(&mut pool, &mut |pool, effects| {
            pool.answered(id, (now, now), true, Some(&error), effects);
        });
        count(&mut pool, &mut |pool, effects| {
            let admission = pool.admit(id, &name, now, effects);
            assert!(matches!(admission, Admission::CircuitOpen(_)));
        });
    }
    now += Duration::from_millis(1);
    let (open, others) = (
        pool.add_account(ProviderKind::Baseten),
        pool.add_account(ProviderKind::Baseten),
    );
    let (first, second, gone) = (object("a", "1"), object("a", "2"), object("a", "3"));
    for (id, name) in [
        (open, &first),
        (open, &second),
        (open, &gone),
        (others, &first),
    ] {
        count(&mut pool, &mut |pool, effects| {
            pool.admit(id, name, now, effects);
        });
    }
    count(&mut pool, &mut |pool, effects| {
        pool.release(open, now, effects)
    });
    count(&mut pool, &mut |pool, effects| {
        assert_eq!(
            pool.admit(open, &second, now, effects),
            Admission::Granted(())
        );
    });
    count(&mut pool, &mut |pool, effects| {
        pool.park_failed(open, &second, now, effects);
    });
    count(&mut pool, &mut |pool, effects| {
        pool.forget(open, &gone, now, effects);
    });
    for name in [object("a", "unknown"), first] {
        count(&mut pool, &mut |pool, effects| {
            pool.forget_everywhere(&name, now, effects);
        });
    }
    count(&mut pool, &mut |pool, effects| {
        pool.timer_fired(0, now, effects)
    });
    count(&mut pool, &mut |pool, effects| {
        pool.remove_account(others, now, effects);
    });
    most
}

#[rstest]
#[case::paused(429)]
#[case::refused(401)]
fn a_call_visits_no_more_accounts_when_a_thousand_others_are_closed(#[case] status: u16) {
    assert_eq!(most_visits(1000, status), most_visits(1, status));
}
