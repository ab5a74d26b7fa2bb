//! Every reading of the documents: each value of each variant by itself, and every pair of them.

use std::{
    io::{self, Write as _},
    thread,
    time::Instant,
};

use serde_json::{Map, Value, json};
use simulator::{Provider, Simulator};

use crate::support::{APIS, Api, holdings};

/// The values of each variant besides the first, which is the default. A variant without a line here fails the test
/// below, so that no reading is forgotten.
fn others(provider: Provider) -> Vec<(&'static str, Vec<Value>)> {
    match provider {
        Provider::Baseten => vec![
            ("bearer", vec![json!(false)]),
            ("content_type", vec![json!("json_or_form")]),
            ("spelling", vec![json!("last")]),
            ("id", vec![json!(false)]),
            ("team_name", vec![json!(false)]),
        ],
        Provider::PrimeIntellect => vec![
            (
                "duplicate",
                vec![
                    json!("bad_request"),
                    json!("unprocessable"),
                    json!("silent"),
                ],
            ),
            (
                "count_field",
                vec![json!("total_count_camel"), json!("absent")],
            ),
            ("equal_patch", vec![json!("stays")]),
            ("write_answer", vec![json!("null")]),
            ("errors", vec![json!("detail")]),
            ("null_description", vec![json!("clears")]),
        ],
        Provider::Pipecat => vec![
            ("put", vec![json!("replaces")]),
            ("put_answer", vec![json!("ok")]),
            ("ready_after_milliseconds", vec![json!(2_500), json!(0)]),
            ("failing_puts", vec![json!(2)]),
            ("status_absent", vec![json!(true)]),
            ("image_pull_update", vec![json!("refused")]),
            ("conflict", vec![json!("while_pending"), json!("never")]),
            ("emptied_set", vec![json!("vanishes")]),
            ("referenced_keys", vec![json!("absent")]),
            ("referenced_status", vec![json!("unknown")]),
            ("listed_source", vec![json!("absent")]),
        ],
        Provider::Braintrust => vec![
            ("errors", vec![json!("json")]),
            ("secret_updated_at_absent", vec![json!(true)]),
            ("missing_id", vec![json!("bad_request")]),
            ("equal_secret", vec![json!("stays")]),
        ],
    }
}

/// The defaults, each other value by itself, each pair of other values, and all last values at once.
fn combinations(provider: Provider) -> Vec<Value> {
    let others = others(provider);
    let mut all = vec![json!({})];
    for (index, (name, values)) in others.iter().enumerate() {
        for value in values {
            all.push(json!({ *name: value }));
            for (second, seconds) in &others[index + 1..] {
                all.extend(
                    seconds
                        .iter()
                        .map(|more| json!({ *name: value, *second: more })),
                );
            }
        }
    }
    let last = others
        .iter()
        .map(|(name, values)| ((*name).to_owned(), values[values.len() - 1].clone()));
    all.push(Value::Object(last.collect::<Map<_, _>>()));
    all
}

/// What the run says that it observed must be the behaviour that the test gave the simulator.
fn expected(provider: Provider, variants: &Value) -> Vec<(&'static str, &'static str)> {
    let is = |name: &str, value: &str| variants[name] == value;
    let either = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
    match provider {
        Provider::Baseten => vec![
            (
                "two names that fold together",
                either(
                    is("spelling", "last"),
                    "the last spelling is shown",
                    "the first spelling stays",
                ),
            ),
            ("a second create of a name", "it changes the first"),
        ],
        Provider::PrimeIntellect => vec![
            (
                "a second create of a name",
                match variants["duplicate"].as_str() {
                    Some("bad_request") => "it answered 400",
                    Some("unprocessable") => "it answered 422",
                    Some("silent") => "it makes a second secret",
                    _ => "it answered 409",
                },
            ),
            (
                "the same write again leaves one secret",
                either(
                    is("equal_patch", "stays"),
                    "the version stays",
                    "the version moves",
                ),
            ),
        ],
        Provider::Pipecat => vec![
            (
                "keys that a write does not name",
                either(is("put", "replaces"), "they are removed", "they stay"),
            ),
            (
                "a key is deleted, and in the end the last",
                either(
                    is("emptied_set", "vanishes"),
                    "the set goes with it",
                    "the empty set stays",
                ),
            ),
            (
                "an image pull secret is written again",
                either(
                    is("image_pull_update", "refused"),
                    "it answered 400",
                    "it is updated",
                ),
            ),
            (
                "a write of a set settles",
                // A server without `status` tells nothing.
                either(
                    variants["status_absent"] == true || variants["ready_after_milliseconds"] == 0,
                    "it is ready at once",
                    "it is pending at first",
                ),
            ),
        ],
        Provider::Braintrust => vec![("a second create of a name", "it changes the first")],
    }
}

/// Runs all combinations of one API and gives how many runs and checks they were.
async fn every_variant(api: Api) -> (usize, usize) {
    let (mut runs, mut checks) = (0, 0);
    for variants in combinations(api.provider) {
        let simulator = Simulator::new();
        let account = api.account(&simulator);
        let merged = account.merge_variants(&variants);
        merged.expect("the variants are known");
        let before = holdings(&account);
        let report = api.run_at(&simulator, &account).await;
        let failed: Vec<String> = report.failures().map(ToString::to_string).collect();
        assert!(failed.is_empty(), "{api:?} {variants}: {failed:#?}");
        assert_eq!(holdings(&account), before, "{api:?} {variants}");
        for (check, what) in expected(api.provider, &variants) {
            assert_eq!(report.observed(check), Some(what), "{api:?} {variants}");
        }
        runs += 1;
        checks += report.results.len();
    }
    (runs, checks)
}

fn run_all(provider: Provider) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    for api in APIS.into_iter().filter(|api| api.provider == provider) {
        let started = Instant::now();
        let (runs, checks) = runtime.block_on(every_variant(api));
        let scope = api.scope.unwrap_or("by the key alone");
        // Past the capture of the test harness, because the count is the point of it.
        let _ = writeln!(
            io::stderr(),
            "conformance: {} ({scope}): {runs} combinations of variants, {checks} checks, {:.1} s",
            api.kind,
            started.elapsed().as_secs_f32()
        );
    }
}

/// Cases: C-11, D-12, P-04, P-24
#[test]
fn each_provider_conforms_in_every_variant() {
    thread::scope(|scope| {
        for provider in Provider::ALL {
            scope.spawn(move || run_all(provider));
        }
    });
}

#[test]
fn no_variant_of_the_simulator_is_left_out() {
    for provider in Provider::ALL {
        let simulator = Simulator::new();
        let api = APIS.into_iter().find(|api| api.provider == provider);
        let api = api.unwrap_or_else(|| panic!("APIS of the support has no {provider}"));
        let variants = api.account(&simulator).variants();
        let known: Vec<&String> = variants.as_object().unwrap().keys().collect();
        let mut listed: Vec<&str> = others(provider).into_iter().map(|(name, _)| name).collect();
        listed.sort_unstable();
        assert_eq!(known, listed, "{provider}");
    }
}
