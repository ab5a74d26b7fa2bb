//! Braintrust's list: organizations, filters and pages (docs/vendors.md#bt-5 and BT-6).

use serde_json::json;

use super::{NONE, full, user};

#[tokio::test(start_paused = true)]
async fn the_organization_is_chosen_by_name_and_the_list_has_all() {
    let (_simulator, account, client) = user();
    client
        .check(&[
            (
                "PUT /v1/ai_secret",
                json!({ "name": "A", "secret": "1" }),
                200,
                NONE,
            ),
            (
                "PUT /v1/ai_secret",
                json!({ "name": "A", "secret": "2", "org_name": "two" }),
                200,
                NONE,
            ),
            (
                "GET /v1/ai_secret",
                NONE,
                200,
                json!({ "objects": [{ "name": "A" }, { "name": "A" }] }),
            ),
            (
                "GET /v1/ai_secret?org_name=two",
                NONE,
                200,
                json!({ "objects": [{ "name": "A" }] }),
            ),
            (
                "DELETE /v1/ai_secret",
                json!({ "name": "A", "org_name": "two" }),
                200,
                NONE,
            ),
        ])
        .await;
    assert_eq!(account.values(Some("one"))["A"], "1");
    assert!(account.held(Some("two")).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_list_is_newest_first_filtered_and_paged_by_cursor() {
    let (_simulator, account, client) = user();
    for index in 0..250 {
        account
            .foreign_write(None, &format!("S{index}"), "v")
            .unwrap();
    }
    let page = async |query: &str| {
        let body = client
            .send(&format!("GET /v1/ai_secret?{query}"), NONE)
            .await
            .json();
        body["objects"].as_array().unwrap().clone()
    };
    let (mut seen, mut query) = (Vec::new(), String::new());
    loop {
        let objects = page(&query).await;
        let Some(last) = objects.last() else { break };
        query = format!("starting_after={}", last["id"].as_str().unwrap());
        seen.extend(objects);
    }
    let names: Vec<_> = seen
        .iter()
        .map(|object| object["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        (0..250)
            .rev()
            .map(|index| format!("S{index}"))
            .collect::<Vec<_>>()
    );

    let id = |position: usize| seen[position]["id"].as_str().unwrap();
    assert_eq!(
        page(&format!("limit=2&ending_before={}", id(10))).await,
        seen[8..10]
    );
    assert_eq!(
        page(&format!("limit=2&starting_after={}", id(10))).await,
        seen[11..13]
    );
    assert_eq!(
        page(&format!("ids={}&ids={}", id(5), id(3))).await,
        [seen[3].clone(), seen[5].clone()]
    );
    assert_eq!(page("ai_secret_name=S7").await.len(), 1);
    assert_eq!(page("limit=0").await.len(), 0);
    client.send("PUT /v1/ai_secret", full("1")).await;
    client
        .send("PUT /v1/ai_secret", json!({ "name": "G", "type": "groq" }))
        .await;
    assert_eq!(page("ai_secret_type=openai").await.len(), 1);
    assert_eq!(
        page("ai_secret_type=openai&ai_secret_type=groq")
            .await
            .len(),
        2
    );
    let both = format!(
        "GET /v1/ai_secret?starting_after={}&ending_before={}",
        id(1),
        id(2)
    );
    client.check(&[(&both, NONE, 400, NONE)]).await;
}
