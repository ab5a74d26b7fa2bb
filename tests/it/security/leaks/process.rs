//! The memory of the operator's process (S-10).

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    time::Duration,
};

use simulator::{Action, Fault};

use crate::harness::{CANARY, Operator, Target, TestCase, TestEnv, run, until, wait_write};

/// How much is read at once.
const WINDOW: usize = 1024 * 1024;

/// Where a process can write and has a mark: what is around each. In base64 it is not looked for: the
/// answer of the API server stays in freed memory until that is used again.
fn found(operator: &Operator, mark: &str) -> Vec<String> {
    let process = format!("/proc/{}", operator.process().id());
    let maps = fs::read_to_string(format!("{process}/maps")).expect("its map is read");
    let memory = File::open(format!("{process}/mem")).expect("its memory is read");
    let mut window = vec![0; WINDOW + mark.len()];
    let mut found = Vec::new();
    for area in maps.lines().filter(|area| area.contains(" rw")) {
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        let range = area
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let (start, end) = range
            .map(|(start, end)| (address(start), address(end)))
            .expect("a range");
        // Windows overlap, so that nothing is missed at a seam.
        for start in (start..end).step_by(WINDOW) {
            let length =
                usize::try_from(end - start).map_or(window.len(), |rest| rest.min(window.len()));
            // An area may be gone since.
            let read = memory
                .read_at(&mut window[..length], start)
                .unwrap_or_default();
            for at in occurrences(&window[..read], mark.as_bytes()) {
                let around = &window[at.saturating_sub(100)..read.min(at + 100)];
                found.push(format!("{area}: {}", around.escape_ascii()));
            }
        }
    }
    found
}

fn occurrences(text: &[u8], mark: &[u8]) -> Vec<usize> {
    let (mut occurrences, mut at) = (Vec::new(), 0);
    while let Some(next) = text[at..].iter().position(|byte| *byte == mark[0]) {
        at += next;
        if text[at..].starts_with(mark) {
            occurrences.push(at);
        }
        at += 1;
    }
    occurrences
}

/// Cases: S-10
#[test]
fn no_copy_of_a_value_stays_in_the_memory_of_the_operator() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        for target in Target::ALL {
            let case = TestCase::new(&env, target).await;
            let mark = format!("NowhereElseThan{target:?}");
            // Several lines, like a certificate: JSON escapes them.
            let value = format!("{CANARY} {mark}\n").repeat(400);
            let slow = Fault::new(Action::Handle).delay(Duration::from_secs(3));
            for method in ["POST", "PUT"] {
                case.account.add_fault(slow.clone().method(method));
            }
            case.secret("source", &[("a", &value)]).await;
            case.object("object", &[("A_KEY", "source", "a")]).await;
            wait_write(&case, 0).await;
            let needed = found(&env.operator, &mark);
            assert!(!needed.is_empty(), "it is not found where it is");
            case.wait_ready("object").await;
            case.assert_held(&[("A_KEY", &value)]);
            until("it is gone", async || {
                let found = found(&env.operator, &mark);
                let first = found.first().cloned().unwrap_or_default();
                found
                    .is_empty()
                    .then_some(())
                    .ok_or_else(|| format!("{target:?}: {}, {first}", found.len()))
            })
            .await;
            case.finish().await;
        }
    });
}
