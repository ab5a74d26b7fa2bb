//! Random histories that no place and no object may get lost in.

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
    /// Whatever happens: limits hold after every step (see [`Story::check`]), and afterwards, with
    /// every account working, each object that was parked is woken and gets its place.
    #[test]
    fn no_place_and_no_object_is_lost(
        all in 1..9_usize,
        of_each in 1..5_usize,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut story = Story::new(all, of_each);
        let mut accounts: Vec<Id> = (0..4).map(|_| story.places.open(ProviderKind::Pipecat)).collect();
        let mut permits: Vec<Id> = Vec::new();
        let mut waiting: HashSet<(Id, ObjectName)> = HashSet::new();
        for step in steps {
            match step {
                Step::Admit(account, name) => {
                    let (id, name) = (accounts[account], object(&format!("n{}", name % 3), &name.to_string()));
                    match story.admit(id, &name) {
                        Place::Now => {
                            waiting.remove(&(id, name));
                            permits.push(id);
                        }
                        Place::Later | Place::Closed(_) => {
                            waiting.insert((id, name));
                        }
                    }
                }
                Step::Release(number) if !permits.is_empty() => {
                    let id = permits.swap_remove(number % permits.len());
                    story.release(id);
                }
                Step::Forget(account, name) => {
                    let (id, name) = (accounts[account], object(&format!("n{}", name % 3), &name.to_string()));
                    story.forget(id, &name);
                    waiting.remove(&(id, name));
                }
                Step::Answer(account, status) => {
                    let failure = (status != 200).then(|| answer(status));
                    story.answered(accounts[account], failure.as_ref());
                }
                Step::Wait(seconds) => story.wait(Duration::from_secs(seconds)),
                // An account ends when none of its objects holds it, and so without permits.
                Step::Close(account) if !permits.contains(&accounts[account]) => {
                    let id = accounts[account];
                    story.change(|places, now, out| places.close(id, now, out));
                    waiting.retain(|(of, _)| *of != id);
                    accounts[account] = story.places.open(ProviderKind::Pipecat);
                }
                Step::Release(_) | Step::Close(_) => {}
            }
        }
        for id in permits {
            story.release(id);
        }
        // Everybody who is woken comes, and every call works.
        for _ in 0..1000 {
            story.wait(Duration::from_hours(2));
            let granted: Vec<(Id, ObjectName)> = story.places.lines.iter()
                .flat_map(|(id, line)| line.granted.iter().map(|name| (*id, name.clone())))
                .collect();
            if granted.is_empty() {
                break;
            }
            for (id, name) in granted {
                prop_assert!(story.woken.contains(&name), "{name:?} was not woken");
                if story.admit(id, &name) == Place::Now {
                    story.answered(id, None);
                    story.release(id);
                    waiting.remove(&(id, name));
                }
            }
        }
        prop_assert_eq!(waiting.iter().collect::<Vec<_>>(), Vec::<&(Id, ObjectName)>::new());
        prop_assert_eq!(story.places.in_flight, 0);
    }
}
