//! How much a template may read and make.

use super::*;

#[rstest]
#[case::output("{{ a }}{{ a }}{{ a }}", Fault::TooLarge)]
#[case::replace("{{ a | replace('x', a) }}", Fault::TooLarge)]
#[case::urlencode("{{ a | replace('x', '/') | urlencode }}", Fault::TooLarge)]
#[case::unreached_output(
    "{% if a | b64encode | b64encode | b64encode %}{% endif %}",
    Fault::TooLarge
)]
fn what_is_made_is_bounded(#[case] source: &str, #[case] expected: Fault) {
    let half = vec![b'x'; MAX_VALUE / 2];
    assert_eq!(render(source, &[("a", &half)]), Err(expected));
}

#[test]
fn a_text_may_be_as_large_as_a_secret() {
    let whole = vec![b'x'; MAX_VALUE];
    assert_eq!(
        render("{{ a }}", &[("a", &whole)]).map(|text| text.len()),
        Ok(MAX_VALUE)
    );
    assert_eq!(render("{{ a }}.", &[("a", &whole)]), Err(Fault::TooLarge));
}

#[test]
fn the_templates_of_one_object_share_a_budget() {
    let renderer = Renderer::new();
    let whole = Zeroizing::new(vec![b'x'; MAX_VALUE]);
    let data = BTreeMap::from([("a".to_owned(), whole)]);
    let template = Template::new("{{ a }}").unwrap();
    let made = (0..100).take_while(|_| renderer.render(&template, &data).is_ok());
    // What is read and what is made.
    assert_eq!(made.count(), BUDGET / MAX_VALUE / 2);
    let fault = renderer.render(&template, &data).err();
    assert_eq!(fault, Some(Fault::TooMuch));
}

/// Also where what they make is not shown, is nothing, or has a default.
#[rstest]
#[case("{% if a | upper | lower %}{% endif %}")]
#[case("{% if a == a %}{% endif %}")]
#[case("{{ a | replace('x', '') }}")]
#[case("{{ 'x' if a | default('x') else 'y' }}")]
fn what_templates_read_is_counted(#[case] piece: &str) {
    let source = piece.repeat(MAX_TEMPLATE / piece.len());
    let template = Template::new(&source).unwrap();
    let data = BTreeMap::from([("a".to_owned(), Zeroizing::new(vec![b'x'; 1024]))]);
    let renderer = |budget| Renderer {
        budget: Budget(Arc::new(AtomicUsize::new(budget))),
    };
    let fault = renderer(100 * 1024).render(&template, &data).err();
    assert_eq!(fault, Some(Fault::TooMuch));
    assert!(renderer(1024 * 1024).render(&template, &data).is_ok());
}
