//! The rights that the operator needs, and the API server's answer whether it has them.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use kube::{Api, api::PostParams};
use serde::Serialize;

use super::{
    answer::Refusal,
    read::{Known, Reader, bounded, known},
    secret_access::Access,
};
use crate::api::GROUP;

/// Group, resource, subresource and verbs, as the chart grants them to the operator where it works.
const NEEDED: [Need<'static>; 5] = [
    (
        GROUP,
        "providersecrets",
        "",
        &["get", "list", "watch", "patch"],
    ),
    (GROUP, "providersecrets", "status", &["patch"]),
    ("", "secrets", "", &["get", "list", "watch"]),
    ("", "namespaces", "", &["get"]),
    ("events.k8s.io", "events", "", &["create"]),
];

/// Group, resource, subresource and verbs.
type Need<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

/// What is asked for: the rights of the operator.
#[derive(Clone, Copy, Debug)]
pub(super) enum Needs<'a> {
    /// Those in a namespace where it works, or in all.
    Work(Option<&'a str>, Access),
    /// Those to its Lease, by namespace and name.
    Lease(&'a str, &'a str),
}

impl<'a> Needs<'a> {
    /// Each right, as the API server is asked for it.
    fn attributes(self) -> Vec<ResourceAttributes> {
        let of = |(group, resource, subresource, verbs): Need<'a>,
                  namespace: Option<&str>,
                  name: Option<&str>| {
            let right = ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: Some(subresource.to_owned()).filter(|text| !text.is_empty()),
                namespace: namespace.map(str::to_owned),
                name: name.map(str::to_owned),
                ..ResourceAttributes::default()
            };
            verbs.iter().map(move |verb| ResourceAttributes {
                verb: Some((*verb).to_owned()),
                ..right.clone()
            })
        };
        match self {
            Self::Work(namespace, access) => {
                // A right to get may be bound to names: an object says which one it lacks.
                let is_asked = |need: &Need<'_>| access == Access::Watch || need.1 != "secrets";
                let needed = NEEDED.into_iter().filter(is_asked);
                needed.flat_map(|need| of(need, namespace, None)).collect()
            }
            Self::Lease(namespace, name) => {
                let group = "coordination.k8s.io";
                let kept = (group, "leases", "", &["get", "list", "watch", "patch"][..]);
                let made = (group, "leases", "", &["create"][..]);
                let attributes = of(kept, Some(namespace), Some(name));
                attributes.chain(of(made, Some(namespace), None)).collect()
            }
        }
    }
}

/// A right: a verb and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Right {
    /// The verb.
    pub(super) verb: String,
    /// The resource, with its subresource and group.
    pub(super) resource: String,
    /// The namespace; none for all.
    pub(super) namespace: Option<String>,
}

impl From<ResourceAttributes> for Right {
    fn from(attributes: ResourceAttributes) -> Self {
        let resource = attributes.resource.unwrap_or_default();
        Self {
            verb: attributes.verb.unwrap_or_default(),
            resource: match attributes.subresource {
                None => resource,
                Some(subresource) => format!("{resource}/{subresource}"),
            },
            namespace: attributes.namespace,
        }
    }
}

/// Whose rights are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    /// Those of this command.
    Myself,
    /// Those of a ServiceAccount, by namespace and name.
    ServiceAccount(&'a str, &'a str),
}

impl Reader {
    /// The rights of the operator that a subject lacks.
    pub(super) async fn lacking(
        &self,
        subject: Subject<'_>,
        needs: Needs<'_>,
    ) -> Known<Vec<Right>> {
        let mut lacking = Vec::new();
        for attributes in needs.attributes() {
            match self.is_allowed(subject, attributes.clone()).await {
                Ok(true) => {}
                Ok(false) => lacking.push(attributes.into()),
                Err(refusal) => return known(Err(refusal)),
            }
        }
        Known::Read(lacking)
    }

    async fn is_allowed(
        &self,
        subject: Subject<'_>,
        attributes: ResourceAttributes,
    ) -> Result<bool, Refusal> {
        let what = "create subjectaccessreviews";
        let parameters = PostParams::default();
        match subject {
            Subject::Myself => {
                let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
                let review = SelfSubjectAccessReview {
                    spec: SelfSubjectAccessReviewSpec {
                        resource_attributes: Some(attributes),
                        ..SelfSubjectAccessReviewSpec::default()
                    },
                    ..SelfSubjectAccessReview::default()
                };
                let answer = bounded(what, None, api.create(&parameters, &review)).await?;
                Ok(answer.status.is_some_and(|status| status.allowed))
            }
            Subject::ServiceAccount(namespace, name) => {
                let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
                let groups = [
                    "system:serviceaccounts".to_owned(),
                    format!("system:serviceaccounts:{namespace}"),
                    "system:authenticated".to_owned(),
                ];
                let review = SubjectAccessReview {
                    spec: SubjectAccessReviewSpec {
                        resource_attributes: Some(attributes),
                        user: Some(format!("system:serviceaccount:{namespace}:{name}")),
                        groups: Some(groups.into()),
                        ..SubjectAccessReviewSpec::default()
                    },
                    ..SubjectAccessReview::default()
                };
                let answer = bounded(what, None, api.create(&parameters, &review)).await?;
                Ok(answer.status.is_some_and(|status| status.allowed))
            }
        }
    }
}
