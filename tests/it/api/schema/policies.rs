//! B-07: policies and intervals, their values and bounds.

use serde_json::{Value, json};

use super::{assert_refused, case, offer, spec};
use crate::harness::run;

/// Cases: B-07
#[test]
fn intervals_are_between_a_minute_and_a_week() {
    run(async {
        let case = case().await;
        let good = [
            "1m", "60s", "10m", "1h30m", "1h0m1s", "168h", "10080m", "604800s",
        ];
        let bad: [Value; 22] = [
            "0".into(),
            "0s".into(),
            "1s".into(),
            "59s".into(),
            "168h1s".into(),
            "169h".into(),
            "2147483648s".into(),
            "9223372036854775808s".into(),
            "18446744073709551616h".into(),
            "-1m".into(),
            "-10m".into(),
            "1d".into(),
            "1.5h".into(),
            "60".into(),
            "soon".into(),
            "".into(),
            " 10m".into(),
            "10m\n".into(),
            "1e3s".into(),
            0.into(),
            60.into(),
            2_147_483_648_u64.into(),
        ];
        for field in ["verifyInterval", "rewriteInterval"] {
            for text in good {
                let mut spec = spec("baseten", &json!({}));
                spec[field] = text.into();
                assert_eq!(offer(&case, "good", &spec).await, Ok(()), "{field} {text}");
            }
            for value in &bad {
                let mut spec = spec("baseten", &json!({}));
                spec[field] = value.clone();
                let offered = offer(&case, "bad", &spec).await;
                assert_refused(&format!("{field} {value}"), offered, &[field]);
            }
            let mut spec = spec("baseten", &json!({}));
            spec[field] = "59s".into();
            let offered = offer(&case, "bad", &spec).await;
            let words = format!("{field} must be between 1m and 168h");
            assert_refused("59s", offered, &[&words]);
        }
        case.finish().await;
    });
}

/// Cases: B-07
#[test]
fn policies_are_what_they_may_be() {
    run(async {
        let case = case().await;
        for (field, good, bad) in [
            ("deletionPolicy", ["Retain", "Delete"], "Orphan"),
            ("conflictPolicy", ["Overwrite", "Fail"], "Adopt"),
        ] {
            for word in good {
                let mut spec = spec("baseten", &json!({}));
                spec[field] = word.into();
                assert_eq!(offer(&case, "good", &spec).await, Ok(()), "{field} {word}");
                // As they are written, and not otherwise.
                spec[field] = word.to_lowercase().into();
                let offered = offer(&case, "bad", &spec).await;
                assert_refused(word, offered, &[field, "Unsupported value", word]);
            }
            let mut spec = spec("baseten", &json!({}));
            spec[field] = bad.into();
            let offered = offer(&case, "bad", &spec).await;
            assert_refused(
                bad,
                offered,
                &[field, "Unsupported value", good[0], good[1]],
            );
            spec[field] = true.into();
            let offered = offer(&case, "bad", &spec).await;
            assert_refused("true", offered, &[field]);
        }
        case.finish().await;
    });
}

#[test]
fn policies_and_intervals_can_change() {
    run(async {
        let case = case().await;
        let mut spec = spec("baseten", &json!({}));
        case.apply("object", spec.clone())
            .await
            .expect("it is applied");
        for (field, value) in [
            ("deletionPolicy", "Delete"),
            ("conflictPolicy", "Fail"),
            ("verifyInterval", "5m"),
            ("rewriteInterval", "24h"),
            ("deletionPolicy", "Retain"),
        ] {
            spec[field] = value.into();
            let applied = case.apply("object", spec.clone()).await;
            applied.expect("it may change");
        }
        case.finish().await;
    });
}
