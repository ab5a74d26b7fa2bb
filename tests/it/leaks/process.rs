//! What is in the memory of the operator's process (reliability.md S-10).

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    time::Duration,
};

use simulator::{Action, Fault};

use crate::support::{CANARY, Operator, Scene, Stage, Target, run, until, wait_write};

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
            for at in places(&window[..read], mark.as_bytes()) {
                let around = &window[at.saturating_sub(100)..read.min(at + 100)];
                found.push(format!("{area}: {}", around.escape_ascii()));
            }
        }
    }
    found
}

fn places(text: &[u8], wanted: &[u8]) -> Vec<usize> {
    let (mut places, mut at) = (Vec::new(), 0);
    while let Some(next) = text[at..].iter().position(|byte| *byte == wanted[0]) {
        at += next;
        if text[at..].starts_with(wanted) {
            places.push(at);
        }
        at += 1;
    }
    places
}

/// Cases: S-10
#[test]
fn no_copy_of_a_value_stays_in_the_memory_of_the_operator() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        for target in Target::ALL {
            let scene = Scene::new(&stage, target).await;
            let mark = format!("NowhereElseThan{target:?}");
            // Of many lines, as certificates are, so that JSON makes another text of it.
            let value = format!("{CANARY} {mark}\n").repeat(400);
            let slow = Fault::new(Action::Handle).delay(Duration::from_secs(3));
            for method in ["POST", "PUT"] {
                scene.account.add_fault(slow.clone().method(method));
            }
            scene.secret("source", &[("a", &value)]).await;
            scene.object("object", &[("A_KEY", "source", "a")]).await;
            wait_write(&scene, 0).await;
            let needed = found(&stage.operator, &mark);
            assert!(!needed.is_empty(), "it is not found where it is");
            scene.wait_ready("object").await;
            scene.assert_held(&[("A_KEY", &value)]);
            until("it is gone", async || {
                let found = found(&stage.operator, &mark);
                let first = found.first().cloned().unwrap_or_default();
                found
                    .is_empty()
                    .then_some(())
                    .ok_or_else(|| format!("{target:?}: {}, {first}", found.len()))
            })
            .await;
            scene.finish().await;
        }
    });
}
