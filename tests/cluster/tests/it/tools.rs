//! Programs come from the assets or are compiled once, and a lack of both is explained.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cluster::{Cluster, Error, Tools};

#[tokio::test]
async fn without_go_there_is_one_clear_error() {
    let cache = tempfile::tempdir().unwrap();
    let tools = Tools {
        kubernetes: None,
        assets: None,
        envtest: None,
        cache: Some(cache.path().to_owned()),
        search_path: std::ffi::OsString::new(),
    };
    let error = Cluster::builder().tools(tools).start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "etcd is missing: install Go 1.24.0 or newer and put it on PATH (found: none), \
         or set KUBEBUILDER_ASSETS to a directory that has kube-apiserver, etcd and kubectl"
    );
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_kubernetes_that_is_asked_for_is_no_other() {
    let assets = tempfile::tempdir().unwrap();
    for name in ["etcd", "kubectl"] {
        std::fs::write(assets.path().join(name), "").unwrap();
    }
    let tools = |kubernetes: &str| Tools {
        kubernetes: Some(kubernetes.to_owned()),
        assets: Some(assets.path().to_owned()),
        envtest: None,
        cache: None,
        search_path: std::ffi::OsString::new(),
    };
    let of_it = tools("1.33");
    assert!(matches!(of_it.kubectl().await, Err(Error::NoCache)));
    assert_eq!(of_it.etcd().await.unwrap(), assets.path().join("etcd"));
    let error = tools("1.32").kubectl().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no Kubernetes 1.32 here: the versions are 1.33, 1.34, 1.35, 1.36"
    );
}

/// A directory with a `go` that appends a line to a file for each of its calls.
fn fake_go(script: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("go");
    let calls = directory.path().join("calls");
    let text = format!("#!/bin/sh\necho call >>'{}'\n{script}\n", calls.display());
    std::fs::write(&path, text).expect("a file can be written");
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("its mode can be set");
    directory
}

#[tokio::test]
async fn programs_are_compiled_once_even_when_many_ask_at_once() {
    let go = fake_go(r#"while [ "$1" != -o ]; do shift; done; sleep 0.3; echo program >"$2""#);
    let cache = tempfile::tempdir().unwrap();
    let tools = Tools {
        kubernetes: None,
        assets: None,
        envtest: None,
        cache: Some(cache.path().to_owned()),
        search_path: go.path().into(),
    };
    let (one, two, three) = tokio::join!(tools.kubectl(), tools.kubectl(), tools.kubectl());
    let path = one.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "program\n");
    assert_eq!([two.unwrap(), three.unwrap()], [path.clone(), path]);
    let calls = std::fs::read_to_string(go.path().join("calls")).unwrap();
    assert_eq!(calls, "call\n");
}

#[tokio::test]
async fn what_go_says_is_in_the_error() {
    for (says, expected) in [
        (
            "main.go:1: no",
            "compiling helm with Go failed:\nmain.go:1: no",
        ),
        (
            "go: go.mod requires go >= 1.26.0 (running go 1.20)",
            "helm is missing: install Go 1.26.0 or newer and put it on PATH \
             (found: go: go.mod requires go >= 1.26.0 (running go 1.20)), \
             or set KUBEBUILDER_ASSETS to a directory that has kube-apiserver, etcd and kubectl",
        ),
    ] {
        let go = fake_go(&format!("echo '{says}' >&2; exit 1"));
        let cache = tempfile::tempdir().unwrap();
        let tools = Tools {
            kubernetes: None,
            assets: None,
            envtest: None,
            cache: Some(cache.path().to_owned()),
            search_path: go.path().into(),
        };
        assert_eq!(tools.helm().await.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn assets_come_before_compiled_programs() {
    let assets = tempfile::tempdir().unwrap();
    let tools = |directory: &Path| Tools {
        kubernetes: None,
        assets: Some(directory.to_owned()),
        envtest: None,
        cache: None,
        search_path: std::ffi::OsString::new(),
    };
    let etcd = assets.path().join("etcd");
    std::fs::write(&etcd, "").unwrap();
    assert_eq!(tools(assets.path()).etcd().await.unwrap(), etcd);
    assert!(matches!(
        tools(assets.path()).helm().await,
        Err(Error::NoCache)
    ));
    let error = tools(&assets.path().join("absent"))
        .etcd()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Assets { .. }));
}

#[tokio::test]
async fn what_setup_envtest_installed_comes_before_compiled_programs() {
    let (store, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let os = if cfg!(target_os = "macos") {
        "darwin"
    } else {
        "linux"
    };
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let installation = store.path().join(format!("k8s/1.36.1-{os}-{architecture}"));
    std::fs::create_dir_all(&installation).unwrap();
    for name in ["etcd", "kube-apiserver", "kubectl"] {
        let path = installation.join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(path, Permissions::from_mode(0o555)).unwrap();
    }
    let tools = Tools {
        kubernetes: None,
        assets: None,
        envtest: Some(store.path().to_owned()),
        cache: None,
        search_path: std::ffi::OsString::new(),
    };
    let etcd = tools.etcd().await.unwrap();
    assert_eq!(etcd, installation.join("etcd"));
    assert!(matches!(tools.helm().await, Err(Error::NoCache)));
    // A user who names a directory chooses no other installation.
    let assets = Some(other.path().to_owned());
    let named = Tools { assets, ..tools };
    assert!(matches!(named.etcd().await, Err(Error::NoCache)));
}
