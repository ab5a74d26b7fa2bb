//! What a value may be, and what happens to one that cannot be sent.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::join_all;
use provider_secrets::api::EntryState;
use serde_json::{Value, json};

use super::entry;
use crate::harness::{CANARY, Target, TestCase, TestEnv, condition, run};

/// Values that programs are known to trim, escape, expand or misread.
const ODD: [&str; 16] = [
    "ends in a newline\n",
    "two\r\nlines\r\n",
    " spaces around ",
    "\u{feff}after a byte order mark",
    "four bytes \u{1f980} and \u{202e}right to left",
    r#"quotes " ' ` and \ and \n"#,
    "{{ value }} ${HOME} $(id) %s %00",
    r#"","admin":true,"x":""#,
    "\u{1b}[31mred",
    "tab\tand bell\u{7}",
    "null",
    "true",
    "0123",
    "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "x",
];

/// Cases: C-11, H-06, H-08, H-12
#[test]
fn odd_values_arrive_byte_for_byte() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let values: Vec<String> = ODD
                .iter()
                .map(|odd| format!("{odd}{CANARY}{odd}"))
                .collect();
            let names: Vec<String> = (0..ODD.len())
                .map(|index| format!("ODD_{index:02}"))
                .collect();
            let pairs = || {
                names
                    .iter()
                    .map(String::as_str)
                    .zip(values.iter().map(String::as_str))
            };
            case.secret("source", &pairs().collect::<Vec<_>>()).await;
            let data: Vec<_> = names
                .iter()
                .map(|name| (&**name, "source", &**name))
                .collect();
            case.object("odd", &data).await;
            case.wait_ready("odd").await;
            case.wait_held(&pairs().collect::<Vec<_>>()).await;
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: C-06, C-10
#[test]
fn a_value_that_cannot_be_sent_waits_or_stalls_alone() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "EmptyValue"),
        (b"\xff\xfe", "InvalidEncoding"),
        (b"text and \xc3", "InvalidEncoding"),
        (b"\xed\xa0\x80", "InvalidEncoding"),
        (b"\xc0\xaf", "InvalidEncoding"),
    ];
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let good = case.value("good");
            for (bytes, reason) in cases {
                let data = BTreeMap::from([("bad", bytes), ("good", good.as_bytes())]);
                case.binary_secret("source", &data).await;
                case.object(
                    "alone",
                    &[("BAD", "source", "bad"), ("GOOD", "source", "good")],
                )
                .await;
                let object = case.wait_reason("alone", reason).await;
                // An empty value is a placeholder: another controller fills it.
                let expected = if bytes.is_empty() {
                    "Reconciling"
                } else {
                    "Stalled"
                };
                assert!(
                    condition(&object, expected).is_some(),
                    "{target:?} {bytes:?}"
                );
                assert_eq!(entry(&object, "BAD").1, Some(reason));
                assert_eq!(entry(&object, "GOOD"), (EntryState::Synced, None));
                case.wait_held(&[("GOOD", &good)]).await;
            }
            // The good one was written once, however often the bad one changed.
            assert_eq!(case.writes().len(), 1, "{target:?} {:?}", case.writes());
            case.secret("source", &[("bad", &good), ("good", &good)])
                .await;
            case.wait_ready("alone").await;
            case.wait_held(&[("BAD", &good), ("GOOD", &good)]).await;
            case.finish().await;
        }))
        .await;
    });
}

fn file(name: &str, key: &str) -> Value {
    json!({
        "name": name,
        "secretKeyRef": {"name": "source", "key": key},
        "primeIntellect": {"isFile": true},
    })
}

/// Cases: C-08, C-10
#[test]
fn a_file_at_prime_intellect_may_hold_any_bytes_up_to_its_limit() {
    run(async {
        let case = TestCase::new(TestEnv::shared().await, Target::PrimeIntellect).await;
        let bytes: Vec<u8> = (0..=255).collect();
        // 64 KiB in base64, and three bytes more.
        let (full, over) = (vec![0xa5; 48 * 1024], vec![0xa5; 48 * 1024 + 1]);
        let mut data: BTreeMap<&str, &[u8]> = [("bytes", &*bytes), ("full", &full)].into();
        data.insert("over", &over);
        case.binary_secret("source", &data).await;
        let entries = [
            file("BYTES", "bytes"),
            file("FULL", "full"),
            file("OVER", "over"),
        ];
        let spec = json!({"provider": case.provider(), "data": entries});
        case.apply("files", spec)
            .await
            .expect("an object is applied");
        let object = case.wait_reason("files", "ValueTooLarge").await;
        let stalled = condition(&object, "Stalled").expect("Stalled");
        let limit = "larger than 64 KB in base64";
        assert!(stalled.message.contains(limit), "{}", stalled.message);
        assert_eq!(entry(&object, "OVER").1, Some("ValueTooLarge"));
        let (bytes, full) = (STANDARD.encode(bytes), STANDARD.encode(full));
        case.wait_held(&[("BYTES", &bytes), ("FULL", &full)]).await;
        let secrets = case
            .env
            .simulator()
            .prime_intellect()
            .secrets(&case.account, None);
        assert!(secrets.iter().all(|secret| secret.is_file));
        case.finish().await;
    });
}

/// Cases: C-08
#[test]
fn a_value_nearly_as_large_as_a_secret_arrives_whole() {
    run(async {
        let env = TestEnv::shared().await;
        // One after the other: each is held by the API server, the operator and the simulator.
        for target in Target::ALL {
            let case = TestCase::new(env, target).await;
            let mut value = case.value("large");
            value.extend(std::iter::repeat_n('x', 1023 * 1024 - value.len()));
            // Applied as JSON, where the server keeps no second copy in an annotation.
            case.secret("source", &[("a", &value)]).await;
            case.object("large", &[("A_KEY", "source", "a")]).await;
            case.wait_ready("large").await;
            assert!(
                case.held().get("A_KEY") == Some(&value),
                "{target:?}: not as it was"
            );
            // All that a Secret may hold: more than the simulator takes in one request.
            value.extend(std::iter::repeat_n('x', 1024));
            case.secret("source", &[("a", &value)]).await;
            let object = case.wait_reason("large", "ValueTooLarge").await;
            let stalled = condition(&object, "Stalled").expect("Stalled");
            assert!(stalled.message.contains("larger than the provider takes"));
            case.finish().await;
        }
    });
}
