//! Ages as kubectl writes them.

use jiff::Timestamp;

/// How long ago `time` was, as kubectl writes it: `9s`, `4m10s`, `31m`, `5h2m`, `40d`.
///
/// The rule is that of `duration.HumanDuration` in k8s.io/apimachinery.
pub(in crate::cli) fn age(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs().max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    let with = |whole: i64, unit: char, rest: i64, smaller: char| match rest {
        0 => format!("{whole}{unit}"),
        rest => format!("{whole}{unit}{rest}{smaller}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => with(minutes, 'm', seconds % 60, 's'),
        _ if hours < 3 => format!("{minutes}m"),
        _ if hours < 8 => with(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => with(days, 'd', hours % 24, 'h'),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => with(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

/// As [`age`], or `<none>` for what never was.
pub(in crate::cli) fn age_or_none(time: Option<Timestamp>, now: Timestamp) -> String {
    time.map_or_else(|| super::NONE.to_owned(), |time| age(time, now))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(-5, "0s")]
    #[case(0, "0s")]
    #[case(119, "119s")]
    #[case(120, "2m")]
    #[case(250, "4m10s")]
    #[case(600, "10m")]
    #[case(10_799, "179m")]
    #[case(10_800, "3h")]
    #[case(18_120, "5h2m")]
    #[case(28_800, "8h")]
    #[case(172_799, "47h")]
    #[case(172_800, "2d")]
    #[case(180_000, "2d2h")]
    #[case(3_456_000, "40d")]
    #[case(63_072_000, "2y")]
    #[case(63_158_400, "2y1d")]
    #[case(315_360_000, "10y")]
    fn an_age_is_written_as_kubectl_writes_it(#[case] seconds: i64, #[case] text: &str) {
        let time = Timestamp::from_second(1_800_000_000).unwrap();
        let now = Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        assert_eq!(age(time, now), text);
    }
}
