//! The command blocks of the documents: a test runs each as a person would, in the order of the page.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use cluster::Cluster;
use simulator::{Provider, Simulator, baseten, braintrust, pipecat, prime_intellect};

use crate::harness::{TestEnv, operator, root, run};

/// The documents with command blocks. The test of each is below, or stands with what it is about.
const PAGES: [&str; 9] = [
    "README.md",
    CHART,
    "docs/cli.md",
    "docs/getting-started.md",
    "docs/gitops/argocd.md",
    "docs/gitops/flux.md",
    "docs/operations.md",
    "docs/performance.md",
    "docs/reference.md",
];

/// How a line begins that a person would run.
const COMMANDS: [&str; 6] = [
    "docker ",
    "helm ",
    "kubectl ",
    "make ",
    "cargo ",
    "provider-secrets ",
];

/// What no test can run: it needs Docker, or a registry.
const NOT_RUN: [&str; 3] = ["docker tag ", "docker push ", "helm push "];

/// The names of our own program: what follows is its command line.
const OURS: [&str; 2] = ["kubectl provider-secrets ", "provider-secrets "];

/// The README of the chart.
const CHART: &str = "charts/provider-secrets/README.md";

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
    pub(crate) script: String,
}

/// The command blocks of a document.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    fenced(page, "sh")
}

/// The blocks of a document in this language.
fn fenced(page: &str, language: &str) -> Vec<Block> {
    let fence = format!("```{language}");
    let text = fs::read_to_string(root().join(page)).expect("a document");
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
            (None, line) if line == fence => script = Some(String::new()),
            (None, line) if line.starts_with("## ") => line[3..].clone_into(&mut heading),
            (None, _) => {}
        }
    }
    blocks
}

/// A person at a terminal: in a folder with what a clone has, the cluster's own kubectl and Helm first in the path.
pub(crate) struct Person<'a> {
    cluster: &'a Cluster,
    clone: PathBuf,
}

impl<'a> Person<'a> {
    pub(crate) async fn at(cluster: &'a Cluster) -> Self {
        let clone = cluster.directory().join("clone");
        let tools = clone.join("bin");
        fs::create_dir_all(&tools).expect("a folder");
        for part in ["charts", "crds", "deploy", "docs", "examples"] {
            symlink(root().join(part), clone.join(part)).expect("a link");
        }
        let kubectl = cluster.tools().kubectl().await.expect("kubectl");
        let helm = cluster.tools().helm().await.expect("helm");
        let plugin = operator::binary().to_owned();
        for (name, program) in [
            ("kubectl", &kubectl),
            ("helm", &helm),
            ("kubectl-provider_secrets", &plugin),
        ] {
            symlink(program, tools.join(name)).expect("a link");
        }
        Self { cluster, clone }
    }

    pub(crate) async fn runs(&self, block: &Block) {
        self.runs_in(&self.clone, block).await;
    }

    /// Runs a block that needs more of the repository than manifests.
    async fn runs_in(&self, folder: &Path, block: &Block) {
        let tools = self.clone.join("bin");
        let path = format!("{}:{}", tools.display(), env!("PATH"));
        let output = tokio::process::Command::new("bash")
            .args(["-euo", "pipefail", "-c", &block.script])
            .current_dir(folder)
            .env("PATH", path)
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .env("HELM", tools.join("helm"))
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

/// What the account at Braintrust holds.
fn held(simulator: &Simulator) -> BTreeMap<String, String> {
    let account = simulator.account(Provider::Braintrust, "readme");
    account.expect("an account").values(None)
}

/// Every document that users read.
fn pages() -> Vec<String> {
    let mut pages = ["README.md", CHART].map(|page| root().join(page)).to_vec();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("the folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(path);
            }
        }
    }
    let name = |page: &PathBuf| {
        let page = page.strip_prefix(root()).expect("a path of the checkout");
        page.to_string_lossy().into_owned()
    };
    let mut pages: Vec<String> = pages.iter().map(name).collect();
    pages.sort();
    pages
}

#[test]
fn each_document_with_command_blocks_has_a_test_of_them() {
    let mut found = pages();
    found.retain(|page| !blocks(page).is_empty());
    assert_eq!(found, PAGES);
}

/// A block of text shows output. A line `$ …` in it is what was run; any other command would be one that no test runs.
#[test]
fn a_command_in_a_block_of_text_is_of_our_program_or_cannot_run() {
    let mut ours = 0;
    for page in pages() {
        let texts = fenced(&page, "text");
        for line in texts.iter().flat_map(|block| block.script.lines()) {
            let begins = |with: &&str| line.starts_with(with);
            let is_run = !COMMANDS.iter().any(begins) || NOT_RUN.iter().any(begins);
            assert!(is_run, "{page}: no test runs {line}");
            let shown = line.strip_prefix("$ ").unwrap_or_default();
            let Some(flags) = OURS.iter().find_map(|name| shown.strip_prefix(name)) else {
                continue;
            };
            ours += 1;
            // What the parser does not know it says before it comes to `--help`.
            let parsed = Command::new(operator::binary())
                .args(flags.split_whitespace())
                .arg("--help")
                .output()
                .expect("it runs");
            let said = String::from_utf8_lossy(&parsed.stderr);
            assert!(parsed.status.success(), "{page}: {line}: {said}");
        }
    }
    assert!(ours > 10, "{ours}");
}

#[test]
fn every_command_block_of_the_readme_works() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        add_accounts(env.simulator());
        let person = Person::at(&env.cluster).await;
        let mut played = BTreeMap::new();
        for block in blocks("README.md") {
            *played.entry(block.heading.clone()).or_insert(0) += 1;
            match block.heading.as_str() {
                // The demo has a test of its own, and this is part of the other.
                "See it work" => {
                    assert_eq!(make_targets(&block.script), ["demo", "test"]);
                }
                // Each way to install begins with an empty cluster.
                "Install" => {
                    let cluster = Cluster::start().await.expect("the cluster starts");
                    let person = Person::at(&cluster).await;
                    person.runs_in(&root(), &block).await;
                }
                _ => person.runs(&block).await,
            }
        }
        assert_eq!(played["Install"], 3);
        assert_eq!(played["60 seconds with each provider"], 6);
        assert_eq!(held(env.simulator())["OPENAI_API_KEY"], "sk-another-one");
    });
}

/// Both pages in one test: what operations change is what getting started made.
#[test]
fn every_command_block_of_the_first_steps_and_of_operations_works() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        add_accounts(env.simulator());
        let person = Person::at(&env.cluster).await;
        // Here a release is installed, upgraded and removed; there the operator runs.
        let other = Cluster::start().await.expect("the cluster starts");
        let installer = Person::at(&other).await;
        let mut played = 0;
        for page in ["docs/getting-started.md", "docs/operations.md"] {
            for block in blocks(page) {
                match block.heading.as_str() {
                    "Install the operator" | "Upgrade" | "Roll back" | "Uninstall" => {
                        installer.runs(&block).await;
                    }
                    _ => person.runs(&block).await,
                }
                played += 1;
            }
        }
        assert_eq!(played, 16);
        // The object was handed over before it was deleted.
        assert_eq!(held(env.simulator())["OPENAI_API_KEY"], "sk-another-one");
    });
}

/// The object that the pages on approvals and on Flux speak of, whose plan waits.
const WAITING: &str = r#"
kubectl create namespace ml
kubectl create secret generic braintrust -n ml --from-literal=api-key="$BRAINTRUST_API_KEY"
kubectl create secret generic openai -n ml --from-literal=key=sk-not-a-real-key
kubectl apply -f - <<'EOF'
apiVersion: providersecrets.dev/v1alpha1
kind: ProviderSecret
metadata:
  name: llm-serving
  namespace: ml
spec:
  approval: Manual
  provider:
    braintrust:
      apiKeySecretRef: {name: braintrust, key: api-key}
  data:
    - name: OPENAI_API_KEY
      secretKeyRef: {name: openai, key: key}
EOF
kubectl wait --for=jsonpath='{.status.plan.hash}' psec/llm-serving -n ml --timeout=60s
"#;

const REQUEST_HANDLED: &str = "kubectl wait -n ml psec/llm-serving --timeout=60s \
    --for=jsonpath='{.status.lastHandledSyncRequest}'";

#[test]
fn every_command_block_of_the_reference_and_of_flux_works() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        add_accounts(env.simulator());
        let person = Person::at(&env.cluster).await;
        let script = |script: &str| Block {
            heading: "What the test does besides".to_owned(),
            script: script.to_owned(),
        };
        person.runs(&script(WAITING)).await;
        assert!(held(env.simulator()).is_empty());
        for block in blocks("docs/reference.md") {
            person.runs(&block).await;
        }
        assert_eq!(held(env.simulator())["OPENAI_API_KEY"], "sk-not-a-real-key");
        let played = blocks("docs/gitops/flux.md");
        assert_eq!(played.len(), 2, "package and request");
        for block in played {
            person.runs(&block).await;
        }
        person.runs(&script(REQUEST_HANDLED)).await;
    });
}

#[test]
fn every_command_block_of_the_chart_works() {
    run(async {
        let cluster = Cluster::start().await.expect("the cluster starts");
        let person = Person::at(&cluster).await;
        let blocks = blocks(CHART);
        assert_eq!(blocks.len(), 2, "install and uninstall");
        for block in blocks {
            person.runs(&block).await;
        }
        let left = [
            "get",
            "deployments,clusterroles",
            "--all-namespaces",
            "--selector=app.kubernetes.io/part-of=provider-secrets",
            "--output=name",
        ];
        let output = cluster.kubectl_output(&left, None);
        let output = output.await.expect("kubectl runs");
        assert_eq!(
            (output.success, output.stdout.as_str()),
            (true, ""),
            "{}",
            output.stderr
        );
    });
}

#[test]
fn every_command_of_the_page_on_performance_is_one() {
    let targets: Vec<String> = blocks("docs/performance.md")
        .iter()
        .flat_map(|block| make_targets(&block.script))
        .collect();
    assert_eq!(targets, ["bench"; 4]);
}

/// The targets of a block of make commands, each of which make knows.
fn make_targets(script: &str) -> Vec<String> {
    let target = |line: &str| {
        let target = line.strip_prefix("make ").expect("a make command");
        target.split(' ').next().unwrap_or_default().to_owned()
    };
    let targets: Vec<String> = script.lines().map(target).collect();
    for target in &targets {
        let known = Command::new("make")
            .args(["--dry-run", target])
            .current_dir(root())
            .output();
        let is_known = known.expect("make runs").status.success();
        assert!(is_known, "make knows no target {target}");
    }
    targets
}
