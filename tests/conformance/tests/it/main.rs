//! The suite against the simulator: in process in every variant, and the program over HTTP on loopback.

mod faults;
mod guard;
mod pages;
mod program;
mod support;
mod variants;
