//! Lists that are longer than a page.

use std::collections::BTreeMap;

use provider_secrets::provider::Options;

use crate::{Failure, Outcome, Run, vendors::Vendor};

/// A listing that stops at a page would let the operator create what is there already.
pub(super) async fn list(run: &Run) -> Result<Outcome, Failure> {
    let Some(page) = Vendor::of(run.target.kind).page else {
        return Ok(Outcome::NotOffered);
    };
    let beyond = page + 1;
    let sandbox = run.sandbox("page")?;
    let names: Vec<String> = (0..beyond)
        .map(|number| sandbox.name(&format!("{number:03}")))
        .collect();
    let options = Options::default();
    for name in &names {
        sandbox.send(name, "one", &options, None).await?;
    }
    // The first that was written is on the last page where the newest comes first.
    for name in names.iter().take(1).chain(names.last()) {
        sandbox.expect(name, 1).await?;
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let listed = sandbox.listed().await?;
    for remote in &listed {
        *times.entry(&remote.name).or_default() += 1;
    }
    let once = names
        .iter()
        .filter(|name| times.get(name.as_str()) == Some(&1));
    let once = once.count();
    if once == beyond {
        Ok(Outcome::Ok)
    } else {
        Err(Failure::new(format!(
            "of {beyond} secrets {once} are listed once"
        )))
    }
}
