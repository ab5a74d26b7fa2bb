//! The two forms in which metrics are shown: OpenMetrics, which Prometheus asks for, and the text format
//! before it, which everything else reads.

use std::fmt::Write as _;

use axum::http::{HeaderMap, header};

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposition {
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    OpenMetrics,
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    Text,
}

impl Exposition {
    /// The form that a client prefers: the text format unless it takes OpenMetrics at least as gladly.
    pub(super) fn negotiate(headers: &HeaderMap) -> Self {
        let (mut open, mut text) = (0.0, 0.0_f32);
        let accepted = headers.get_all(header::ACCEPT).into_iter();
        let accepted = accepted.filter_map(|accepted| accepted.to_str().ok());
        for range in accepted.flat_map(|accepted| accepted.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let preferred = match parts.next() {
                Some("application/openmetrics-text") => &mut open,
                Some("text/plain") => &mut text,
                _ => continue,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality = quality.map_or(Some(1.0), |quality| quality.parse::<f32>().ok());
            *preferred = preferred.max(quality.unwrap_or_default());
        }
        if open > 0.0 && open >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The last line.
    pub(super) const fn end(self) -> &'static str {
        match self {
            Self::OpenMetrics => "# EOF\n",
            Self::Text => "",
        }
    }

    /// Families in this form, from those in OpenMetrics.
    pub(super) fn families(self, open: String) -> String {
        match self {
            Self::OpenMetrics => open,
            Self::Text => text(&open),
        }
    }
}

/// Families in the text format. It has no units, knows neither `info` nor `unknown`, and names a family as
/// its series are named.
fn text(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = "";
    for line in open.lines() {
        if let Some(line) = line.strip_prefix("# HELP ") {
            help = line.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some(line) = line.strip_prefix("# TYPE ") {
            let (name, kind) = line.split_once(' ').unwrap_or((line, ""));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}"
            );
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rstest::rstest;

    use super::*;

    #[rstest]
    // What Prometheus 3 sends by default, and where it is configured for the text format.
    #[case(
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        Exposition::OpenMetrics
    )]
    #[case(
        "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.4",
        Exposition::Text
    )]
    #[case("application/openmetrics-text", Exposition::OpenMetrics)]
    #[case("application/openmetrics-text; q=0", Exposition::Text)]
    #[case("application/openmetrics-text; q=x", Exposition::Text)]
    // A browser, curl, and nothing.
    #[case("text/html,application/xhtml+xml,*/*;q=0.8", Exposition::Text)]
    #[case("*/*", Exposition::Text)]
    #[case("", Exposition::Text)]
    fn a_client_gets_the_form_that_it_prefers(
        #[case] accepted: &'static str,
        #[case] expected: Exposition,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accepted));
        assert_eq!(Exposition::negotiate(&headers), expected);
    }

    #[test]
    fn the_text_format_names_families_as_their_series() {
        let open = "# HELP a_build Version.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
            # HELP a_seconds Time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 2\n\
            # HELP b Now.\n# TYPE b gauge\nb{l=\"# TYPE\"} 3\n";
        let expected = "# HELP a_build_info Version.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
            # HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\na_seconds_total 2\n\
            # HELP b Now.\n# TYPE b gauge\nb{l=\"# TYPE\"} 3\n";
        assert_eq!(Exposition::Text.families(open.to_owned()), expected);
        assert_eq!(Exposition::OpenMetrics.families(open.to_owned()), open);
    }
}
