//! A set that is there is asked itself before its first write: the listing need not tell that it is a reference.

use super::*;

/// Under Retain and Overwrite nothing else asks for its keys.
/// docs/vendors.md#pc-14
#[rstest]
#[case::there(vec![set(Form::Text, "us-west")], Some(Lack::SetKeys))]
#[case::absent(Vec::new(), None)]
fn a_set_that_is_there_is_asked_itself_before_its_first_write(
    #[case] observed: Vec<Remote>,
    #[case] lack: Option<Lack>,
) {
    let (kind, desired) = (ProviderKind::Pipecat, [entry("A", "1")]);
    let shown = snapshot(kind, &observed);
    let inputs = Inputs {
        snapshot: Some(&shown),
        ..inputs(kind, &[])
    };
    let planned = |inputs: &Inputs<'static, '_>| plan(&desired, inputs, &Unclaimed, digest);
    assert_eq!(lacks(&planned(&inputs), &inputs), lack);
    for (set_keys, expected) in [
        (SetKeys::Referenced, Some(Reason::Unsupported)),
        (SetKeys::Shown(Vec::new()), None),
    ] {
        let inputs = Inputs {
            set_keys: Some(&set_keys),
            ..inputs
        };
        let planned = planned(&inputs);
        assert_eq!(lacks(&planned, &inputs), None);
        let refused = match &planned[0].change {
            Change::Refuse(failure) => Some(failure.reason),
            _ => None,
        };
        assert_eq!(refused, expected);
    }
}

/// A key that comes to a set of this object costs no further call.
#[test]
fn a_set_that_was_written_before_is_not_asked() {
    let kind = ProviderKind::Pipecat;
    let recorded = [record("A", Some("1"), EntryState::Synced)];
    let desired = [entry("A", "1"), entry("B", "1")];
    let planned = planned(kind, &desired, &recorded, None);
    assert_eq!(planned[1].change, Change::Create);
    assert_eq!(lacks(&planned, &inputs(kind, &recorded)), None);
}
