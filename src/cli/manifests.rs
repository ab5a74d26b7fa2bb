//! The objects in files, read as kubectl reads them.

use std::{
    ffi::OsStr,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::answer::Refusal;
use crate::api::GROUP;

/// Standard input, in place of a file.
const STDIN: &str = "-";
/// The files of a folder that kubectl reads.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];
/// The file of kustomize itself in a folder of manifests: it is none, and needs no kind.
const KUSTOMIZATION: &str = "kustomization";
/// How many documents, and how many keys and values, one file may hold: more than a whole fleet has.
const MAX_DOCUMENTS: usize = 100_000;
const MAX_NODES: usize = 10_000_000;

/// One object of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Manifest {
    /// The file, as the user named it.
    pub(super) file: String,
    /// Namespace and name, as far as it has them.
    pub(super) label: String,
    /// The object.
    pub(super) object: Value,
}

/// Reads all objects of files and folders, those of lists one by one.
pub(super) fn read(files: &[PathBuf], is_recursive: bool) -> Result<Vec<Manifest>, Refusal> {
    let mut manifests = Vec::new();
    for file in files {
        if file.as_os_str() == STDIN {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes);
            read.map_err(|error| unreadable("standard input", &error))?;
            parse("standard input", bytes, &mut manifests)?;
            continue;
        }
        let found = if file.is_dir() {
            files_of(file, is_recursive)?
        } else {
            vec![file.clone()]
        };
        if found.is_empty() {
            let text = format!("{} has no .yaml, .yml or .json file", file.display());
            return Err(Refusal::usage(text));
        }
        for file in found {
            let name = file.display().to_string();
            let bytes = std::fs::read(&file).map_err(|error| unreadable(&name, &error))?;
            parse(&name, bytes, &mut manifests)?;
        }
    }
    if manifests.is_empty() {
        return Err(Refusal::usage("there is no object in what was read"));
    }
    Ok(manifests)
}

fn unreadable(name: &str, error: &std::io::Error) -> Refusal {
    Refusal::usage(match error.kind() {
        ErrorKind::NotFound => format!("{name} does not exist"),
        kind => format!("{name} cannot be read: {kind}"),
    })
}

/// The manifests of a folder, sorted by name.
fn files_of(folder: &Path, is_recursive: bool) -> Result<Vec<PathBuf>, Refusal> {
    let to_refusal = |error: std::io::Error| unreadable(&folder.display().to_string(), &error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(to_refusal)? {
        let entry = entry.map_err(to_refusal)?;
        let path = entry.path();
        // A link to a folder is not followed: it may lead back.
        if entry.file_type().map_err(to_refusal)?.is_dir() {
            if is_recursive {
                files.extend(files_of(&path, is_recursive)?);
            }
        } else if is_manifest(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
        && path.file_stem() != Some(OsStr::new(KUSTOMIZATION))
        && !path.is_dir()
}

/// Adds the objects of a text. JSON is YAML. Words such as `yes` are booleans, as in kubectl.
pub(super) fn parse(
    file: &str,
    bytes: Vec<u8>,
    manifests: &mut Vec<Manifest>,
) -> Result<(), Refusal> {
    let text = String::from_utf8(bytes)
        .map_err(|_| Refusal::usage(format!("{file} is not YAML: it is not UTF-8 text")))?;
    let documents = match json(file, &text)? {
        Some(documents) => documents,
        None => yaml(&text).map_err(|error| not_yaml(file, 0, &error))?,
    };
    for (index, document) in documents.into_iter().enumerate() {
        add(file, index, document, manifests)?;
    }
    Ok(())
}

fn yaml(text: &str) -> Result<Vec<Value>, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
        },
    };
    serde_saphyr::from_multiple_with_options::<Value>(text, options)
}

/// The documents of a text that is JSON, which kubectl takes one after the other; none if it is not.
///
/// # Errors
/// A key is there twice, of which JSON takes the last one and the API server none.
fn json(file: &str, text: &str) -> Result<Option<Vec<Value>>, Refusal> {
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let (mut documents, mut begin) = (Vec::new(), 0);
    while let Some(document) = stream.next() {
        let Ok(document) = document else {
            return Ok(None);
        };
        let end = stream.byte_offset();
        if let Err(error) = yaml(&text[begin..end])
            && duplicate(&error).is_some()
        {
            let lines = text[..begin].matches('\n').count();
            return Err(not_yaml(file, lines, &error));
        }
        documents.push(document);
        begin = end;
    }
    Ok(Some(documents))
}

/// The place only, or a key that is there twice: what the parser quotes may be a value. The parser has not seen `lines`
/// before.
fn not_yaml(file: &str, lines: usize, error: &serde_saphyr::Error) -> Refusal {
    let place = error.location().map_or_else(String::new, |at| {
        format!(" in line {}", lines as u64 + at.line())
    });
    let what = duplicate(error).map_or_else(String::new, |key| format!(": it gives {key} twice"));
    Refusal::usage(format!("{file} is not YAML{place}{what}"))
}

/// The key that is there twice.
fn duplicate(error: &serde_saphyr::Error) -> Option<&str> {
    match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => key.as_deref(),
        _ => None,
    }
}

fn add(
    file: &str,
    index: usize,
    object: Value,
    manifests: &mut Vec<Manifest>,
) -> Result<(), Refusal> {
    let word = |field: &str| object[field].as_str().filter(|word| !word.is_empty());
    let (Some(version), Some(kind)) = (word("apiVersion"), word("kind")) else {
        let number = index + 1;
        let text = format!("{file} is no manifest: object {number} in it lacks apiVersion or kind");
        return Err(Refusal::usage(text));
    };
    let is_list = (version, kind) == ("v1", "List")
        || version.starts_with(GROUP) && kind == "ProviderSecretList";
    if is_list {
        let items = object["items"].as_array().cloned().unwrap_or_default();
        for (index, item) in items.into_iter().enumerate() {
            add(file, index, item, manifests)?;
        }
        return Ok(());
    }
    let metadata = &object["metadata"];
    let word = |field: &str| metadata[field].as_str().filter(|word| !word.is_empty());
    let name = word("name").or_else(|| word("generateName"));
    let name = name.unwrap_or("<none>");
    let label = word("namespace").map_or_else(|| name.to_owned(), |of| format!("{of}/{name}"));
    manifests.push(Manifest {
        file: file.to_owned(),
        label,
        object,
    });
    Ok(())
}
