//! Bodies that providers, proxies and portals have been seen to send, and those that attack a parser.

use std::fs;

use crate::harness::root;

/// What each operation takes for a good answer.
pub(super) fn good() -> Vec<Vec<u8>> {
    let secret =
        r#"{"id":"an-id","name":"A_NAME","created_at":"2026-11-21T12:00:00Z","team_name":"%C%"}"#;
    let prime = r#"{"id":"an-id","name":"A_NAME","isFile":false,"userId":"u","teamId":null,"updatedAt":"2026-11-21T12:00:00"}"#;
    let braintrust = r#"{"id":"an-id","org_id":"o","name":"A_NAME","type":null,"metadata":null,"preview_secret":"%C%"}"#;
    [
        secret.to_owned(),
        format!(r#"{{"secrets":[{secret}]}}"#),
        r#"{"teams":[{"id":"team","name":"a team","default":true}]}"#.to_owned(),
        format!(r#"{{"data":{prime},"status":"success"}}"#),
        format!(r#"{{"data":[{prime}],"total_count":1,"offset":0,"limit":100}}"#),
        r#"{"data":{"id":"u","name":"%C%"}}"#.to_owned(),
        r#"{"status":"OK","region":"us-west"}"#.to_owned(),
        r#"{"sets":[{"name":"a-set","type":"secret","region":"us-west","status":"ready"}]}"#.to_owned(),
        r#"{"region":"us-west","status":"failed","errorMessage":"%C%","secrets":[{"fieldName":"A"}]}"#
            .to_owned(),
        braintrust.to_owned(),
        format!(r#"{{"objects":[{braintrust}]}}"#),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// Small ones.
pub(super) fn bodies() -> Vec<Vec<u8>> {
    let mut bodies = good();
    let listing = |item: &str| {
        format!(
            r#"{{"secrets":[{item}],"data":[{item}],"sets":[{item}],"objects":[{item}],"teams":[{item}]}}"#
        )
    };
    let texts = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "[{}]".to_owned(),
        "{}".to_owned(),
        "\"%C%\"".to_owned(),
        "NaN".to_owned(),
        "1e999".to_owned(),
        "<!doctype html><title>%C%</title>".to_owned(),
        r#"{"secrets":{},"data":{},"sets":{},"objects":{},"teams":{}}"#.to_owned(),
        r#"{"secrets":[],"data":[],"sets":[],"objects":[],"teams":[]}"#.to_owned(),
        r#"{"secrets":null,"data":null,"sets":null,"objects":null,"teams":null}"#.to_owned(),
        // Twice the same member, also with another value.
        r#"{"secrets":[],"secrets":[],"name":"a","name":"%C%","data":null,"data":null,"objects":[],"objects":[]}"#
            .to_owned(),
        listing("null"),
        listing("NaN"),
        listing(r#"{"name":null}"#),
        listing(r#"{"name":"%C%"}"#),
        // Ids and times that are none.
        listing(r#"{"id":"%C%","name":"a","org_id":"%C%","userId":"%C%","updatedAt":"%C%","created_at":"%C%"}"#),
        listing(r#"{"id":7,"name":"a"}"#),
        listing(r#"{"id":"../../v1/teams","name":".."}"#),
        listing(r#"{"id":"a","name":"a\u0000\u001b[2J\r\n%C%","team_name":"\u001b]0;%C%\u0007"}"#),
        listing(r#"{"id":"a","name":"\ud800","fieldName":"\udfff"}"#),
        // The same page for ever, and a new cursor for ever.
        listing(r#"{"id":"same","name":"a","fieldName":"a"}"#),
        listing(r#"{"id":"number-%N%","name":"a","fieldName":"a"}"#),
        r#"{"data":[{"id":"number-%N%","name":"a"}],"total_count":18446744073709551615}"#.to_owned(),
        r#"{"data":[{"id":"number-%N%","name":"a"}],"total_count":-1}"#.to_owned(),
        r#"{"data":[{"id":"number-%N%","name":"a"}],"total_count":1e99,"totalCount":0}"#.to_owned(),
        format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{}1{}", r#"{"metadata":"#.repeat(10_000), "}".repeat(10_000)),
        format!(r#"{{"name":"a","metadata":{}"#, "[".repeat(10_000)),
    ];
    bodies.extend(texts.map(String::into_bytes));
    // Cut anywhere, and bytes that are no text.
    for body in good() {
        bodies.push(body[..body.len() / 2].to_vec());
        bodies.push(body[..body.len() - 1].to_vec());
    }
    for bytes in [
        b"\xff\xfe{\x00}\x00".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"name\":\"\xc3\x28\xed\xa0\x80\xc0\xaf\"}".to_vec(),
        b"{\"objects\":[{\"id\":\"a\",\"name\":\"\x00\xff\"}]}".to_vec(),
        vec![0; 64],
    ] {
        bodies.push(bytes);
    }
    bodies
}

/// Up to the megabyte that is read.
pub(super) fn large() -> Vec<Vec<u8>> {
    let page = |member: &str, item: &str| {
        let items = vec![item; 10_000].join(",");
        format!(r#"{{"{member}":[{items}]}}"#).into_bytes()
    };
    let mut line = br#"{"message":"%C%"#.to_vec();
    line.resize(1024 * 1024, b'x');
    vec![
        page("secrets", r#"{"name":"a","fieldName":"a"}"#),
        page("data", r#"{"id":"i%N%","name":"a"}"#),
        page("objects", r#"{"id":"i%N%","name":"a"}"#),
        page("sets", r#"{"name":"a"}"#),
        line,
    ]
}

/// Resources to damage: the examples, as JSON.
pub(super) fn resources() -> Vec<Vec<u8>> {
    let folder = fs::read_dir(root().join("fuzz/corpus/resource")).expect("there is a corpus");
    folder
        .map(|file| fs::read(file.expect("the folder is readable").path()))
        .map(|text| text.expect("the file is readable"))
        .filter(|text| !text.is_empty())
        .collect()
}
