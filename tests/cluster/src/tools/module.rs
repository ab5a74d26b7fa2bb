//! The pinned Go modules, compiled into this crate.
//!
//! Their text is the only place that has versions: everything else, the name
//! in the cache included, follows from it.

use std::fmt::Write as _;

/// The flags of `go build` that are the same for every program. Debug information, which the linker
/// leaves out anyway, is a sixth of the compiler's work.
pub(super) const BUILD_FLAGS: [&str; 3] =
    ["-mod=readonly", "-trimpath", "-gcflags=all=-dwarf=false"];

/// A `go.mod`, and what to tell the linker about its programs.
pub(super) struct Module {
    name: &'static str,
    path: &'static str,
    pub(super) go_mod: &'static str,
    pub(super) go_sum: &'static str,
    /// The program, where it is one of our own around a package.
    pub(super) main_go: Option<&'static str>,
    /// Packages that have the variables `gitVersion`, `gitMajor` and `gitMinor`.
    version_packages: &'static [&'static str],
    /// Variables that have just the version.
    version_variables: &'static [&'static str],
    /// The flag with the build tags.
    pub(super) tags: Option<&'static str>,
}

/// A module with programs that need to be told nothing.
const fn plain(
    name: &'static str,
    path: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
) -> Module {
    Module {
        name,
        path,
        go_mod,
        go_sum,
        main_go: None,
        version_packages: &[],
        version_variables: &[],
        tags: None,
    }
}

const fn of_kubernetes(go_mod: &'static str, go_sum: &'static str) -> Module {
    Module {
        // Without these, `kubectl version` cannot parse the server's answer.
        version_packages: &[
            "k8s.io/component-base/version",
            "k8s.io/client-go/pkg/version",
        ],
        ..plain("kubernetes", "k8s.io/kubernetes", go_mod, go_sum)
    }
}

/// The newest Kubernetes, which is what is run unless another one is asked for.
pub(super) const KUBERNETES: Module = of_kubernetes(
    include_str!("../../go/kubernetes/go.mod"),
    include_str!("../../go/kubernetes/go.sum"),
);

/// Every Kubernetes that the operator supports, the oldest first.
static ALL_KUBERNETES: [Module; 4] = [
    of_kubernetes(
        include_str!("../../go/kubernetes-1.33/go.mod"),
        include_str!("../../go/kubernetes-1.33/go.sum"),
    ),
    of_kubernetes(
        include_str!("../../go/kubernetes-1.34/go.mod"),
        include_str!("../../go/kubernetes-1.34/go.sum"),
    ),
    of_kubernetes(
        include_str!("../../go/kubernetes-1.35/go.mod"),
        include_str!("../../go/kubernetes-1.35/go.sum"),
    ),
    KUBERNETES,
];

/// The Kubernetes of a minor version, such as `1.33`.
pub(super) fn kubernetes(minor: &str) -> Option<&'static Module> {
    let mut all = ALL_KUBERNETES.iter();
    all.find(|module| module.minor() == minor)
}

/// The minor versions of Kubernetes that there are, the oldest first.
pub(super) fn minors() -> [&'static str; 4] {
    ALL_KUBERNETES.each_ref().map(Module::minor)
}

pub(super) const ETCD: Module = plain(
    "etcd",
    "go.etcd.io/etcd/server/v3",
    include_str!("../../go/etcd/go.mod"),
    include_str!("../../go/etcd/go.sum"),
);

/// A module of its own, so that etcd is not compiled anew for tools that few need.
pub(super) const ETCD_TOOLS: Module = plain(
    "etcd-tools",
    "go.etcd.io/etcd/etcdctl/v3",
    include_str!("../../go/etcd-tools/go.mod"),
    include_str!("../../go/etcd-tools/go.sum"),
);

pub(super) const HELM: Module = Module {
    version_variables: &["helm.sh/helm/v4/internal/version.version"],
    ..plain(
        "helm",
        "helm.sh/helm/v4",
        include_str!("../../go/helm/go.mod"),
        include_str!("../../go/helm/go.sum"),
    )
};

/// A program of a few lines, because the package has none of its own.
pub(super) const PROMLINT: Module = Module {
    main_go: Some(include_str!("../../go/promlint/main.go")),
    ..plain(
        "promlint",
        "github.com/prometheus/client_golang",
        include_str!("../../go/promlint/go.mod"),
        include_str!("../../go/promlint/go.sum"),
    )
};

/// A program of ours over the libraries that Argo CD, Flux and Helm use; the version is that of kstatus.
pub(super) const GITOPS: Module = Module {
    main_go: Some(include_str!("../../go/gitops/main.go")),
    ..plain(
        "gitops",
        "github.com/fluxcd/cli-utils",
        include_str!("../../go/gitops/go.mod"),
        include_str!("../../go/gitops/go.sum"),
    )
};

pub(super) const PROMETHEUS: Module = Module {
    version_variables: &["github.com/prometheus/common/version.Version"],
    // The clients of two dozen clouds are most of it, and a test names its one target.
    tags: Some("-tags=remove_all_sd"),
    ..plain(
        "prometheus",
        "github.com/prometheus/prometheus",
        include_str!("../../go/prometheus/go.mod"),
        include_str!("../../go/prometheus/go.sum"),
    )
};

pub(super) const KUSTOMIZE: Module = plain(
    "kustomize",
    "sigs.k8s.io/kustomize/kustomize/v5",
    include_str!("../../go/kustomize/go.mod"),
    include_str!("../../go/kustomize/go.sum"),
);

pub(super) const KUBECONFORM: Module = plain(
    "kubeconform",
    "github.com/yannh/kubeconform",
    include_str!("../../go/kubeconform/go.mod"),
    include_str!("../../go/kubeconform/go.sum"),
);

pub(super) const HELM_UNITTEST: Module = plain(
    "helm-unittest",
    "github.com/helm-unittest/helm-unittest",
    include_str!("../../go/helm-unittest/go.mod"),
    include_str!("../../go/helm-unittest/go.sum"),
);

pub(super) const HELM_DOCS: Module = plain(
    "helm-docs",
    "github.com/norwoodj/helm-docs",
    include_str!("../../go/helm-docs/go.mod"),
    include_str!("../../go/helm-docs/go.sum"),
);

pub(super) const KREW: Module = plain(
    "krew",
    "sigs.k8s.io/krew",
    include_str!("../../go/krew/go.mod"),
    include_str!("../../go/krew/go.sum"),
);

impl Module {
    /// The minor version, such as `1.33`.
    fn minor(&self) -> &'static str {
        let version = self.version().trim_start_matches('v');
        version.rsplit_once('.').map_or(version, |(minor, _)| minor)
    }

    /// The version that `go.mod` requires.
    pub(super) fn version(&self) -> &'static str {
        self.directive(&format!("{} ", self.path))
            .unwrap_or("unknown")
    }

    /// The lowest version of Go that `go.mod` allows.
    pub(super) fn go_version(&self) -> &'static str {
        self.directive("go ").unwrap_or("unknown")
    }

    /// What follows `prefix` on the first line that starts so, `require` aside.
    fn directive(&self, prefix: &str) -> Option<&'static str> {
        self.go_mod
            .lines()
            .map(|line| line.trim().trim_start_matches("require "))
            .find_map(|line| line.strip_prefix(prefix))
            .and_then(|rest| rest.split_whitespace().next())
    }

    /// The value of `-ldflags`.
    pub(super) fn linker_flags(&self) -> String {
        let version = self.version();
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
        let mut flags = "-s -w".to_owned();
        for package in self.version_packages {
            for (variable, value) in [
                ("gitVersion", version),
                ("gitMajor", major),
                ("gitMinor", minor),
            ] {
                let _ = write!(flags, " -X {package}.{variable}={value}");
            }
        }
        for variable in self.version_variables {
            let _ = write!(flags, " -X {variable}={version}");
        }
        flags
    }

    /// The name of the directory that holds the programs of exactly this module.
    pub(super) fn cache_key(&self) -> String {
        let linker_flags = self.linker_flags();
        let inputs = [self.go_mod, self.go_sum, &linker_flags];
        let inputs = inputs.into_iter().chain(self.main_go).chain(self.tags);
        let platform = [std::env::consts::OS, std::env::consts::ARCH];
        let hash = fnv1a(inputs.chain(BUILD_FLAGS).chain(platform));
        format!("{}-{}-{hash:016x}", self.name, self.version())
    }
}

/// FNV-1a, as the standard library's hashes may change between Rust releases.
/// The zero byte after each part keeps neighbours apart.
fn fnv1a<'a>(parts: impl Iterator<Item = &'a str>) -> u64 {
    parts
        .flat_map(|part| part.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_module_files() {
        assert_eq!(KUBERNETES.version(), "v1.36.3");
        assert_eq!(ETCD.version(), "v3.6.8");
        assert_eq!(ETCD_TOOLS.version(), ETCD.version());
        assert_eq!(HELM.version(), "v4.3.1");
        assert_eq!(PROMLINT.version(), "v1.25.0");
        assert_eq!(PROMETHEUS.version(), "v0.316.0");
        assert_eq!(KUSTOMIZE.version(), "v5.8.1");
        assert_eq!(KUBECONFORM.version(), "v0.8.0");
        assert_eq!(HELM_UNITTEST.version(), "v1.0.0");
        assert_eq!(HELM_DOCS.version(), "v1.14.2");
        assert_eq!(GITOPS.version(), "v1.2.2");
        assert_eq!(KREW.version(), "v0.5.0");
        assert_eq!(KUBERNETES.go_version(), "1.26.0");
    }

    #[test]
    fn every_staging_module_has_the_version_of_kubernetes() {
        for kubernetes in &ALL_KUBERNETES {
            let expected = kubernetes.version().replace("v1.", "v0.");
            let replacements: Vec<&str> = kubernetes
                .go_mod
                .lines()
                .filter(|line| line.contains("=>"))
                .collect();
            assert!(replacements.len() > 30, "found {}", replacements.len());
            for line in replacements {
                assert!(line.ends_with(&format!(" {expected}")), "{line}");
            }
        }
    }

    /// What the tests say of Helm is what Helm does.
    #[test]
    fn kstatus_is_the_one_that_helm_has() {
        let helm = HELM.directive(&format!("{} ", GITOPS.path));
        assert_eq!(helm, Some(GITOPS.version()));
    }

    #[test]
    fn a_kubernetes_is_chosen_by_its_minor_version() {
        assert_eq!(minors(), ["1.33", "1.34", "1.35", "1.36"]);
        let version = |minor| kubernetes(minor).map(Module::version);
        assert_eq!(version("1.33"), Some("v1.33.13"));
        assert_eq!(version("1.36"), Some(KUBERNETES.version()));
        assert_eq!(version("1.32"), None);
        assert_eq!(version("1.33.13"), None);
    }

    #[test]
    fn the_linker_learns_the_kubernetes_version() {
        let flags = KUBERNETES.linker_flags();
        for flag in ["gitVersion=v1.36.3", "gitMajor=1", "gitMinor=36"] {
            assert!(
                flags.contains(&format!("-X k8s.io/component-base/version.{flag}")),
                "{flags}"
            );
        }
    }

    #[test]
    fn fnv1a_is_the_published_function() {
        // "foobar" without the separator is the published vector 85944171f73967e8.
        let separated = fnv1a(["foobar"].into_iter());
        assert_eq!(
            separated,
            0x8594_4171_f739_67e8_u64.wrapping_mul(0x0000_0100_0000_01b3)
        );
    }
}
