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
};
use crate::api::GROUP;

/// Group, resource, subresource and verb, as the chart's ClusterRole and Roles grant them.
const NEEDED: [(&str, &str, &str, &str); 10] = [
    (GROUP, "providersecrets", "", "get"),
    (GROUP, "providersecrets", "", "list"),
    (GROUP, "providersecrets", "", "watch"),
    (GROUP, "providersecrets", "", "patch"),
    (GROUP, "providersecrets", "status", "patch"),
    ("", "secrets", "", "get"),
    ("", "secrets", "", "list"),
    ("", "secrets", "", "watch"),
    ("", "namespaces", "", "get"),
    ("events.k8s.io", "events", "", "create"),
];

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

/// Whose rights are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    /// Those of this command.
    Myself,
    /// Those of a ServiceAccount, by namespace and name.
    ServiceAccount(&'a str, &'a str),
}

impl Reader {
    /// The rights of the operator that a subject lacks in a namespace, or in all.
    pub(super) async fn lacking(
        &self,
        subject: Subject<'_>,
        namespace: Option<&str>,
    ) -> Known<Vec<Right>> {
        let mut lacking = Vec::new();
        for (group, resource, subresource, verb) in NEEDED {
            let attributes = ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: Some(subresource.to_owned()).filter(|text| !text.is_empty()),
                verb: Some(verb.to_owned()),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            };
            match self.is_allowed(subject, attributes).await {
                Ok(true) => {}
                Ok(false) => lacking.push(Right {
                    verb: verb.to_owned(),
                    resource: match subresource {
                        "" => resource.to_owned(),
                        subresource => format!("{resource}/{subresource}"),
                    },
                    namespace: namespace.map(str::to_owned),
                }),
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
