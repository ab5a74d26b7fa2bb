pub(super) mod samples;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    command(Invocation::Program).debug_assert();
}

#[test]
fn a_wrong_flag_is_one_line() {
    for wrong in [
        &["x", "run", "--nonsense"][..],
        &["x"],
        &["x", "run", "--endpoint", "a"],
    ] {
        let error = Arguments::try_parse_from(wrong).unwrap_err();
        let line = one_line(&error);
        assert!(!line.contains('\n') && line.len() > 20, "{line}");
    }
}
