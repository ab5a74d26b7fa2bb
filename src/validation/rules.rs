//! The CEL rules of the schema, evaluated as for an object that is created.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cel::{
    Context, Env, ExecutionError, Value as CelValue,
    parser::{Expression, PrattParser},
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::{
    Findings, Unusable, item, member,
    schema::{each, field, items},
};

/// The variable that holds the object before a change. A rule that names it holds for changes only.
const OLD: &str = "oldSelf";

/// Go's units of time in nanoseconds; where one begins like another, the longer comes first. Go takes both
/// signs for micro.
const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The rules of a schema, compiled.
pub(super) struct Rules {
    env: Arc<Env>,
    /// By their text. Rules for changes are left out.
    expressions: BTreeMap<String, Expression>,
}

impl Rules {
    pub(super) fn of(schema: &JSONSchemaProps) -> Result<Self, Unusable> {
        let mut expressions = BTreeMap::new();
        each(schema, &mut |schema| {
            for rule in schema.x_kubernetes_validations.iter().flatten() {
                // The engine's default parser is ANTLR, which is 0.9 MB of program.
                let parser = PrattParser::new().enable_optional_syntax(true);
                let expression = parser.parse(&rule.rule);
                let expression = expression.map_err(|_| Unusable::Rule(rule.rule.clone()))?;
                if !expression.references().has_variable(OLD) {
                    expressions.insert(rule.rule.clone(), expression);
                }
            }
            Ok(())
        })?;
        Ok(Self {
            env: Arc::new(Env::stdlib()),
            expressions,
        })
    }

    /// Evaluates the rules of a schema and of all that it holds.
    pub(super) fn check(&self, schema: &JSONSchemaProps, object: &Value, findings: &mut Findings) {
        let mut context = Context::with_env(Arc::clone(&self.env));
        // Go's, in nanoseconds, which compare as durations do. The engine's own one needs chrono.
        let added = context.add_function("duration", |text: Arc<String>| {
            let not_one = || ExecutionError::function_error("duration", "not a duration");
            nanoseconds(&text).ok_or_else(not_one)
        });
        debug_assert!(added.is_ok(), "the engine has a duration of its own");
        self.check_value(schema, object, "", &context, findings);
    }

    fn check_value(
        &self,
        schema: &JSONSchemaProps,
        value: &Value,
        path: &str,
        context: &Context<'_, '_>,
        findings: &mut Findings,
    ) {
        if value.is_null() {
            return;
        }
        let rules = schema.x_kubernetes_validations.iter().flatten();
        let mut rules = rules
            .filter_map(|rule| Some((rule, self.expressions.get(&rule.rule)?)))
            .peekable();
        if rules.peek().is_some() {
            let mut scope = context.new_inner_scope();
            scope.add_variable_from_value("self", to_cel(value));
            for (rule, expression) in rules {
                // A rule that cannot be evaluated is broken, as in the API server.
                if CelValue::resolve(expression, &scope) != Ok(CelValue::Bool(true)) {
                    let message = rule.message.clone();
                    let message = message.unwrap_or_else(|| format!("failed rule: {}", rule.rule));
                    findings.add(path, message);
                }
            }
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            if let Some(schema) = field(schema, name) {
                self.check_value(schema, value, &member(path, name), context, findings);
            }
        }
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            if let Some(schema) = items(schema) {
                self.check_value(schema, value, &item(path, index), context, findings);
            }
        }
    }
}

/// A value as rules see it: a field that is null is absent.
fn to_cel(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => CelValue::Int(number),
            None => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => CelValue::from(text.as_str()),
        Value::Array(values) => values.iter().map(to_cel).collect::<Vec<_>>().into(),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields = fields.map(|(name, value)| (name.as_str(), to_cel(value)));
            fields.collect::<HashMap<&str, CelValue>>().into()
        }
    }
}

/// The nanoseconds of a duration; none where Go would refuse it, or could not count them.
fn nanoseconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i128 = 0;
    loop {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(end);
        let mut units = UNITS.iter();
        let (unit, length) = units.find(|(unit, _)| after.starts_with(unit))?;
        total = total.checked_add(component(number, *length)?)?;
        rest = &after[unit.len()..];
        if rest.is_empty() {
            return i64::try_from(sign * total).ok();
        }
    }
}

/// The nanoseconds of a number of units.
fn component(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let count = |digits: &str| match digits {
        "" => Some(0),
        digits => digits.parse::<u64>().ok().map(i128::from),
    };
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some(count(whole)? * unit + count(fraction)? * unit / scale)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1m", Some(60_000_000_000))]
    #[case("1h30m", Some(5_400_000_000_000))]
    #[case("30m1h", Some(5_400_000_000_000))]
    #[case("1.5h", Some(5_400_000_000_000))]
    #[case(".5s", Some(500_000_000))]
    #[case("1.s", Some(1_000_000_000))]
    #[case("2ms3us4\u{b5}s5\u{3bc}s6ns", Some(2_012_006))]
    #[case("-1s", Some(-1_000_000_000))]
    #[case("+1s", Some(1_000_000_000))]
    #[case("0", Some(0))]
    #[case("2562047h", Some(9_223_369_200_000_000_000))]
    #[case("2562048h", None)]
    #[case("99999999999999999999h", None)]
    #[case("", None)]
    #[case("1", None)]
    #[case("h", None)]
    #[case(".h", None)]
    #[case("1.2.3h", None)]
    #[case("1d", None)]
    #[case("1 h", None)]
    #[case("1m\n", None)]
    #[case("1H", None)]
    #[case("--1s", None)]
    fn a_duration_is_read_as_by_go(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(nanoseconds(text), expected);
    }
}
