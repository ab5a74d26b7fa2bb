//! Listings that are read page by page.

use super::*;

/// The page of PrimeIntellect's that a query asks for, of a listing with these names.
fn page_of(names: &[String], query: &str) -> Value {
    let number = |name| number_in(query, name).unwrap();
    let shown = names.iter().skip(number("offset")).take(number("limit"));
    let shown: Vec<&str> = shown.map(String::as_str).collect();
    let page = page(ProviderKind::PrimeIntellect, &shown);
    with(page, &json!({"limit": number("limit")}))
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("N{number}")).collect()
}

/// Cases: R-17
#[tokio::test(start_paused = true)]
async fn the_total_of_a_paged_listing_must_have_come() {
    let kind = ProviderKind::PrimeIntellect;
    for total in ["total_count", "totalCount"] {
        let answers = move |number, _: &str| {
            let names = two_names(kind, number);
            with(page(kind, names), &json!({total: 3}))
        };
        let (provider, _) = provider(&spec_of(kind), Duration::ZERO, Arc::new(answers));
        let error = listed(&*provider).await.unwrap_err();
        assert_eq!(error.detail(), Some(&Detail::NotWhole));
    }
}

/// docs/vendors.md#pi-3
/// Cases: R-17, P-25
#[rstest]
#[case(200, true, 4)]
#[case(250, true, 4)]
#[case(199, false, 3)]
#[case(150, false, 2)]
#[case(100, false, 2)]
#[case(99, false, 1)]
#[tokio::test(start_paused = true)]
async fn a_total_that_counts_the_page_does_not_end_a_listing(
    #[case] count: usize,
    #[case] counts_page: bool,
    #[case] calls: usize,
) {
    let names = numbered(count);
    let answers = move |_: usize, query: &str| {
        let page = page_of(&names, query);
        let on_page = page["data"].as_array().map_or(0, Vec::len);
        let total = if counts_page { on_page } else { count };
        with(page, &json!({"total_count": total}))
    };
    let spec = spec_of(ProviderKind::PrimeIntellect);
    let (provider, asked) = provider(&spec, Duration::ZERO, Arc::new(answers));
    assert_eq!(listed(&*provider).await.unwrap().len(), count);
    assert_eq!(asked.load(Ordering::SeqCst), calls);
}

/// The server shows fewer secrets on a page than it was asked for: one that no page shows would be created a second time.
/// docs/vendors.md#pi-3
/// Cases: R-17, P-25
#[rstest]
#[case::three_pages(120, Some(50), 4)]
#[case::three_pages_of_an_unknown_size(120, None, 4)]
#[case::a_full_page(50, Some(50), 2)]
#[case::a_page_of_an_unknown_size(30, None, 2)]
#[case::a_page_that_is_not_full(30, Some(50), 1)]
#[tokio::test(start_paused = true)]
async fn a_total_that_counts_a_smaller_page_does_not_end_a_listing(
    #[case] count: usize,
    #[case] limit: Option<usize>,
    #[case] calls: usize,
) {
    const MOST: usize = 50;
    let names = numbered(count);
    let answers = move |_: usize, query: &str| {
        let offset = number_in(query, "offset").unwrap();
        let shown = names.iter().skip(offset).take(MOST);
        let shown: Vec<&str> = shown.map(String::as_str).collect();
        let members = json!({"total_count": shown.len(), "limit": limit});
        with(page(ProviderKind::PrimeIntellect, &shown), &members)
    };
    let spec = spec_of(ProviderKind::PrimeIntellect);
    let (provider, asked) = provider(&spec, Duration::ZERO, Arc::new(answers));
    assert_eq!(listed(&*provider).await.unwrap().len(), count);
    assert_eq!(asked.load(Ordering::SeqCst), calls);
}

/// Between the first page and the second one a secret goes and one comes: one that no page shows would be created a second
/// time.
/// docs/vendors.md#pi-3
/// Cases: P-25
#[rstest]
#[case::one_goes_and_one_comes(Some(7), Some((149, "NEW")), None)]
#[case::one_goes(Some(7), None, None)]
#[case::the_last_of_the_page_goes(Some(99), Some((99, "NEW")), None)]
#[case::one_is_shown_first_after_a_change(Some(120), Some((0, "N120")), None)]
#[case::one_comes_first(None, Some((0, "NEW")), Some(150))]
#[case::one_comes_last(None, Some((150, "NEW")), Some(151))]
#[tokio::test(start_paused = true)]
async fn a_listing_that_may_have_missed_a_secret_is_void(
    #[case] goes: Option<usize>,
    #[case] comes: Option<(usize, &'static str)>,
    #[case] shown: Option<usize>,
) {
    let answers = move |number: usize, query: &str| {
        let mut names = numbered(150);
        if number > 0 {
            if let Some(index) = goes {
                names.remove(index);
            }
            if let Some((index, name)) = comes {
                names.insert(index, name.to_owned());
            }
        }
        let total = names.len();
        with(page_of(&names, query), &json!({"total_count": total}))
    };
    let spec = spec_of(ProviderKind::PrimeIntellect);
    let (provider, _) = provider(&spec, Duration::ZERO, Arc::new(answers));
    match listed(&*provider).await {
        Ok(names) => assert_eq!(Some(names.len()), shown),
        Err(error) => {
            assert_eq!(error.detail(), Some(&Detail::Moved));
            assert_eq!(shown, None);
        }
    }
}

/// Pages of so many secrets each, with these members; then pages that show nothing more.
fn pages(kind: ProviderKind, sizes: &'static [usize], members: Value) -> Arc<Answers> {
    Arc::new(move |number: usize, _: &str| {
        let name = |number: usize, index: usize| format!("N{number}_{index}");
        let size = sizes.get(number).copied().unwrap_or_default();
        let mut names: Vec<String> = (0..size).map(|index| name(number, index)).collect();
        if let (ProviderKind::PrimeIntellect, Some(before)) = (kind, number.checked_sub(1)) {
            names.insert(0, name(before, sizes[before] - 1));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        with(page(kind, &names), &members)
    })
}

/// Cases: R-17
#[rstest]
#[case(2, true)]
#[case(3, false)]
#[tokio::test(start_paused = true)]
async fn a_listing_of_as_many_pages_as_there_are_is_whole(
    #[case] total_pages: usize,
    #[case] is_whole: bool,
) {
    for kind in [ProviderKind::PrimeIntellect, ProviderKind::Braintrust] {
        let answers = pages(kind, &[2, 1], json!({"total_pages": total_pages}));
        let (provider, _) = provider(&spec_of(kind), Duration::ZERO, answers);
        match listed(&*provider).await {
            Ok(names) => assert!(is_whole && names.len() == 3, "{kind} {names:?}"),
            Err(error) => {
                assert!(!is_whole, "{kind}");
                assert_eq!(error.detail(), Some(&Detail::NotWhole), "{kind}");
            }
        }
    }
}

/// A write goes to one of them, and PATCH to the one of the id.
/// docs/vendors.md#bt-5
#[rstest]
#[case::one(&["acme", "acme", "acme"], false)]
#[case::two(&["acme", "beta", "acme"], true)]
#[case::two_on_two_pages(&["acme", "acme", "beta"], true)]
#[tokio::test(start_paused = true)]
async fn a_listing_of_several_organizations_is_told_as_such(
    #[case] organizations: &'static [&'static str],
    #[case] has_several: bool,
) {
    let object = move |index: usize| {
        let name = format!("N{index}");
        json!({"id": name, "name": name, "org_id": organizations[index]})
    };
    let answers = move |number: usize, _: &str| match number {
        0 => json!({"objects": [object(0), object(1)]}),
        1 => json!({"objects": [object(2)]}),
        _ => json!({"objects": []}),
    };
    let answers: Arc<Answers> = Arc::new(answers);
    let mut named = spec_of(ProviderKind::Braintrust);
    named["braintrust"]["orgName"] = "acme".into();
    // Where one was asked for, the answer is none of the API.
    let (provider, _) = provider(&named, Duration::ZERO, Arc::clone(&answers));
    let reason = provider.list().await.err().map(|error| error.reason);
    assert_eq!(reason, has_several.then_some(Reason::UnexpectedResponse));
    let spec = spec_of(ProviderKind::Braintrust);
    let (provider, _) = self::provider(&spec, Duration::ZERO, answers);
    let listing = provider.list().await.unwrap();
    assert_eq!(
        (listing.remotes.len(), listing.has_several_scopes),
        (3, has_several)
    );
    assert_eq!(listing.scope.as_deref(), (!has_several).then_some("acme"));
}
