//! Values: of every kind, large, empty, and files.

use provider_secrets::{
    api::{PrimeIntellectOptions, ProviderKind},
    http::ErrorClass,
    provider::{Form, Options},
};

use crate::{Failure, Run, Verdict};

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
pub(super) async fn kinds(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("kinds")?;
    let name = place.name("A");
    for value in KINDS {
        place.write(&name, value).await?;
        place.expect_value(&name, value)?;
    }
    Ok(Verdict::Ok)
}

/// A certificate chain, a key file.
pub(super) async fn large(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("large")?;
    let name = place.name("A");
    let value = "0123456789abcdef".repeat(LARGE / 16);
    place.write(&name, &value).await?;
    place.expect(&name, 1).await?;
    place.expect_value(&name, &value)?;
    Ok(Verdict::Ok)
}

/// The operator sends none, so either will do.
pub(super) async fn empty(run: &Run) -> Result<Verdict, Failure> {
    let place = run.place("empty")?;
    let name = place.name("A");
    match place.send(&name, "", &Options::default(), None).await {
        Ok(_) => Ok(Verdict::observed("it is taken")),
        Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {
            place.expect(&name, 0).await?;
            Ok(Verdict::observed("it is refused"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Files of PrimeIntellect: base64, at most 64 KiB of it.
pub(super) async fn file(run: &Run) -> Result<Verdict, Failure> {
    if run.target.kind != ProviderKind::PrimeIntellect {
        return Ok(Verdict::NotOffered);
    }
    let place = run.place("file")?;
    let name = place.name("A");
    let options = Options {
        prime_intellect: PrimeIntellectOptions {
            is_file: Some(true),
            ..PrimeIntellectOptions::default()
        },
        ..Options::default()
    };
    let full = "QUJD".repeat(LARGE / 4);
    place.write_with(&name, &full, &options).await?;
    let first = place.only(&name).await?;
    if first.form != Some(Form::File) {
        return Err(Failure::new("what was sent as a file is shown as a text"));
    }
    place.write_with(&name, "QUJDRA==", &options).await?;
    let second = place.only(&name).await?;
    place.expect_value(&name, "QUJDRA==")?;
    if (second.form, &second.id) != (Some(Form::File), &first.id) {
        return Err(Failure::new("a file changed into something else"));
    }
    let text = place.name("B");
    place.write(&text, "one").await?;
    if place.only(&text).await?.form != Some(Form::Text) {
        return Err(Failure::new("what was sent as a text is shown as a file"));
    }
    let more = place.name("C");
    match place
        .send(&more, &format!("{full}QUJD"), &options, None)
        .await
    {
        Ok(_) => Ok(Verdict::observed("more than 64 KiB are taken")),
        Err(error) if error.class == ErrorClass::Config && error.status.is_some() => {
            Ok(Verdict::Ok)
        }
        Err(error) => Err(error.into()),
    }
}
