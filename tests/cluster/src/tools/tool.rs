//! The programs by name, and the module and package of each.

use super::module::{self, Module};

/// A program that this crate can provide.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tool {
    /// The database of the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers of Kubernetes itself.
    KubeControllerManager,
    /// The command line of Kubernetes.
    Kubectl,
    /// The chart installer.
    Helm,
    /// The command line of the database.
    Etcdctl,
    /// What works on the files of the database.
    Etcdutl,
    /// The linter of metrics.
    Promlint,
    /// What scrapes metrics.
    Prometheus,
    /// What tries the rules of Prometheus.
    Promtool,
    /// What builds manifests of a base and its components.
    Kustomize,
    /// What holds manifests against the schemas of Kubernetes.
    Kubeconform,
    /// What runs the suites of a chart.
    HelmUnittest,
    /// What writes the README of a chart.
    HelmDocs,
    /// What Argo CD and kstatus make of an object.
    Gitops,
    /// The installer of kubectl's plugins.
    Krew,
}

impl Tool {
    /// Every tool, those that each cluster needs first.
    pub const ALL: [Self; 16] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::Kubectl,
        Self::KubeControllerManager,
        Self::Helm,
        Self::Etcdctl,
        Self::Etcdutl,
        Self::Promlint,
        Self::Prometheus,
        Self::Promtool,
        Self::Kustomize,
        Self::Kubeconform,
        Self::HelmUnittest,
        Self::HelmDocs,
        Self::Gitops,
        Self::Krew,
    ];

    /// The file name of the program.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
            Self::Etcdctl => "etcdctl",
            Self::Etcdutl => "etcdutl",
            Self::Promlint => "promlint",
            Self::Prometheus => "prometheus",
            Self::Promtool => "promtool",
            Self::Kustomize => "kustomize",
            Self::Kubeconform => "kubeconform",
            Self::HelmUnittest => "helm-unittest",
            Self::HelmDocs => "helm-docs",
            Self::Gitops => "gitops",
            Self::Krew => "krew",
        }
    }

    /// How long it takes to compile, on two cores.
    pub(super) const fn time_to_compile(self) -> &'static str {
        match self {
            Self::Etcd
            | Self::KubeControllerManager
            | Self::Kubectl
            | Self::Etcdctl
            | Self::Etcdutl
            | Self::Promtool
            | Self::HelmUnittest
            | Self::Gitops => "about a minute",
            Self::KubeApiserver => "about 5 minutes",
            Self::Helm | Self::Prometheus => "about 2 minutes",
            Self::Kustomize | Self::HelmDocs | Self::Krew => "half a minute",
            Self::Promlint | Self::Kubeconform => "a few seconds",
        }
    }

    /// Whether it is one of Kubernetes itself, whose version can be chosen.
    pub(super) const fn is_of_kubernetes(self) -> bool {
        matches!(
            self,
            Self::KubeApiserver | Self::KubeControllerManager | Self::Kubectl
        )
    }

    /// The module that it is compiled from, unless another version of Kubernetes is asked for.
    pub(super) const fn module(self) -> &'static Module {
        match self {
            Self::Etcd => &module::ETCD,
            Self::KubeApiserver | Self::KubeControllerManager | Self::Kubectl => {
                &module::KUBERNETES
            }
            Self::Helm => &module::HELM,
            Self::Etcdctl | Self::Etcdutl => &module::ETCD_TOOLS,
            Self::Promlint => &module::PROMLINT,
            Self::Prometheus | Self::Promtool => &module::PROMETHEUS,
            Self::Kustomize => &module::KUSTOMIZE,
            Self::Kubeconform => &module::KUBECONFORM,
            Self::HelmUnittest => &module::HELM_UNITTEST,
            Self::HelmDocs => &module::HELM_DOCS,
            Self::Gitops => &module::GITOPS,
            Self::Krew => &module::KREW,
        }
    }

    pub(super) const fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::Etcdctl => "go.etcd.io/etcd/etcdctl/v3",
            Self::Etcdutl => "go.etcd.io/etcd/etcdutl/v3",
            Self::Promlint | Self::Gitops => ".",
            Self::Prometheus => "github.com/prometheus/prometheus/cmd/prometheus",
            Self::Promtool => "github.com/prometheus/prometheus/cmd/promtool",
            Self::Kustomize => "sigs.k8s.io/kustomize/kustomize/v5",
            Self::Kubeconform => "github.com/yannh/kubeconform/cmd/kubeconform",
            Self::HelmUnittest => "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
            Self::HelmDocs => "github.com/norwoodj/helm-docs/cmd/helm-docs",
            Self::Krew => "sigs.k8s.io/krew/cmd/krew",
        }
    }
}
