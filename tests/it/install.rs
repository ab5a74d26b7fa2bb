//! What is installed: the chart and its access rights, the command line, what a release holds.

mod admission; // the admission policies: users who may, and users who may not
mod alerts; // the alerts, by promtool
pub(crate) mod chart; // the chart, with Helm and the API server
mod cli; // the command line: exit codes, one line for what is wrong
mod kustomize; // the base and its components, by kustomize
mod packaging; // versions, manifests, lint rules
pub(crate) mod plugin; // the plugin of kubectl
mod rbac; // the rights that the chart grants
