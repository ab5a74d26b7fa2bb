//! The numbers of terms, which tell two holders apart.

use super::*;

#[test]
fn after_the_greatest_number_the_count_begins_anew() {
    let (mut numbers, mut transitions) = (Vec::new(), i32::MAX - 1);
    for _ in 0..3 {
        let mut process = Process::new();
        process.read(seconds(0), Some(released(transitions, "1")));
        transitions = process.writes(seconds(0), "2").transitions;
        // It keeps its number.
        assert_eq!(process.writes(seconds(2), "3").transitions, transitions);
        assert_eq!(process.epoch(), Some(i64::from(transitions)));
        numbers.push(transitions);
    }
    assert_eq!(numbers, [i32::MAX, 0, 1]);
}

#[test]
fn a_leader_does_not_take_the_greatest_number_from_a_user() {
    let mut leader = Process::new();
    leader.read(seconds(0), Some(released(6, "1")));
    leader.writes(seconds(0), "2");
    leader.shown(seconds(1), Some(record("me", i32::MAX, "3")));
    assert_eq!(leader.next(seconds(1)), Step::Read);
    leader.read(seconds(1), Some(record("me", i32::MAX, "3")));
    assert_eq!(leader.writes(seconds(2), "4").transitions, 7);
    assert_eq!(leader.epoch(), Some(7));
}
