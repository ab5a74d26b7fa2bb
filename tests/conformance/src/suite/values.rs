//! Values: of every kind, large, empty, and files.

use provider_secrets::{
    http::ErrorClass,
    provider::{Form, Options},
};

use crate::{Failure, Outcome, Run, vendors::Vendor};

/// Texts that some step on the way could change.
const KINDS: [&str; 8] = [
    "x",
    " around ",
    "a line\nand another\r\n",
    "\ttab \"quoted\" \\back\\ 'single' `tick`",
    "${X} {{x}} %s $(x) <x> &amp; %20",
    "\u{feff}mark \u{202e}other way\u{202c} \u{1f511} ÿ",
    "{\"secret\":\"null\",\"x\":[1,2]}",
    "null",
];
const LARGE: usize = 64 * 1024;

/// Byte for byte.
pub(super) async fn kinds(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("kinds")?;
    let name = sandbox.name("A");
    for value in KINDS {
        sandbox.write(&name, value).await?;
        sandbox.expect_value(&name, value)?;
    }
    Ok(Outcome::Ok)
}

/// A certificate chain, a key file.
pub(super) async fn large(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("large")?;
    let name = sandbox.name("A");
    let value = "0123456789abcdef".repeat(LARGE / 16);
    sandbox.write(&name, &value).await?;
    sandbox.expect(&name, 1).await?;
    sandbox.expect_value(&name, &value)?;
    Ok(Outcome::Ok)
}

/// The operator sends none, so either will do.
pub(crate) async fn empty(run: &Run) -> Result<Outcome, Failure> {
    let sandbox = run.sandbox("empty")?;
    let name = sandbox.name("A");
    match sandbox.send(&name, "", &Options::default(), None).await {
        Ok(_) => Ok(Outcome::observed("it is taken")),
        Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {
            sandbox.expect(&name, 0).await?;
            Ok(Outcome::observed("it is refused"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Files of PrimeIntellect: base64, at most 64 KiB of it.
pub(super) async fn file(run: &Run) -> Result<Outcome, Failure> {
    let Some(options) = Vendor::of(run.target.kind).file()? else {
        return Ok(Outcome::NotOffered);
    };
    let sandbox = run.sandbox("file")?;
    let name = sandbox.name("A");
    let full = "QUJD".repeat(LARGE / 4);
    sandbox.write_with(&name, &full, &options).await?;
    let first = sandbox.only(&name).await?;
    if first.form != Some(Form::File) {
        return Err(Failure::new("what was sent as a file is shown as a text"));
    }
    sandbox.write_with(&name, "QUJDRA==", &options).await?;
    let second = sandbox.only(&name).await?;
    sandbox.expect_value(&name, "QUJDRA==")?;
    if (second.form, &second.id) != (Some(Form::File), &first.id) {
        return Err(Failure::new("a file changed into something else"));
    }
    let text = sandbox.name("B");
    sandbox.write(&text, "one").await?;
    if sandbox.only(&text).await?.form != Some(Form::Text) {
        return Err(Failure::new("what was sent as a text is shown as a file"));
    }
    let more = sandbox.name("C");
    match sandbox
        .send(&more, &format!("{full}QUJD"), &options, None)
        .await
    {
        Ok(_) => Ok(Outcome::observed("more than 64 KiB are taken")),
        Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {
            Ok(Outcome::Ok)
        }
        Err(error) => Err(error.into()),
    }
}
