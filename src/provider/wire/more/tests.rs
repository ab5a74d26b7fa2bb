//! What tells of more, in every spelling, and what does not.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

/// As much as came.
const CAME: Came = Came {
    items: 100,
    pages: 1,
};

fn tells(members: &Value) -> bool {
    tells_of_more(members.as_object().unwrap(), &[], CAME)
}

fn header_tells(name: &str, value: &str) -> bool {
    let name = HeaderName::try_from(name).unwrap();
    let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
    headers_tell_of_more(&headers, CAME)
}

/// Cases: R-17
#[rstest]
#[case(json!({"next": "https://api.example/v1/secrets?page=2"}))]
#[case(json!({"has_more": true}))]
#[case(json!({"hasmore": true}))]
#[case(json!({"hasMore": true, "cursor": null}))]
#[case(json!({"hasMore": true, "last": true}))]
#[case(json!({"has_next_page": "true"}))]
#[case(json!({"cursor": "abc"}))]
#[case(json!({"next_page_token": "abc"}))]
#[case(json!({"nextpagetoken": "abc"}))]
#[case(json!({"NextToken": "abc"}))]
#[case(json!({"nextOffset": 100}))]
#[case(json!({"next_page_url": "/2"}))]
#[case(json!({"next_starting_after": "id"}))]
#[case(json!({"nextRecordsUrl": "/2", "done": false}))]
#[case(json!({"LastEvaluatedKey": {"id": {"S": "abc"}}}))]
#[case(json!({"last": false}))]
#[case(json!({"isLastPage": false}))]
#[case(json!({"list_complete": false}))]
#[case(json!({"page": {"last": false}}))]
#[case(json!({"links": {"self": "/1", "next": "/2"}}))]
#[case(json!({"_links": {"next": {"href": "/2"}}}))]
#[case(json!({"_links": {"next": {"templated": false, "href": "/2"}}}))]
#[case(json!({"links": [{"rel": "self", "href": "/1"}, {"rel": "next", "href": "/2"}]}))]
#[case(json!({"pagination": {"has_more": true, "cursor": "abc"}}))]
#[case(json!({"paging": {"cursors": {"before": "a", "after": "b"}}}))]
#[case(json!({"paging": {"next": {"after": "b"}}}))]
#[case(json!({"metadata": {"continue": "abc", "remainingItemCount": 5}}))]
#[case(json!({"response_metadata": {"next_cursor": "x"}}))]
#[case(json!({"result_info": {"total_count": 250}}))]
#[case(json!({"result_info": {"cursors": {"after": "x"}}}))]
#[case(json!({"data": {"pageInfo": {"hasNextPage": true, "endCursor": "x"}}}))]
#[case(json!({"meta": {"pagination": {"total_pages": 3}}}))]
#[case(json!({"meta": {"last_page": 3}}))]
#[case(json!({"@odata.nextLink": "/2"}))]
#[case(json!({"@odata.count": 250}))]
#[case(json!({"total": 101}))]
#[case(json!({"total": {"value": 250, "relation": "eq"}}))]
#[case(json!({"totalCount": "250"}))]
#[case(json!({"totalElements": 250}))]
#[case(json!({"total_secrets": 250}))]
#[case(json!({"recordsTotal": 250}))]
#[case(json!({"secretsCount": 250}))]
#[case(json!({"num_results": 250}))]
#[case(json!({"number_of_pages": 3}))]
#[case(json!({"page": {"size": 100, "totalElements": 250, "total_pages": 3}}))]
#[case(json!({"truncated": true}))]
#[case(json!({"continue_on_error": false, "next_cursor": "abc"}))]
#[case(json!({"incomplete_results": true}))]
#[case(json!({"partial": false, "next": "/2"}))]
#[case(json!({"total": 250.0}))]
#[case(json!({"total": "250.0"}))]
#[case(json!({"total": 1e30}))]
#[case(json!({"pagination": [{"next": "x"}]}))]
#[case(json!({"paging": [{"total": 250}]}))]
#[case(json!({"next": [{"href": "/2"}]}))]
#[case(json!({"links": [{"rel": ["next"], "href": "/2"}]}))]
#[case(json!({"links": [{"rel": "Next", "href": "/2"}]}))]
#[case(json!({"links": [{"rel": "next last", "href": "/2"}]}))]
#[case(json!({"links": {"rel": "next", "href": "/2"}}))]
#[case(json!({"hits": {"total": {"value": 250}}}))]
#[case(json!({"collection": {"grand_total": 250}}))]
#[case(json!({"remaining": 5}))]
#[case(json!({"remainingSecretSets": 5}))]
#[case(json!({"page_total": 3}))]
#[case(json!({"max_pages": 3}))]
#[case(json!({"is_complete": 0}))]
#[case(json!({"complete": "false"}))]
#[case(json!({"isLast": 0}))]
#[case(json!({"pagination": {"after": "x"}}))]
#[case(json!({"warnings": ["listing truncated"]}))]
#[case(json!({"warning": "The results are partial."}))]
#[case(json!({"warnings": [{"message": "incomplete listing"}]}))]
fn a_page_that_tells_of_more_is_not_all(#[case] members: Value) {
    assert!(tells(&members), "{members}");
}

/// Cases: R-17
#[rstest]
#[case(json!({}))]
#[case(json!({"status": "success", "offset": 0, "limit": 100}))]
#[case(json!({"total": 100, "count": 100, "page": 1, "pages": 1}))]
#[case(json!({"total": 7}))]
#[case(json!({"next": null, "previous": "/0", "has_more": false}))]
#[case(json!({"next": "", "nextOffset": 0, "remaining": 0}))]
#[case(json!({"next": -1, "last": true, "cursor": "the-end"}))]
#[case(json!({"pagination": {"has_more": false, "cursor": "the-end"}}))]
#[case(json!({"pageInfo": {"hasNextPage": false, "hasPreviousPage": true, "startCursor": "a", "endCursor": "b"}}))]
#[case(json!({"paging": {"cursors": {"before": "a", "after": null}}}))]
#[case(json!({"links": {"self": "/1", "next": null, "prev": "/0", "last": "/1"}}))]
#[case(json!({"_links": {"next": {"href": null}}}))]
#[case(json!({"links": [{"rel": "self", "href": "/1"}]}))]
#[case(json!({"last": true, "done": true, "complete": true}))]
#[case(json!({"page": {"number": 2, "size": 100, "total": 2, "count": 2}}))]
#[case(json!({"total": 100.0, "items": {"total": 99.5}}))]
#[case(json!({"pagination": [{"next": null, "total": 100}], "cursors": [{"after": null}]}))]
#[case(json!({"links": [{"rel": ["self", "first"], "href": "/1"}, {"rel": "next", "href": null}]}))]
#[case(json!({"is_complete": 1, "complete": "true", "has_more": 0, "cursor": "the-end"}))]
#[case(json!({"last_page": 0, "start": 0, "end": 0, "page_total": 1, "max_pages": 1}))]
#[case(json!({"max_page_size": 1000, "pageSizeMax": 1000, "max_per_page": 1000}))]
#[case(json!({"pagination": {"after": null, "created_after": "2026-11-21"}}))]
#[case(json!({"warnings": ["The key expires soon."], "warning": null}))]
#[case(json!({"region": "us-west", "errorMessage": "more", "metadata": {"team": "next"}}))]
// Other things than the items of the listing.
#[case(json!({"rate_limit": {"limit": 5000, "remaining": 4999}, "quota": {"total": 1000}}))]
#[case(json!({"next_rotation_at": "2027-01-01", "nextRunTime": "soon", "total_time_ms": 250}))]
#[case(json!({"organization": {"secret_count": 250, "total_members": 250}, "member_count": 250}))]
#[case(json!({"learn_more": "/docs", "setup_complete": false, "last_login_ok": false}))]
#[case(json!({"usage": {"total_tokens": 5000}, "accountNumber": 12345, "discount": 200}))]
#[case(json!({"capacity": {"total": 250, "used": 2}, "plan": {"secretSets": {"remaining": 48}}}))]
#[case(json!({"usedBy": {"agents": ["a"], "total": 250}, "sessions": {"total": 250}}))]
#[case(json!({"total_deployments": 250, "remaining_today": 48}))]
fn a_page_that_tells_of_no_more_is_all(#[case] members: Value) {
    assert!(!tells(&members), "{members}");
}

/// Cases: R-17
#[rstest]
#[case("X-Next-Page", "2")]
#[case("X-Total-Count", "250")]
#[case("X-Total-Pages", "3")]
#[case("x-bt-cursor", "abc")]
#[case("x-ms-continuation", "abc")]
#[case("X-Has-More", "true")]
#[case("X-Pagination", r#"{"TotalCount": 250, "PageSize": 100}"#)]
#[case("Content-Range", "secrets 0-99/250")]
#[case("X-Pages", "3")]
#[case("X-BT-Total", "250")]
#[case("X-WP-Total", "250")]
#[case("X-Items-Remaining", "150")]
#[case("Warning", r#"199 - "truncated""#)]
fn a_header_that_tells_of_more_does(#[case] name: &str, #[case] value: &str) {
    assert!(header_tells(name, value), "{name}: {value}");
}

#[rstest]
#[case("X-Next-Page", "")]
#[case("X-Total-Count", "100")]
#[case("X-Total-Pages", "1")]
#[case("X-Pages", "1")]
#[case("X-Page", "3")]
#[case("Warning", r#"110 - "Response is Stale""#)]
#[case("X-Has-More", "false")]
#[case("Content-Range", "secrets 0-99/100")]
#[case("Content-Range", "secrets 0-99/*")]
#[case("Content-Length", "25000")]
#[case("Last-Modified", "Sat, 21 Nov 2026 12:00:00 GMT")]
#[case("X-RateLimit-Remaining", "4999")]
#[case("RateLimit-Remaining", "4999")]
#[case("X-Requests-Remaining", "4999")]
#[case("X-Credits-Remaining", "12")]
#[case("X-DayLimit-Remaining", "4999")]
#[case("X-MinLimit-Remaining", "59")]
#[case("X-DayLimit-Next", "60")]
#[case("x-remaining-today", "4999")]
#[case("X-Daily-Remaining", "4999")]
#[case("X-Call-Remaining", "4999")]
#[case("X-Daily-Total", "5000")]
#[case("X-Envoy-Attempt-Count", "200")]
#[case("x-nextjs-prerender", "1")]
#[case("x-next-cache-tags", "a,b")]
#[case("x-middleware-next", "1")]
#[case("X-Request-Id", "next")]
fn a_header_that_tells_of_no_more_does_not(#[case] name: &str, #[case] value: &str) {
    assert!(!header_tells(name, value), "{name}: {value}");
}

/// Cases: R-17
#[rstest]
#[case("total_pages")]
#[case("pageCount")]
#[case("X-Total-Pages")]
fn pages_that_were_read_are_no_more_pages(#[case] name: &str) {
    let came = Came { pages: 2, ..CAME };
    for (pages, is_more) in [(1, false), (2, false), (3, true)] {
        let members = json!({ "meta": { name: pages } });
        let tells = tells_of_more(members.as_object().unwrap(), &[], came);
        assert_eq!(tells, is_more, "{members}");
    }
}

/// How a name is written.
#[derive(Clone, Copy, Debug)]
enum Style {
    Camel,
    Pascal,
    Snake,
    Kebab,
    Dotted,
    Screaming,
}

fn styles() -> impl Strategy<Value = Style> {
    use Style::{Camel, Dotted, Kebab, Pascal, Screaming, Snake};
    prop::sample::select(vec![Camel, Pascal, Snake, Kebab, Dotted, Screaming])
}

fn written(words: &[&str], style: Style) -> String {
    let upper = |word: &&str| word[..1].to_ascii_uppercase() + &word[1..];
    match style {
        Style::Camel => words[0].to_owned() + &words[1..].iter().map(upper).collect::<String>(),
        Style::Pascal => words.iter().map(upper).collect(),
        Style::Snake => words.join("_"),
        Style::Kebab => words.join("-"),
        Style::Dotted => words.join("."),
        Style::Screaming => words.join("_").to_ascii_uppercase(),
    }
}

fn envelopes() -> impl Strategy<Value = Vec<Vec<&'static str>>> {
    let names: Vec<Vec<&str>> = vec![
        vec!["meta"],
        vec!["pagination"],
        vec!["page", "info"],
        vec!["response", "metadata"],
        vec!["result", "info"],
        vec!["links"],
    ];
    prop::collection::vec(prop::sample::select(names), 0..3)
}

/// A member, as words and a value, and whether it tells of more.
fn members() -> impl Strategy<Value = (Vec<&'static str>, Value, bool)> {
    let on = [
        vec!["next"],
        vec!["next", "page"],
        vec!["next", "cursor"],
        vec!["next", "starting", "after"],
        vec!["has", "next"],
        vec!["more"],
        vec!["more", "available"],
        vec!["continuation", "token"],
        vec!["cursor"],
        vec!["page", "token"],
    ];
    let totals = [
        vec!["total"],
        vec!["total", "count"],
        vec!["total", "elements"],
        vec!["total", "resources"],
        vec!["items", "total"],
        vec!["count"],
        vec!["secret", "count"],
    ];
    let others = [
        vec!["region"],
        vec!["context"],
        vec!["discount"],
        vec!["account", "number"],
        vec!["next", "run", "at"],
        vec!["previous", "cursor"],
        vec!["limit"],
        vec!["offset"],
        vec!["total", "bytes"],
        vec!["total", "agents"],
        vec!["calls", "remaining"],
        vec!["request", "count"],
    ];
    let ways = [json!("abc"), json!(true), json!(100), json!(["a"])];
    let ends = [json!(null), json!(false), json!(""), json!(0), json!([])];
    prop_oneof![
        (
            prop::sample::select(on.to_vec()),
            prop::sample::select(ways.to_vec())
        )
            .prop_map(|(name, value)| (name, value, true)),
        (
            prop::sample::select(on.to_vec()),
            prop::sample::select(ends.to_vec())
        )
            .prop_map(|(name, value)| (name, value, false)),
        (prop::sample::select(totals.to_vec()), 0..1000_usize).prop_map(|(name, total)| (
            name,
            json!(total),
            total > CAME.items
        )),
        (prop::sample::select(others.to_vec()), any::<u32>()).prop_map(|(name, number)| (
            name,
            json!(number),
            false
        )),
    ]
}

proptest! {
    /// Cases: R-17
    #[test]
    fn a_name_means_the_same_in_every_spelling_and_envelope(
        (name, value, is_more) in members(), style in styles(), envelopes in envelopes(),
    ) {
        let mut members = json!({ written(&name, style): value });
        for envelope in &envelopes {
            members = json!({ "status": "success", written(envelope, style): members });
        }
        prop_assert_eq!(tells(&members), is_more, "{}", members);
    }

    #[test]
    fn no_member_panics(name in "\\PC{0,60}", value in "\\PC{0,20}") {
        let _ = tells(&json!({name: {value: true}}));
    }
}
