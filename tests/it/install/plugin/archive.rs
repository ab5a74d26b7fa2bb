//! The archives of `make plugin`: krew and a person install the plugin from one.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fmt::Write as _,
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, SystemTime},
};

use cluster::{Tool, Tools};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    guards::blocks,
    harness::{operator::binary, root, run},
};

/// The platforms that the plugin is for.
const PLATFORMS: [&str; 4] = ["darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64"];

/// The program in an archive.
const PROGRAM: &str = "kubectl-provider_secrets";

/// `make plugin` into a folder.
fn make(folder: &Path, variables: &[String]) -> Output {
    Command::new("make")
        .arg("plugin")
        .arg(format!("DIST={}", folder.display()))
        .args(variables)
        .current_dir(root())
        // This test itself may run below make.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS")
        .stdin(Stdio::null())
        .output()
        .expect("make runs")
}

/// Packs one program for each of the platforms into `plugin/` of a folder.
fn pack(folder: &Path, program: &Path, platforms: &[&str]) {
    let pair = |platform: &&str| format!("{platform}={}", program.display());
    let pairs: Vec<String> = platforms.iter().map(pair).collect();
    succeeded(make(
        folder,
        &[format!("PLUGIN_PROGRAMS={}", pairs.join(" "))],
    ));
}

/// A program of a few bytes in a folder of its own: most tests look at what is around it.
fn small_program() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("program"), "#!/bin/sh\n").expect("a file");
    folder
}

/// Standard output of a command that must succeed.
fn succeeded(output: Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).expect("text")
}

/// The files of a folder with their bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder");
    let read = entries.map(|entry| {
        let entry = entry.expect("the folder is readable");
        let bytes = fs::read(entry.path()).expect("a file");
        (entry.file_name().to_string_lossy().into_owned(), bytes)
    });
    read.collect()
}

/// A digest as krew writes it.
fn sha256(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The platform of this machine.
fn own_platform() -> String {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        architecture => architecture,
    };
    format!("{os}_{architecture}")
}

/// A home, and a terminal in it whose `$PATH` begins with kubectl, krew and a folder of the home.
struct Home {
    folder: TempDir,
    path: String,
}

impl Home {
    async fn new(programs: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tools = folder.path().join("tools");
        let programs = folder.path().join(programs);
        for folder in [&tools, &programs] {
            fs::create_dir_all(folder).expect("a folder");
        }
        for (name, tool) in [("kubectl", Tool::Kubectl), ("kubectl-krew", Tool::Krew)] {
            let program = Tools::from_environment().path(tool).await;
            symlink(program.expect("the program is built"), tools.join(name)).expect("a link");
        }
        let path = format!(
            "{}:{}:{}",
            tools.display(),
            programs.display(),
            env!("PATH")
        );
        Self { folder, path }
    }

    fn runs<Word: AsRef<OsStr>>(&self, folder: &Path, words: &[Word]) -> String {
        let output = Command::new(words.first().expect("a program"))
            .args(&words[1..])
            .current_dir(folder)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.folder.path())
            .env("KREW_NO_UPGRADE_CHECK", "1")
            .stdin(Stdio::null())
            .output();
        succeeded(output.expect("the program runs"))
    }

    /// kubectl finds the plugin, and completes its words.
    fn has_the_plugin(&self) {
        let kubectl = |words: &[&str]| {
            let words = [&["kubectl"], words].concat();
            self.runs(self.folder.path(), &words)
        };
        let version = kubectl(&["provider-secrets", "version", "--client"]);
        let expected = concat!("Client Version: ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(version, expected);
        let words = kubectl(&["__complete", "provider-secrets", "sta"]);
        assert!(words.contains("status\n:4"), "{words}");
    }
}

/// The commands of the page, in a clone in which `make plugin` has run.
#[test]
fn krew_and_a_person_install_the_plugin_from_the_archive() {
    run(async {
        let clone = tempfile::tempdir().expect("a folder");
        let own = own_platform();
        // As a release is: to pack what is there for a debugger would take ten seconds.
        let program = clone.path().join("program");
        let strip = Command::new("strip")
            .arg("-o")
            .arg(&program)
            .arg(binary())
            .output();
        succeeded(strip.expect("strip runs"));
        // krew reads the whole manifest, and takes what is for this machine.
        pack(&clone.path().join("dist"), &program, &[&own]);
        let blocks = blocks("docs/cli.md");
        let homes = [".krew/bin", ".local/bin"];
        assert_eq!(blocks.len(), homes.len(), "by krew, and by hand");
        for (block, programs) in blocks.iter().zip(homes) {
            let home = Home::new(programs).await;
            let script = block.script.replace("linux_amd64", &own);
            home.runs(clone.path(), &["bash", "-euo", "pipefail", "-c", &script]);
            home.has_the_plugin();
        }
    });
}

#[test]
fn the_manifest_has_each_archive_with_its_digest() {
    let (small, folder) = (small_program(), tempfile::tempdir().expect("a folder"));
    pack(folder.path(), &small.path().join("program"), &PLATFORMS);
    let mut files = files(&folder.path().join("plugin"));
    let manifest = files
        .remove("provider-secrets.yaml")
        .expect("there is a manifest");
    let manifest = String::from_utf8(manifest).expect("text");
    let manifest: Value = serde_saphyr::from_str(&manifest).expect("YAML");
    assert_eq!(manifest["metadata"]["name"], "provider-secrets");
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    assert_eq!(manifest["spec"]["version"], version);
    let summary = manifest["spec"]["shortDescription"].as_str();
    let summary = summary.expect("a text");
    // What krew's index asks for.
    assert!(
        summary.len() <= 50 && !summary.ends_with('.'),
        "{summary:?}"
    );
    let uri = format!(
        "{}/releases/download/{version}/",
        env!("CARGO_PKG_REPOSITORY")
    );
    let mut platforms = BTreeSet::new();
    for platform in manifest["spec"]["platforms"].as_array().expect("a list") {
        let text = |pointer: &str| {
            let text = platform.pointer(pointer).and_then(Value::as_str);
            text.expect("a text").to_owned()
        };
        let (os, architecture) = (
            text("/selector/matchLabels/os"),
            text("/selector/matchLabels/arch"),
        );
        let name = text("/uri");
        let name = name.strip_prefix(&uri).expect("a file of the release");
        let version = version.trim_start_matches('v');
        let expected = format!("provider-secrets_{version}_{os}_{architecture}.tar.gz");
        assert_eq!(name, expected);
        let archive = files.remove(name).expect("there is the archive");
        assert_eq!(text("/sha256"), sha256(&archive), "{name}");
        assert_eq!(text("/bin"), PROGRAM);
        platforms.insert(format!("{os}_{architecture}"));
    }
    assert_eq!(platforms, PLATFORMS.map(str::to_owned).into());
    assert!(files.is_empty(), "not in the manifest: {:?}", files.keys());
}

/// krew refuses an archive with a link, or with a path that leads out of it.
#[test]
fn an_archive_holds_the_program_and_the_licence() {
    let (small, folder) = (small_program(), tempfile::tempdir().expect("a folder"));
    pack(
        folder.path(),
        &small.path().join("program"),
        &["linux_amd64"],
    );
    let archive = folder.path().join(concat!(
        "plugin/provider-secrets_",
        env!("CARGO_PKG_VERSION"),
        "_linux_amd64.tar.gz"
    ));
    let tar = |flags: &str| {
        let tar = Command::new("tar")
            .arg(flags)
            .arg(&archive)
            .current_dir(folder.path())
            .output();
        succeeded(tar.expect("tar runs"))
    };
    assert_eq!(tar("-tzf"), format!("LICENSE\n{PROGRAM}\n"));
    tar("-xzf");
    for (name, mode) in [("LICENSE", 0o644), (PROGRAM, 0o755)] {
        let file = fs::symlink_metadata(folder.path().join(name)).expect("a file");
        assert!(file.is_file(), "{name} is a link");
        let allowed = file.permissions().mode() & 0o777;
        assert_eq!(allowed & 0o700, mode & 0o700, "{name}");
        assert_eq!(file.modified().expect("a time"), SystemTime::UNIX_EPOCH);
    }
}

#[test]
fn one_program_gives_one_archive_whenever_it_is_packed() {
    let small = small_program();
    let program = small.path().join("program");
    let packed = |mode: u32, age: u64| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(&program, Permissions::from_mode(mode)).expect("a mode");
        let time = SystemTime::now() - Duration::from_secs(age);
        let file = File::open(&program).expect("a file");
        file.set_modified(time).expect("a time");
        pack(folder.path(), &program, &["linux_amd64", "linux_arm64"]);
        files(&folder.path().join("plugin"))
    };
    let (first, second) = (packed(0o755, 0), packed(0o700, 100_000));
    assert_eq!(first.len(), 3);
    assert!(first == second, "the archives or the manifests differ");
}

#[cfg(target_os = "linux")]
#[test]
fn a_platform_that_cannot_be_built_is_named_with_what_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = make(
        folder.path(),
        &["PLUGIN_TARGETS=aarch64-apple-darwin".to_owned()],
    );
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "not built: darwin/arm64 (needs Apple's SDK, so build it on macOS)\n";
    assert!(said.contains(expected), "{said}");
    assert!(!folder.path().join("plugin").exists());
}
