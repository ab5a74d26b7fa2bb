//! What belongs to a provider outside of its own files is there.

use super::*;

/// Whether the text has a line that begins so and goes on with what makes it true.
fn has_line(text: &str, start: &str, is_its: impl Fn(&str) -> bool) -> bool {
    let mut rests = text.lines().filter_map(|line| line.strip_prefix(start));
    rests.any(is_its)
}

#[test]
fn each_provider_has_a_simulator_an_example_and_its_rows_in_the_documents() {
    let schema: Value =
        serde_json::from_str(&read("charts/provider-secrets/values.schema.json")).unwrap();
    let endpoints = keys(&schema["properties"]["endpoints"]["patternProperties"]);
    let is_manifest = |file: &&PathBuf| file.extension().is_some_and(|kind| kind == "yaml");
    let examples = files("examples");
    let examples: String = examples.iter().filter(is_manifest).map(read).collect();
    let (vendors, reference) = (read("docs/vendors.md"), read("docs/reference.md"));
    let (simulators, variants) = (
        read("tests/simulator/src/provider.rs"),
        read("tests/simulator/README.md"),
    );
    let (makefile, conformance) = (read("Makefile"), read("tests/conformance/README.md"));
    let (readme, chart) = (
        read("README.md"),
        read("charts/provider-secrets/Chart.yaml"),
    );
    let mut missing = Vec::new();
    for provider in PROVIDERS {
        let (name, flag, member) = (provider.name, provider.flag, provider.kind.member());
        let module = module(provider);
        let simulator = format!("tests/simulator/src/{module}/");
        let is_row = |line: &str| {
            let cells: Vec<&str> = line.split('|').collect();
            cells.len() == 4 && cells[1].contains(name)
        };
        let is_taken = |key: &&str| key.split(['(', ')', '|']).any(|word| word == flag);
        for (is_there, what) in [
            (root().join(&simulator).is_dir(), simulator),
            (
                simulators.contains(&format!("= \"{flag}\" in {module};")),
                format!("the row of {flag} in tests/simulator/src/provider.rs"),
            ),
            (
                variants.contains(&format!("\n| {flag} | ")),
                format!("the variants of {flag} in tests/simulator/README.md"),
            ),
            (
                conformance.contains(&format!("\n| `{flag}` | ")),
                format!("the row of {flag} in tests/conformance/README.md"),
            ),
            (
                has_line(&makefile, "PROVIDER ?= ", |all| {
                    all.split(' ').any(|word| word == flag)
                }),
                format!("{flag} in PROVIDER of the Makefile"),
            ),
            (
                examples.contains(&format!("\n    {member}:\n")),
                format!("a manifest with spec.provider.{member} in examples/"),
            ),
            (
                vendors.contains(&format!("\n- [{name}")),
                format!("{name} in the contents of docs/vendors.md"),
            ),
            (
                has_line(&vendors, "| | ", |columns| columns.contains(name)),
                format!("the column of {name} in docs/vendors.md#all-vendors"),
            ),
            (
                vendors.contains(&format!("\n## {name}")),
                format!("the section {name} in docs/vendors.md"),
            ),
            (
                reference.lines().any(is_row),
                format!("the row of {name} in docs/reference.md#drift"),
            ),
            (
                readme.contains(&format!("**{name}")),
                format!("{name} in the first lines of README.md"),
            ),
            (
                endpoints.iter().any(is_taken),
                format!("{flag} in endpoints of charts/provider-secrets/values.schema.json"),
            ),
            (
                chart.contains(&format!("\n  - {flag}\n")),
                format!("{flag} in the keywords of charts/provider-secrets/Chart.yaml"),
            ),
        ] {
            if !is_there {
                missing.push(what);
            }
        }
    }
    assert!(missing.is_empty(), "missing:\n{}", missing.join("\n"));
}
