//! The program, as `make conformance` runs it, against the simulator over HTTP.

use std::process::{Output, Stdio};

use conformance::Variables;
use provider_secrets::api::ProviderKind;
use simulator::{Fault, Simulator};
use tokio::{net::TcpListener, process::Command};

use crate::support::{APIS, KEY, holdings};

/// The program with no variable of a provider but those given.
fn program(kind: ProviderKind, variables: &[(&str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.arg(kind.flag()).stdin(Stdio::null());
    for kind in ProviderKind::ALL {
        let names = Variables::of(kind);
        command.env_remove(names.key).env_remove(names.base);
        if let Some(scope) = names.scope {
            command.env_remove(scope);
        }
    }
    command
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .kill_on_drop(true);
    command
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a program speaks UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn it_checks_an_account_over_http_and_leaves_it_as_it_was() {
    for api in APIS {
        let simulator = Simulator::new();
        let account = api.account(&simulator);
        let before = holdings(&account);
        let served = simulator.serve().await.unwrap();
        let names = Variables::of(api.kind);
        let mut variables = vec![
            (names.key, KEY.to_owned()),
            (names.base, served.url(api.provider)),
        ];
        variables.extend(names.scope.zip(api.scope.map(str::to_owned)));
        let output = program(api.kind, &variables).output().await.unwrap();
        let (stdout, stderr) = texts(&output);
        assert!(output.status.success(), "{api:?}\n{stdout}\n{stderr}");
        assert!(
            stdout.contains("\nok           the key is accepted\n"),
            "{stdout}"
        );
        assert!(stdout.contains(" 0 failed"), "{stdout}");
        assert!(!stdout.contains(KEY) && !stderr.contains(KEY));
        assert_eq!(holdings(&account), before, "{api:?}");
        // One run makes what it needs and not much more: people pay for calls.
        assert!(account.requests().len() < 1_000, "{api:?}");
    }
}

#[tokio::test]
async fn without_a_key_it_says_loudly_that_nothing_was_checked() {
    for kind in ProviderKind::ALL {
        let key = Variables::of(kind).key;
        for variables in [vec![], vec![(key, String::new())]] {
            let output = program(kind, &variables).output().await.unwrap();
            let (stdout, stderr) = texts(&output);
            assert!(output.status.success());
            assert!(stdout.is_empty(), "{stdout}");
            assert_eq!(
                stderr,
                format!("SKIPPED: nothing was checked at {kind}, because {key} is not set\n")
            );
        }
    }
}

#[tokio::test]
async fn a_failed_check_is_a_failed_program() {
    let api = APIS[0];
    let simulator = Simulator::new();
    let account = api.account(&simulator);
    let before = holdings(&account);
    account.add_fault(Fault::status(400).method("POST").skip(9).forever());
    let served = simulator.serve().await.unwrap();
    let names = Variables::of(api.kind);
    let variables = [
        (names.key, KEY.to_owned()),
        (names.base, served.url(api.provider)),
    ];
    let output = program(api.kind, &variables).output().await.unwrap();
    let (stdout, _) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(stdout.contains("\nFAILED       "), "{stdout}");
    assert_eq!(holdings(&account), before);
}

#[tokio::test]
async fn a_key_goes_to_https_or_loopback_only() {
    for kind in ProviderKind::ALL {
        let names = Variables::of(kind);
        for url in ["http://example.com", "https://u:p@example.com", "nowhere"] {
            let variables = [(names.key, KEY.to_owned()), (names.base, url.to_owned())];
            let output = program(kind, &variables).output().await.unwrap();
            let (stdout, stderr) = texts(&output);
            assert_eq!(output.status.code(), Some(2), "{stdout}");
            assert!(
                stderr.starts_with(&format!("conformance: {}: ", names.base)),
                "{stderr}"
            );
            assert!(!stderr.contains(KEY));
        }
    }
}

/// The program has the operator's own transport.
/// Cases: P-41
#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    let api = APIS[0];
    let simulator = Simulator::new();
    api.account(&simulator);
    let served = simulator.serve().await.unwrap();
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let names = Variables::of(api.kind);
    let mut variables = vec![
        (names.key, KEY.to_owned()),
        (names.base, served.url(api.provider)),
    ];
    let proxies = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ];
    variables.extend(proxies.map(|name| (name, url.clone())));
    let output = program(api.kind, &variables).output().await.unwrap();
    let (stdout, _) = texts(&output);
    assert!(output.status.success(), "{stdout}");
    let came = tokio::select! {
        biased;
        came = proxy.accept() => Some(came),
        () = std::future::ready(()) => None,
    };
    assert!(came.is_none(), "a proxy was used");
}

#[tokio::test]
async fn a_run_that_is_stopped_cleans_up() {
    let api = APIS[6];
    let simulator = Simulator::new();
    let account = api.account(&simulator);
    let before = holdings(&account);
    // It stays at this call, with something made before it.
    account.add_fault(Fault::new(simulator::Action::Hang).method("PUT").skip(20));
    let served = simulator.serve().await.unwrap();
    let names = Variables::of(api.kind);
    let variables = [
        (names.key, KEY.to_owned()),
        (names.base, served.url(api.provider)),
        (names.scope.unwrap(), "organization-b".to_owned()),
    ];
    let mut command = program(api.kind, &variables);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let made = |simulator: &Simulator| simulator.writes().len() > 20;
    let minute = std::time::Duration::from_mins(1);
    simulator.wait_until(minute, made).await.unwrap();
    assert_ne!(holdings(&account), before);
    let stop = Command::new("kill")
        .args(["-TERM", &child.id().unwrap().to_string()])
        .status();
    assert!(stop.await.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{stdout}\n{stderr}");
    assert!(stderr.contains("stopped before the last check"), "{stderr}");
    assert_eq!(holdings(&account), before, "{stdout}");
}
