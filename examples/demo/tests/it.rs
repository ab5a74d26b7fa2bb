//! The demo, as make runs it.

use std::process::Command;

#[test]
fn the_demo_shows_what_it_says_and_ends() {
    let demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .env_remove("KEEP")
        .output();
    let demo = demo.expect("the demo runs");
    let said = String::from_utf8_lossy(&demo.stdout);
    assert!(
        demo.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&demo.stderr)
    );
    for shown in ["PROVIDER", "received the new", "status says", "Done"] {
        assert!(
            said.contains(shown),
            "the demo does not show {shown}:\n{said}"
        );
    }
    assert!(
        !said.contains('\u{1b}'),
        "no colours where there is no terminal"
    );
}
