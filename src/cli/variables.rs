//! The variables of a container, and the references to them in its arguments. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar};

/// The variables of a container that its manifest tells, by their names.
#[derive(Debug)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Reads them in their order, because the kubelet lets each refer to those before it. `namespace` is that of the pod.
    /// What another source gives, such as a Secret or the name of the pod, is not known and hides what was before it.
    pub(super) fn new(container: &Container, namespace: &str) -> Self {
        let mut known = Self(BTreeMap::new());
        for variable in container.env.iter().flatten() {
            match known.value(variable, namespace) {
                Some(value) => known.0.insert(variable.name.clone(), value),
                None => known.0.remove(&variable.name),
            };
        }
        known
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn value(&self, variable: &EnvVar, namespace: &str) -> Option<String> {
        let Some(source) = &variable.value_from else {
            return Some(self.expand(variable.value.as_deref().unwrap_or_default()));
        };
        let field = source.field_ref.as_ref()?;
        (field.field_path == "metadata.namespace").then(|| namespace.to_owned())
    }

    /// Replaces each `$(NAME)` as the kubelet does: `$$` stands for one `$`, and a name that is not known stays as it is.
    pub(super) fn expand(&self, text: &str) -> String {
        let (mut expanded, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let reference = after
                .strip_prefix('(')
                .and_then(|name| name.split_once(')'));
            if let Some((name, after)) = reference {
                match self.get(name) {
                    Some(value) => expanded.push_str(value),
                    None => expanded.extend(["$(", name, ")"]),
                }
                rest = after;
            } else {
                expanded.push('$');
                rest = after.strip_prefix('$').unwrap_or(after);
            }
        }
        expanded.push_str(rest);
        expanded
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn variables() -> Variables {
        let field = |path: &str| json!({"fieldRef": {"apiVersion": "v1", "fieldPath": path}});
        let container = json!({"name": "c", "env": [
            {"name": "POD_NAMESPACE", "valueFrom": field("metadata.namespace")},
            {"name": "POD_NAME", "valueFrom": field("metadata.name")},
            {"name": "A", "value": "a"},
            {"name": "EMPTY"},
            {"name": "LATER", "value": "$(A)$(END)"},
            {"name": "END", "value": "z"},
            {"name": "HIDDEN", "value": "h"},
            {"name": "HIDDEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "SET", "value": "1"},
            {"name": "SET", "value": "2"},
        ]});
        Variables::new(&serde_json::from_value(container).unwrap(), "system")
    }

    #[rstest]
    #[case("", "")]
    #[case("plain", "plain")]
    #[case("$(POD_NAMESPACE)", "system")]
    #[case("x=$(A),$(POD_NAMESPACE)!", "x=a,system!")]
    #[case("$(EMPTY)", "")]
    #[case("$(LATER)", "a$(END)")]
    #[case("$(SET)", "2")]
    #[case("$(HIDDEN)", "$(HIDDEN)")]
    #[case("$(UNKNOWN)$(A)", "$(UNKNOWN)a")]
    #[case("$$(A)", "$(A)")]
    #[case("$$$(A)", "$a")]
    #[case("$$$$(A)", "$$(A)")]
    #[case("$A $ $", "$A $ $")]
    #[case("$(A", "$(A")]
    #[case("$()", "$()")]
    #[case("é$(A)é", "éaé")]
    fn references_are_expanded_as_the_kubelet_does(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(variables().expand(text), expected);
    }

    /// A Deployment does not tell the name that a pod of it gets.
    #[test]
    fn the_name_of_the_pod_stays_a_reference() {
        assert_eq!(variables().expand("$(POD_NAME)"), "$(POD_NAME)");
    }
}
