use std::time::Duration;

use clap::Parser as _;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    detail::{Detail, Facts},
    fleet::Row,
    *,
};
use crate::{
    api::FINALIZER,
    cli::{
        read::{EventFact, SecretFact},
        tests::samples::{self, agent_keys, ago, documented, now},
    },
};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

fn flags(arguments: &[&str]) -> Flags {
    let line = [&["status", "--color=never"], arguments].concat();
    Line::try_parse_from(line).unwrap().flags
}

fn rows() -> Vec<Row> {
    samples::fleet().iter().map(Row::of).collect()
}

fn table(arguments: &[&str], has_namespaces: bool) -> String {
    let flags = flags(arguments);
    fleet::text(&rows(), has_namespaces, &flags.output, now())
}

fn secret(version: &str, seconds: i64) -> Known<Option<SecretFact>> {
    Known::Read(Some(SecretFact {
        version: version.to_owned(),
        changed: Some(ago(seconds).parse().unwrap()),
        keys: Vec::new(),
    }))
}

fn facts_of_agent_keys() -> Facts {
    let note = "Pipecat answered 401 for the API key in Secret pipecat-api key token. Check that it is an active private key; a public key only starts sessions.";
    Facts {
        secrets: vec![
            ("agent-env".to_owned(), secret("81123", 540)),
            ("pipecat-api".to_owned(), secret("81120", 600)),
        ],
        events: Known::Read(vec![EventFact {
            time: Some(ago(540).parse().unwrap()),
            r#type: "Warning".to_owned(),
            reason: "AuthenticationFailed".to_owned(),
            count: 1,
            note: note.to_owned(),
        }]),
    }
}

#[test]
fn the_fleet_is_one_table_as_the_documents_show_it() {
    let shown = table(&["-A"], true);
    let wide = table(&["-A", "-o", "wide"], true);
    insta::assert_snapshot!("fleet", shown);
    insta::assert_snapshot!("fleet_wide", wide);
    documented("status -A", &shown);
    documented("status -A -o wide", &wide);
}

#[test]
fn each_line_has_a_word_for_each_column() {
    for arguments in [&["-A"][..], &["-A", "-o", "wide"]] {
        let shown = table(arguments, true);
        let count = |line: &str| line.split_whitespace().count();
        let heads = count(shown.lines().next().unwrap());
        assert!(shown.lines().all(|line| count(line) == heads), "{shown}");
    }
}

#[test]
fn names_and_headers_are_left_out_on_request() {
    assert!(
        table(&["-o", "name"], true).starts_with("providersecret.providersecrets.dev/judge-keys\n")
    );
    assert!(!table(&["--no-headers"], false).contains("PROVIDER"));
    assert!(table(&[], false).starts_with("NAME "));
    let detail = Detail::of(&agent_keys(), &facts_of_agent_keys(), now());
    let shown = |arguments: &[&str]| detail.text(now(), &flags(arguments).output);
    let (with, without) = (shown(&[]), shown(&["--no-headers"]));
    for head in ["ACTED-ON", "VALUE-AGE"] {
        assert!(with.contains(head) && !without.contains(head), "{without}");
    }
}

#[test]
fn a_deletion_has_a_line_of_its_own() {
    let flags = flags(&[]);
    let rows = [Row::of(&agent_keys()).deleted()];
    let shown = fleet::text(&rows, false, &flags.output, now());
    let words: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words[..4], ["agent-keys", "Pipecat", "<none>", "Deleted"]);
}

/// What no second try mends ends `--watch`, and so does a first list that fails, as without `--watch`.
#[rstest]
#[case::may_not_list(
    watcher::Error::InitialListFailed(answered(403)),
    true,
    Some("you may not watch")
)]
#[case::may_not_watch(
    watcher::Error::WatchStartFailed(answered(403)),
    true,
    Some("you may not watch")
)]
#[case::no_definition(
    watcher::Error::InitialListFailed(answered(404)),
    true,
    Some("is not installed")
)]
#[case::never_reached(
    watcher::Error::InitialListFailed(unreached()),
    false,
    Some("cannot be reached")
)]
#[case::not_reached(watcher::Error::InitialListFailed(unreached()), true, None)]
#[case::a_restart(watcher::Error::WatchStartFailed(answered(503)), true, None)]
#[case::too_old(watcher::Error::WatchFailed(answered(410)), true, None)]
fn a_watch_ends_with_the_reason(
    #[case] error: watcher::Error,
    #[case] has_listed: bool,
    #[case] reason: Option<&str>,
) {
    let refusal = broken_off(error, has_listed, "watch providersecrets", Some("ml")).err();
    let text = refusal.map(|refusal| refusal.text);
    assert_eq!(text.is_some(), reason.is_some(), "{text:?}");
    assert!(
        text.unwrap_or_default()
            .contains(reason.unwrap_or_default())
    );
}

/// Not so one that breaks off later.
#[tokio::test]
async fn a_watch_of_an_api_server_that_never_answered_ends() {
    let reader = samples::answering(vec![samples::refused(503)]);
    let flags = flags(&["--watch"]);
    let followed = follow(&reader, &flags);
    let followed = tokio::time::timeout(Duration::from_secs(30), followed).await;
    assert_eq!(followed.unwrap().unwrap_err().code, 1);
}

#[tokio::test]
async fn a_watch_of_an_object_that_is_not_there_ends() {
    let reader = samples::answering(vec![samples::refused(404)]);
    let followed = follow(&reader, &flags(&["gone", "--watch"])).await;
    let refusal = followed.unwrap_err();
    let expected = "there is no ProviderSecret gone in namespace ml";
    assert_eq!((refusal.code, &*refusal.text), (1, expected));
}

fn unreached() -> kube::Error {
    kube::Error::Service("connection refused".into())
}

fn answered(code: u16) -> kube::Error {
    kube::Error::Api(Box::new(kube::core::Status {
        code,
        message: "the server could not find the requested resource".to_owned(),
        ..Default::default()
    }))
}

#[test]
fn one_object_is_shown_in_full_as_the_documents_show_it() {
    let object = agent_keys();
    let detail = Detail::of(&object, &facts_of_agent_keys(), now());
    let shown = detail.text(now(), &flags(&[]).output);
    insta::assert_snapshot!("agent_keys", shown);
    documented("status agent-keys -n voice", &shown);
}

#[test]
fn an_object_is_shown_as_far_as_it_may_be_read() {
    let unread = || Known::Unread("you may not list events in namespace ml".to_owned());
    let facts = Facts {
        secrets: vec![
            ("huggingface".to_owned(), Known::Read(None)),
            ("openai".to_owned(), Known::Unread("no".to_owned())),
        ],
        events: unread(),
    };
    let objects = samples::fleet();
    let detail = Detail::of(&objects[1], &facts, now());
    insta::assert_snapshot!("llm_serving", detail.text(now(), &flags(&[]).output));
    assert!(detail.is_ready());
}

/// The conditions say DeletionBlocked.
#[test]
fn a_deletion_that_waits_for_approval_is_fixed_by_approving() {
    let mut object = samples::in_state("ml/held", "Reconciling", "DeletionBlocked", "m");
    object.spec.approval = Some(crate::api::Approval::Manual);
    let plan = serde_json::json!({"hash": "9c1f", "create": 0, "update": 0, "delete": 1, "refuse": 0, "keep": 0, "calls": 1, "actions": []});
    object.status.as_mut().unwrap().plan = serde_json::from_value(plan).unwrap();
    object.metadata.deletion_timestamp = serde_json::from_value(ago(5).into()).unwrap();
    let detail = Detail::of(&object, &facts_of_agent_keys(), now());
    let shown = detail.text(now(), &flags(&[]).output);
    assert!(
        shown.contains("kubectl provider-secrets approve held -n ml"),
        "{shown}"
    );
    assert!(
        shown.contains("deletes nothing until the plan is approved"),
        "{shown}"
    );
    assert!(!shown.contains("deletion-override"), "{shown}");
}

/// Its conditions, which are of an older spec, say Synced.
#[rstest]
#[case::edited(json!({}), "has not acted on generation 4 yet", true)]
#[case::deleted(json!({"deletionTimestamp": ago(5), "finalizers": [FINALIZER]}), "has not acted on the deletion yet", true)]
#[case::held_by_another_controller(json!({"deletionTimestamp": ago(5), "finalizers": ["other/one"]}), "does nothing more", false)]
fn of_a_spec_that_was_not_acted_on_nothing_older_is_said(
    #[case] metadata: Value,
    #[case] next: &str,
    #[case] has_fix: bool,
) {
    let mut object = serde_json::to_value(samples::fleet().remove(1)).unwrap();
    object["metadata"]["generation"] = 4.into();
    json_patch::merge(&mut object["metadata"], &metadata);
    let object: ProviderSecret = serde_json::from_value(object).unwrap();
    let detail = Detail::of(&object, &facts_of_agent_keys(), now());
    let shown = detail.text(now(), &flags(&[]).output);
    let ready = "  Ready       Unknown (said of generation 3: True Synced)\n";
    assert!(shown.contains(ready), "{shown}");
    assert!(shown.contains(&format!("The operator {next}")), "{shown}");
    let fix = "Fix\n  1. Find out why: kubectl provider-secrets why llm-serving -n ml\n";
    assert_eq!(shown.contains(fix), has_fix, "{shown}");
    assert_eq!(shown.contains("Fix"), has_fix, "{shown}");
    assert!(!detail.is_ready());
}

#[test]
fn the_exit_code_says_whether_all_are_ready() {
    let flags = flags(&["-o", "json"]);
    let code = |rows: Vec<Row>| many(&rows, &flags, "ml").unwrap().code;
    assert_eq!(code(rows()), 1);
    // What was synced before it was suspended is Ready.
    assert_eq!(code(rows().into_iter().filter(Row::is_ready).collect()), 0);
    assert_eq!(code(Vec::new()), 0);
    let ready: Vec<bool> = rows().iter().map(Row::is_ready).collect();
    assert_eq!(ready, [true, true, false, false]);
}

#[test]
fn json_and_yaml_say_the_same_as_the_table() {
    for format in ["json", "yaml"] {
        let flags = flags(&["-o", format]);
        let shown = many(&rows(), &flags, "ml").unwrap().text;
        let read: serde_json::Value = serde_saphyr::from_str(&shown).unwrap();
        assert_eq!(read["items"][2]["reason"], "RateLimited");
        assert_eq!(read["items"][2]["synced"], "1/2");
        assert_eq!(read["items"][1]["lastSyncTime"], ago(250));
    }
}

#[test]
fn a_status_of_an_older_spec_is_not_ready() {
    let mut object = samples::fleet().remove(1);
    object.metadata.generation = Some(4);
    let row = Row::of(&object);
    assert!(!row.is_ready());
}
