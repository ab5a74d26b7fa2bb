//! What holds the repository itself to its word.

mod citations; // documents and anchors that the code and the documents cite
mod commands; // the command blocks of the documents
mod documents; // that the check of the operator's requests finds what no vendor's document has
mod figures; // the figures that the documents publish, and their budgets
mod logs; // the fields of the log
mod peer; // the defects of a peer, not so here
mod readme; // the documentation
mod reasons; // one table of reasons and alerts, and everything that is made of it
mod reliability; // which test shows which case of the catalogue
mod vendors; // that each fact about a vendor says where it is from

use std::{collections::BTreeMap, fs, path::PathBuf};

pub(crate) use self::commands::{Person, blocks};
use crate::harness::setting;
pub(crate) use reasons::ALERTS;

/// Asserts that the files are those that `make TARGET` writes, which sets `WRITE_TARGET` for it.
pub(crate) fn assert_generated(files: &BTreeMap<PathBuf, String>, target: &str) {
    if setting(&format!("WRITE_{}", target.to_uppercase())).is_some() {
        for (path, text) in files {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("it is written");
        }
    }
    for (path, text) in files {
        let committed = fs::read_to_string(path).unwrap_or_default();
        let path = path.display();
        assert!(&committed == text, "{path} is old: run `make {target}`");
    }
}
