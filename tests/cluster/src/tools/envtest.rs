//! The programs that `setup-envtest` of controller-runtime has installed, if there are any.
//!
//! It keeps them in `<store>/k8s/<version>-<os>-<architecture>/`: etcd, kube-apiserver and kubectl
//! of one release of Kubernetes.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::{Tool, is_program, module};

/// The programs that an installation has.
const PROGRAMS: [Tool; 3] = [Tool::Etcd, Tool::KubeApiserver, Tool::Kubectl];

/// The oldest Kubernetes that the operator runs on.
const OLDEST: (u32, u32) = (1, 33);

/// One installation.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Installation {
    /// Such as `1.36.2`.
    pub(super) version: String,
    pub(super) directory: PathBuf,
}

impl Installation {
    /// The path of a program, if installations have it.
    pub(super) fn program(&self, tool: Tool) -> Option<PathBuf> {
        PROGRAMS
            .contains(&tool)
            .then(|| self.directory.join(tool.name()))
    }
}

/// Where `setup-envtest` keeps its installations, unless it is told otherwise.
pub(super) fn store(data: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    if cfg!(target_os = "macos") {
        Some(home?.join("Library/Application Support/io.kubebuilder.envtest"))
    } else {
        let data = data.or_else(|| Some(home?.join(".local/share")))?;
        Some(data.join("kubebuilder-envtest"))
    }
}

/// The newest installation of a supported release: from the oldest that the operator runs on to the
/// one that is compiled here. What a newer API server does is known only when the tests have run
/// with it.
pub(super) fn newest(store: &Path) -> Option<Installation> {
    let (major, minor, _) = number(module::KUBERNETES.version().trim_start_matches('v'))?;
    newest_between(store, &(OLDEST..=(major, minor)))
}

/// The newest installation for this machine that is complete and of one of these minor versions.
fn newest_between(store: &Path, minors: &RangeInclusive<(u32, u32)>) -> Option<Installation> {
    let entries = std::fs::read_dir(store.join("k8s")).ok()?;
    let (_, newest) = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_suffix(&platform())?;
            let number = number(version)?;
            let directory = entry.path();
            let is_complete = PROGRAMS
                .iter()
                .all(|tool| is_program(&directory.join(tool.name())));
            let version = version.to_owned();
            (is_complete && minors.contains(&(number.0, number.1)))
                .then_some((number, Installation { version, directory }))
        })
        .max_by_key(|(number, _)| *number)?;
    Some(newest)
}

/// How the name of an installation for this machine ends.
fn platform() -> String {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        architecture => architecture,
    };
    format!("-{os}-{architecture}")
}

/// The numbers of a release such as `1.36.2`; of anything else, a pre-release too, none.
fn number(version: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let number = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(number)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ALL: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];

    /// Installs these programs as an installation of this name, which may be anything.
    fn install(store: &Path, name: &str, programs: &[&str], mode: u32) {
        let directory = store.join("k8s").join(name);
        std::fs::create_dir_all(&directory).expect("a directory can be made");
        for program in programs {
            let path = directory.join(program);
            std::fs::write(&path, "").expect("a file can be written");
            std::fs::set_permissions(&path, Permissions::from_mode(mode))
                .expect("its mode can be set");
        }
    }

    /// The newest of the minor versions from 1.33 to 1.36.
    fn newest_of(store: &Path) -> Option<Installation> {
        newest_between(store, &((1, 33)..=(1, 36)))
    }

    /// The version that is chosen of installations for this machine.
    fn chosen(versions: &[&str]) -> Option<String> {
        let store = tempfile::tempdir().expect("a directory can be made");
        for version in versions {
            install(
                store.path(),
                &format!("{version}{}", platform()),
                &ALL,
                0o555,
            );
        }
        newest_of(store.path()).map(|installation| installation.version)
    }

    #[test]
    fn the_newest_supported_version_is_chosen() {
        for (versions, expected) in [
            (&["1.34.9", "1.35.10", "1.35.9"][..], Some("1.35.10")),
            (&["1.36.0", "1.33.12", "1.36.99"], Some("1.36.99")),
            (&["1.33.0"], Some("1.33.0")),
            (&["1.32.9", "1.9.0", "0.36.0"], None),
            (&["1.37.0", "2.35.0", "1.34.1"], Some("1.34.1")),
            (
                &["1.36.0-rc.1", "1.36", "1.36.0.1", "v1.36.1", "latest", ""],
                None,
            ),
            (&["1.36.99999999999"], None),
            (&[], None),
        ] {
            assert_eq!(chosen(versions).as_deref(), expected, "of {versions:?}");
        }
    }

    #[test]
    fn the_pinned_minor_version_is_supported_and_the_one_after_it_is_not() {
        let (major, minor, _) = number(&module::KUBERNETES.version()[1..]).expect("a version");
        let store = tempfile::tempdir().expect("a directory can be made");
        let name = |minor: u32| format!("{major}.{minor}.99{}", platform());
        install(store.path(), &name(minor), &ALL, 0o555);
        install(store.path(), &name(minor + 1), &ALL, 0o555);
        let expected = store.path().join("k8s").join(name(minor));
        assert_eq!(newest(store.path()).expect("one").directory, expected);
    }

    #[test]
    fn what_another_machine_could_run_is_not_chosen() {
        let store = tempfile::tempdir().expect("a directory can be made");
        for other in ["plan9-amd64", "linux-riscv64", "windows-arm64"] {
            install(store.path(), &format!("1.36.0-{other}"), &ALL, 0o555);
        }
        install(store.path(), "1.36.0", &ALL, 0o555);
        assert_eq!(newest_of(store.path()), None);
    }

    #[test]
    fn an_incomplete_installation_is_not_chosen() {
        let store = tempfile::tempdir().expect("a directory can be made");
        let name = |version| format!("{version}{}", platform());
        for (missing, version) in ["1.35.1", "1.35.2", "1.35.3"].into_iter().enumerate() {
            let mut programs = ALL.to_vec();
            programs.remove(missing);
            install(store.path(), &name(version), &programs, 0o555);
        }
        install(store.path(), &name("1.35.4"), &ALL, 0o444);
        install(store.path(), &name("1.35.5"), &[], 0o555);
        std::fs::create_dir(store.path().join("k8s").join(name("1.35.5")).join("etcd"))
            .expect("a directory can be made");
        std::fs::write(store.path().join("k8s").join(name("1.35.6")), "")
            .expect("a file can be written");
        std::os::unix::fs::symlink("nowhere", store.path().join("k8s").join(name("1.35.7")))
            .expect("a link can be made");
        assert_eq!(newest_of(store.path()), None);
        install(store.path(), &name("1.34.0"), &ALL, 0o555);
        assert_eq!(newest_of(store.path()).expect("one").version, "1.34.0");
    }

    #[test]
    fn without_a_store_nothing_is_chosen() {
        let store = tempfile::tempdir().expect("a directory can be made");
        assert_eq!(newest_of(store.path()), None);
        assert_eq!(newest_of(&store.path().join("absent")), None);
        std::fs::write(store.path().join("k8s"), "").expect("a file can be written");
        assert_eq!(newest_of(store.path()), None);
    }

    #[test]
    fn an_installation_has_no_helm_and_no_controllers() {
        let installation = Installation {
            version: "1.36.0".to_owned(),
            directory: PathBuf::from("/k8s"),
        };
        let has = |tool: Tool| installation.program(tool).is_some();
        let of_a_control_plane = [Tool::Etcd, Tool::KubeApiserver, Tool::Kubectl];
        for tool in Tool::ALL {
            assert_eq!(has(tool), of_a_control_plane.contains(&tool), "{tool:?}");
        }
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn the_store_is_where_setup_envtest_puts_it() {
        let path = |text: &str| Some(PathBuf::from(text));
        for (data, home, expected) in [
            (
                path("/data"),
                path("/home"),
                path("/data/kubebuilder-envtest"),
            ),
            (
                None,
                path("/home"),
                path("/home/.local/share/kubebuilder-envtest"),
            ),
            (path("/data"), None, path("/data/kubebuilder-envtest")),
            (None, None, None),
        ] {
            assert_eq!(store(data, home), expected);
        }
    }
}
