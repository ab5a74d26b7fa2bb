//! What holds the repository itself to its word.

mod citations; // documents and anchors that the code and the documents cite
mod documents; // that the check of the operator's requests finds what no vendor's document has
mod peer; // the defects of a peer, not so here
mod readme; // the documentation
mod reasons; // one table of reasons and alerts, and everything that is made of it
mod reliability; // which test shows which case of the catalogue
mod vendors; // that each fact about a vendor says where it is from

pub(crate) use reasons::ALERTS;
