//! The documentation: every command block of the README is run, and the tables are complete.

use std::{collections::BTreeMap, process::Command};

use cluster::Cluster;
use provider_secrets::api::Reason;
use simulator::{Simulator, baseten, braintrust, pipecat, prime_intellect};

use crate::harness::{TestEnv, root, run};

/// What a user has in the environment, and what the simulated accounts take.
const KEYS: [(&str, &str); 4] = [
    ("BASETEN_API_KEY", "readme-baseten"),
    ("PRIME_API_KEY", "readme-prime"),
    ("PIPECAT_API_KEY", "readme-pipecat"),
    ("BRAINTRUST_API_KEY", "readme-braintrust"),
];

/// A command block and the heading that it stands under.
pub(crate) struct Block {
    heading: String,
    script: String,
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("a README")
}

/// The command blocks of a document.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut heading, mut script) = (Vec::new(), String::new(), None::<String>);
    for line in text.lines() {
        match (&mut script, line) {
            (Some(_), "```") => {
                let script = script.take().unwrap_or_default();
                blocks.push(Block {
                    heading: heading.clone(),
                    script,
                });
            }
            (Some(script), line) => script.extend([line, "\n"]),
            (None, "```sh") => script = Some(String::new()),
            (None, line) if line.starts_with("## ") => line[3..].clone_into(&mut heading),
            (None, _) => {}
        }
    }
    blocks
}

/// Runs a block as a person would, with the cluster's own kubectl and Helm first in the path.
pub(crate) async fn play(cluster: &Cluster, block: &Block) {
    let tools = cluster.directory().join("bin");
    std::fs::create_dir_all(&tools).expect("a folder");
    let kubectl = cluster.tools().kubectl().await.expect("kubectl");
    let helm = cluster.tools().helm().await.expect("helm");
    for (name, program) in [("kubectl", &kubectl), ("helm", &helm)] {
        let link = tools.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(program, link).expect("a link");
        }
    }
    let path = format!("{}:{}", tools.display(), env!("PATH"));
    let output = tokio::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", &block.script])
        .current_dir(root())
        .env("PATH", path)
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("HELM", &helm)
        .env("HELM_CACHE_HOME", tools.join("cache"))
        .envs(KEYS)
        .kill_on_drop(true)
        .output()
        .await
        .expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "under {:?}:\n{}\n{said}",
        block.heading,
        block.script
    );
}

fn add_accounts(simulator: &Simulator) {
    let [baseten_key, prime_key, pipecat_key, braintrust_key] = KEYS.map(|(_, key)| key);
    let added = [
        simulator
            .baseten()
            .add_account(baseten::NewAccount::new("readme", baseten_key)),
        simulator
            .prime_intellect()
            .add_account(prime_intellect::NewAccount::new("readme", prime_key)),
        simulator
            .pipecat()
            .add_account(pipecat::NewAccount::new("readme", pipecat_key)),
        simulator
            .braintrust()
            .add_account(braintrust::NewAccount::new("readme", braintrust_key)),
    ];
    for account in added {
        account.expect("an account is added");
    }
}

#[test]
fn every_command_block_of_the_readme_works() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        add_accounts(env.simulator());
        let mut played = BTreeMap::new();
        for block in blocks(&readme()) {
            *played.entry(block.heading.clone()).or_insert(0) += 1;
            match block.heading.as_str() {
                // The demo has a test of its own, and this is part of the other.
                "See it work" => {
                    assert_eq!(make_targets(&block.script), ["demo", "test"]);
                }
                // Each way to install begins with an empty cluster.
                "Install" => {
                    let cluster = Cluster::start().await.expect("the cluster starts");
                    play(&cluster, &block).await;
                }
                _ => play(&env.cluster, &block).await,
            }
        }
        assert_eq!(played["Install"], 2);
        assert_eq!(played["60 seconds with each provider"], 5);
        let held = env
            .simulator()
            .account(simulator::Provider::Braintrust, "readme")
            .expect("an account");
        assert_eq!(held.values(None)["OPENAI_API_KEY"], "sk-another-one");
    });
}

/// The targets of a block of make commands, each of which make knows.
fn make_targets(script: &str) -> Vec<&str> {
    script
        .lines()
        .map(|line| {
            let target = line
                .strip_prefix("make ")
                .expect("a make command")
                .split(' ')
                .next()
                .unwrap_or_default();
            let known = Command::new("make")
                .args(["--dry-run", target])
                .current_dir(root())
                .output();
            assert!(
                known.expect("make runs").status.success(),
                "make knows no target {target}"
            );
            target
        })
        .collect()
}

#[test]
fn every_reason_is_explained() {
    let reference = std::fs::read_to_string(root().join("docs/reference.md")).expect("a reference");
    for reason in Reason::ALL {
        let row = format!("\n| [`{reason}`](runbooks/{reason}.md) |");
        assert!(
            reference.contains(&row),
            "docs/reference.md does not explain {reason}"
        );
    }
}

#[test]
fn every_flag_is_explained() {
    let help = Command::new(env!("CARGO_BIN_EXE_provider-secrets"))
        .args(["run", "--help"])
        .output();
    let help = String::from_utf8(help.expect("the operator runs").stdout).expect("text");
    let reference = std::fs::read_to_string(root().join("docs/reference.md")).expect("a reference");
    let flags = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.split([' ', '[']).next());
    let flags: Vec<&str> = flags.collect();
    assert!(flags.len() >= 9, "{help}");
    for flag in flags {
        assert!(
            reference.contains(&format!("`--{flag}")),
            "docs/reference.md does not explain --{flag}"
        );
    }
}

#[test]
fn the_readme_of_the_tests_names_every_room() {
    let readme = std::fs::read_to_string(root().join("tests/README.md")).expect("a README");
    let files = |folder: &str| {
        let entries = std::fs::read_dir(root().join("tests/it").join(folder)).expect("a folder");
        let paths = entries.map(|entry| entry.expect("the folder is readable").path());
        paths.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    let mut missing = Vec::new();
    for room in files("") {
        let room = room
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if matches!(room.as_str(), "main" | "harness") {
            continue;
        }
        for test in files(&room) {
            let test = test
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let name = format!("`{room}/{test}`");
            if !readme.contains(&name) {
                missing.push(name);
            }
        }
    }
    assert!(
        missing.is_empty(),
        "tests/README.md does not name {missing:?}"
    );
}
