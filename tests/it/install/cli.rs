//! The command line: what it prints, exit codes, and one line for what is wrong before anything
//! is done.

mod validate; // manifests without a cluster
mod variables; // the environment, and what a flag or variable may hold

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::Duration,
};

use assert_cmd::Command;

use crate::harness::root;

/// How long a command that only refuses may take; a hang is a failure and not a hung test.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a run of the binary came to.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the binary in an environment that has nothing but `environment`.
fn provider_secrets(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_provider-secrets"))
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .envs(environment.iter().copied())
        .timeout(PATIENCE)
        .output()
        .expect("the binary runs");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("it prints text"),
        stderr: String::from_utf8(output.stderr).expect("it prints text"),
    }
}

/// Checks that a run was refused in one line that has each of `parts`, and with exit code 2.
fn assert_refused(ended: &Ended, parts: &[&str]) {
    let Ended {
        code,
        stdout,
        stderr,
    } = ended;
    assert_eq!(*code, Some(2), "{stdout}{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "one line: {stderr}");
    assert!(stderr.starts_with("provider-secrets: "), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} is not in {stderr}");
    }
    assert_eq!(stdout, "", "{stderr}");
}

/// A kubeconfig that reads well and leads nowhere.
fn kubeconfig(directory: &Path) -> String {
    let path = directory.join("kubeconfig");
    let text = "
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: 'http://127.0.0.1:9'}}]
users: [{name: none, user: {token: none}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
";
    std::fs::write(&path, text).expect("a kubeconfig is written");
    path.display().to_string()
}

#[test]
fn help_names_every_command_and_is_no_error() {
    for flag in ["--help", "-h", "help"] {
        let ended = provider_secrets(&[flag], &[]);
        assert_eq!(ended.code, Some(0));
        assert_eq!(ended.stderr, "");
        for word in ["run", "crds", "--version", "Usage: provider-secrets"] {
            assert!(
                ended.stdout.contains(word),
                "{word} is not in {}",
                ended.stdout
            );
        }
    }
}

#[test]
fn the_help_of_run_names_every_flag_and_its_variable() {
    let ended = provider_secrets(&["run", "--help"], &[]);
    assert_eq!(ended.code, Some(0));
    let flags = ended.stdout.lines().filter_map(|line| {
        let flag = line.trim_start().strip_prefix("--")?;
        Some(
            flag.split([' ', '=', '['])
                .next()
                .unwrap_or(flag)
                .to_owned(),
        )
    });
    let flags: Vec<String> = flags.collect();
    for expected in [
        "metrics-bind-address",
        "health-probe-bind-address",
        "max-concurrent-reconciles",
        "log-level",
        "log-format",
        "endpoint",
    ] {
        assert!(
            flags.iter().any(|flag| flag == expected),
            "--{expected} is not in {flags:?}"
        );
    }
    for flag in flags.iter().filter(|flag| *flag != "pod-name") {
        let variable = format!("PROVIDER_SECRETS_{}", flag.to_uppercase().replace('-', "_"));
        assert!(
            ended.stdout.contains(&variable),
            "--{flag} has no {variable}"
        );
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let ended = provider_secrets(&["--version"], &[]);
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        ended.stdout,
        concat!("provider-secrets ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(ended.stderr, "");
}

#[test]
fn crds_prints_the_committed_definition() {
    let ended = provider_secrets(&["crds"], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stderr, "");
    let committed = std::fs::read_to_string(root().join("crds/providersecrets.yaml"));
    assert!(
        ended.stdout == committed.expect("it is committed"),
        "run `make crds`"
    );
}

/// A reader that has gone away, as head(1) does, is none.
#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_written_is_a_failure() {
    let crds = |stdout: Stdio| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_provider-secrets"));
        let command = command.arg("crds").env_clear().stdout(stdout);
        let output = command.output().expect("the binary runs");
        let said = String::from_utf8(output.stderr).expect("it prints text");
        (output.status.code(), said)
    };
    let full = std::fs::File::options().write(true).open("/dev/full");
    let (code, said) = crds(full.expect("a device").into());
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("the output could not be written"), "{said}");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(crds(writer.into()), (Some(0), String::new()));
}

#[test]
fn a_wrong_command_line_is_refused_in_one_line() {
    let cases: [(&[&str], &[&str]); 20] = [
        (&[], &["command", "--help"]),
        (&["walk"], &["walk"]),
        (&["--nonsense"], &["--nonsense"]),
        (&["run", "--nonsense"], &["--nonsense"]),
        (&["run", "extra"], &["extra"]),
        (&["crds", "--nonsense"], &["--nonsense"]),
        (&["run", "--log-format=xml"], &["xml", "--log-format"]),
        (&["run", "--log-level=loud=very=x"], &["--log-level"]),
        (
            &["run", "--log-level=inof"],
            &["--log-level", "inof", "did you mean info?"],
        ),
        (
            &["run", "--max-concurrent-reconciles=0"],
            &["--max-concurrent-reconciles"],
        ),
        (
            &["run", "--max-concurrent-reconciles=many"],
            &["--max-concurrent-reconciles"],
        ),
        (
            &["run", "--metrics-bind-address=8080"],
            &["--metrics-bind-address", ":PORT"],
        ),
        (
            &["run", "--health-probe-bind-address=:99999"],
            &["--health-probe-bind-address"],
        ),
        (
            &["run", "--watch-namespaces=one,Two"],
            &["--watch-namespaces", "one,Two", "lower-case"],
        ),
        (
            &["run", "--watch-namespaces=one", "--watch-namespaces=two,"],
            &["--watch-namespaces", "two,"],
        ),
        (&["run", "--endpoint"], &["--endpoint"]),
        (&["run", "--endpoint=baseten"], &["PROVIDER[/NAME]=URL"]),
        (
            &["run", "--endpoint=baseten=http://example.com"],
            &["https", "loopback"],
        ),
        (
            &["run", "--endpoint=acme=https://example.com"],
            &["baseten", "braintrust"],
        ),
        (
            &["run", "--endpoint=baseten/EU=https://example.com"],
            &["lower-case"],
        ),
    ];
    for (arguments, parts) in cases {
        let ended = provider_secrets(arguments, &[]);
        assert_refused(&ended, parts);
    }
}

#[test]
fn without_a_cluster_it_says_so_in_one_line() {
    let directory = tempfile::tempdir().expect("a directory is made");
    let broken = directory.path().join("broken");
    std::fs::write(&broken, "{not: [yaml").expect("a file is written");
    let broken = broken.display().to_string();
    let environments: [&[(&str, &str)]; 4] = [
        &[],
        &[("KUBECONFIG", "/nonexistent/kubeconfig")],
        &[("KUBECONFIG", &broken)],
        &[
            ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
            ("KUBERNETES_SERVICE_PORT", "9"),
        ],
    ];
    for environment in environments {
        let ended = provider_secrets(&["run"], environment);
        assert_refused(&ended, &["no cluster", "kubeconfig"]);
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    let directory = tempfile::tempdir().expect("a directory is made");
    let kubeconfig = kubeconfig(directory.path());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    let (metrics, probes) = ("--metrics-bind-address=", "--health-probe-bind-address=");
    for (taken, free) in [(metrics, probes), (probes, metrics)] {
        let (taken, free) = (format!("{taken}{address}"), format!("{free}127.0.0.1:0"));
        let arguments = ["run", "--log-level=error", &taken, &free];
        let ended = provider_secrets(&arguments, &[("KUBECONFIG", &kubeconfig)]);
        assert_refused(&ended, &["cannot listen", &address]);
    }
}

/// What a run says until it fails, because nothing answers where its kubeconfig leads. `extra` comes
/// after the flags that make it end.
fn ended(extra: &[&str], environment: &[(&str, &str)]) -> Ended {
    let directory = tempfile::tempdir().expect("a directory is made");
    let kubeconfig = kubeconfig(directory.path());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address");
    let metrics = format!("--metrics-bind-address={address}");
    let base = [
        "run",
        "--log-level=info",
        "--health-probe-bind-address=127.0.0.1:0",
        &metrics,
    ];
    let environment = [environment, &[("KUBECONFIG", kubeconfig.as_str())]].concat();
    provider_secrets(&[&base, extra].concat(), &environment)
}

/// Cases: R-14
#[test]
fn a_proxy_in_the_environment_is_no_obstacle() {
    for proxy in [
        "http://proxy.invalid:3128",
        "socks4://proxy.invalid",
        "::bad",
    ] {
        for variable in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"] {
            let environment = [(variable, proxy), ("NO_PROXY", "localhost,,*.bad/33,")];
            let ended = ended(&[], &environment);
            // It has come past the cluster.
            assert_refused(&ended, &["cannot listen"]);
        }
    }
}

/// Cases: R-04
#[test]
fn of_a_repeated_flag_the_last_one_wins() {
    for (first, last) in [
        ("--log-level=nonsense", "--log-level=info"),
        (
            "--metrics-per-resource=true",
            "--metrics-per-resource=false",
        ),
        ("--verify-interval=10m", "--verify-interval=20m"),
        (
            "--max-concurrent-reconciles=1",
            "--max-concurrent-reconciles=2",
        ),
        ("--deletion-timeout=1m", "--deletion-timeout=2m"),
        ("--max-calls-per-account=1", "--max-calls-per-account=2"),
        ("--pod-name=one", "--pod-name=two"),
    ] {
        assert_refused(&ended(&[first, last], &[]), &["cannot listen"]);
    }
    let ended = ended(
        &[
            "--log-format=json",
            "--log-format=text",
            "--log-level=debug",
            "--log-level=nonsense",
        ],
        &[],
    );
    assert_refused(&ended, &["nonsense"]);
    let directory = tempfile::tempdir().expect("a directory is made");
    let kubeconfig = kubeconfig(directory.path());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    let last = format!("--metrics-bind-address={address}");
    let arguments = [
        "run",
        "--log-level=error",
        "--health-probe-bind-address=127.0.0.1:0",
        "--metrics-bind-address=127.0.0.1:0",
        &last,
    ];
    let ended = provider_secrets(&arguments, &[("KUBECONFIG", &kubeconfig)]);
    assert_refused(&ended, &["cannot listen", &address]);
}

#[test]
fn a_log_that_goes_into_a_pipe_has_no_colours() {
    let directory = tempfile::tempdir().expect("a directory is made");
    let mut running = std::process::Command::new(env!("CARGO_BIN_EXE_provider-secrets"))
        .args(["run", "--log-format=text"])
        .args([
            "--metrics-bind-address=:0",
            "--health-probe-bind-address=:0",
        ])
        .env_clear()
        .env("KUBECONFIG", kubeconfig(directory.path()))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let log = BufReader::new(running.stderr.take().expect("it is piped"));
    let started = log
        .lines()
        .map(|line| line.expect("it logs text"))
        .find(|line| line.contains("started"));
    running.kill().expect("it is killed");
    running.wait().expect("it ends");
    let started = started.expect("it starts");
    assert!(!started.contains('\u{1b}'), "{started:?}");
    assert!(started.contains("INFO started"), "{started:?}");
}
