//! What the operator sends, held against the vendors' documents: each request must be one that a document allows, in
//! method, path, query, headers and body (`tests/schemas`).

use std::{fs, sync::LazyLock};

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use simulator::Exchange;

use super::root;

/// Read and compiled once for all tests.
static DOCUMENTS: LazyLock<Vec<Document>> = LazyLock::new(documents);

/// How the operator's requests begin to say who asks. Tests act as other clients in the same accounts.
const AGENT: &str = "provider-secrets/";

/// One call of an API document.
struct Document {
    title: String,
    /// Whether a request is this call.
    call: Validator,
    /// What such a request may be.
    request: Validator,
}

/// The faults of the operator's requests among these, without a value of any.
pub(crate) fn violations(requests: &[Exchange]) -> Vec<String> {
    let is_ours = |request: &&Exchange| {
        let agent = request.header("user-agent").unwrap_or_default();
        agent.starts_with(AGENT)
    };
    requests.iter().filter(is_ours).flat_map(faults).collect()
}

/// What no document allows of one request.
fn faults(request: &Exchange) -> Vec<String> {
    let instance = instance(request);
    let line = request.line();
    let Some(document) = DOCUMENTS
        .iter()
        .find(|document| document.call.is_valid(&instance))
    else {
        return vec![format!("{line}: no document has this call")];
    };
    // The simulator keeps no body that is larger than it takes.
    if request.status() == Some(413) && request.body.is_none() {
        return Vec::new();
    }
    let errors = document.request.iter_errors(&instance);
    errors
        .map(|error| {
            let at = error.instance_path().to_string();
            format!("{line}: {}: {at}: {}", document.title, error.masked())
        })
        .collect()
}

/// A request as the schemas see it.
fn instance(request: &Exchange) -> Value {
    let decode = |segment: &str| {
        let text = percent_encoding::percent_decode_str(segment);
        text.decode_utf8_lossy().into_owned()
    };
    let path = request.path.trim_start_matches('/').split('/').map(decode);
    let mut query = Map::new();
    for (name, value) in
        url::form_urlencoded::parse(request.query.as_deref().unwrap_or_default().as_bytes())
    {
        // A parameter that is given twice becomes what no schema allows.
        let value = match query.get(&*name) {
            None => Value::from(value),
            Some(_) => Value::Null,
        };
        query.insert(name.into_owned(), value);
    }
    let mut headers = Map::new();
    for (name, value) in &request.headers {
        // The log keeps the scheme of a credential only.
        let value = value.strip_suffix(" ***").unwrap_or(value);
        headers.insert(name.to_ascii_lowercase(), value.into());
    }
    let mut instance = json!({
        "provider": request.provider.name(),
        "method": request.method,
        "path": path.collect::<Vec<_>>(),
        "query": query,
        "headers": headers,
    });
    if let Some(body) = request.body.as_deref() {
        instance["body"] = body.clone();
    }
    instance
}

fn documents() -> Vec<Document> {
    let folder = fs::read_dir(root().join("tests/schemas")).expect("the schemas are there");
    let files = folder.map(|entry| entry.expect("a file").path());
    let schemas = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
    schemas
        .flat_map(|path| {
            let text = fs::read_to_string(&path).expect("a schema is readable");
            match serde_json::from_str(&text).expect("a schema is JSON") {
                Value::Array(calls) => calls,
                call => vec![call],
            }
        })
        .map(|schema| document(&schema))
        .collect()
}

fn document(schema: &Value) -> Document {
    let of = |name: &str| schema["properties"][name].clone();
    let call = json!({"properties": {
        "provider": of("provider"), "method": of("method"), "path": of("path"),
    }});
    let compile = |schema: &Value| {
        let options = jsonschema::options().should_validate_formats(true);
        options.build(schema).expect("this is a JSON Schema")
    };
    Document {
        title: schema["title"].as_str().expect("a title").to_owned(),
        call: compile(&call),
        request: compile(schema),
    }
}
