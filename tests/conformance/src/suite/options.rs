//! Options that only one provider knows.

use crate::{Failure, Outcome, Run, vendors::Vendor};

/// Managed options, on what is new and on what is there; and each of them no longer managed.
pub(super) async fn managed(run: &Run) -> Result<Outcome, Failure> {
    let Some((options, fewer)) = Vendor::of(run.target.kind).options()? else {
        return Ok(Outcome::NotOffered);
    };
    let sandbox = run.sandbox("options")?;
    let name = sandbox.name("A");
    sandbox.write_with(&name, "one", &options).await?;
    let first = sandbox.only(&name).await?;
    // Metadata is replaced, which is another call at Braintrust than a change without it.
    sandbox.write_with(&name, "two", &options).await?;
    sandbox.expect_value(&name, "two")?;
    for (number, options) in fewer.iter().enumerate() {
        let value = format!("without {number}");
        sandbox.write_with(&name, &value, options).await?;
        sandbox.expect_value(&name, &value)?;
    }
    if sandbox.only(&name).await?.id == first.id {
        Ok(Outcome::Ok)
    } else {
        Err(Failure::new("the id is another one"))
    }
}
