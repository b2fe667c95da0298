use std::fmt::Write;

use super::*;

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number.clone().into(),
        Value::String(text) => text.clone().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            serde_json::Value::Object(entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect())
        }
    }
}

fn only_error(text: &str) -> SyntaxError {
    let mut errors = parse(text).expect_err("the text is wrong");
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

#[test]
fn scalars_follow_the_core_schema() {
    let text = "[1, -2, 0x1f, 1.5, 1e3, true, no, ~, null, 'quoted', \"1\", 2023-06-01, 10s, nan, 1.2.3, !!str 5]";
    let node = parse(text).expect("the text is valid");
    let expected = serde_json::json!([
        1,
        -2,
        31,
        1.5,
        1000.0,
        true,
        "no",
        null,
        null,
        "quoted",
        "1",
        "2023-06-01",
        "10s",
        "nan",
        "1.2.3",
        "5"
    ]);
    assert_eq!(json(&node), expected);
}

#[test]
fn nodes_know_their_place() {
    let node = parse("a: 1\nb:\n  - x\n  - c: y\n").expect("the text is valid");
    let list = &node.entry("b").expect("b is there").value;
    assert_eq!(node.entry("b").expect("b is there").at, Pos { line: 2, column: 1 });
    let Value::List(items) = &list.value else { panic!("b is a list") };
    assert_eq!(items[0].at, Pos { line: 3, column: 5 });
    assert_eq!(items[1].entry("c").expect("c is there").value.at, Pos { line: 4, column: 8 });
}

#[test]
fn empty_texts_are_empty_mappings() {
    for text in ["", "\n", "# nothing\n", "---\n", "~"] {
        assert_eq!(json(&parse(text).expect("the text is valid")), serde_json::json!({}), "{text:?}");
    }
}

#[test]
fn duplicate_keys_are_all_reported() {
    let errors = parse("a: 1\nb: {c: 1, c: 2}\na: 2\n").expect_err("keys repeat");
    let places: Vec<_> = errors.iter().map(|error| (error.at.line, error.at.column, error.path.as_str())).collect();
    assert_eq!(places, [(2, 11, "/b/c"), (3, 1, "/a")]);
    assert_eq!(errors[1].message, "duplicate key `a`, it is already on line 1");
}

#[test]
fn wrong_yaml_is_reported_with_its_place() {
    let error = only_error("a: 1\nb:\n\t- x\n");
    assert_eq!(error.at.line, 3, "{error:?}");
    assert!(error.message.starts_with("invalid yaml: "), "{error:?}");
    assert_eq!(only_error("a: [1, 2\n").at.line, 2);
    assert_eq!(only_error("a: 1\n---\nb: 2\n").message, "expected one yaml document, found a second one");
    assert_eq!(only_error("? [a]\n: 1\n").message, "expected a name as the key, found a mapping or a list");
    assert_eq!(only_error("a: !env X\n").message, "tag `!env` is not supported");
}

#[test]
fn aliases_are_copies() {
    let node = parse("a: &x {b: 1}\nc: *x\n").expect("the text is valid");
    assert_eq!(json(&node), serde_json::json!({"a": {"b": 1}, "c": {"b": 1}}));
    assert_eq!(only_error("a: &x [*x]\n").message, "an alias cannot stand inside the value it names");
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
    for level in 1..12 {
        let copies = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{copies}]").expect("a string takes everything");
    }
    assert_eq!(only_error(&text).message, "aliases repeat more than 8 MiB of values");
}

#[test]
fn depth_is_bounded_with_and_without_aliases() {
    let error = only_error(&format!("a: {}", "[".repeat(100)));
    assert_eq!(error.message, "values nest deeper than 64 levels");
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        writeln!(chain, "a{level}: &a{level} [*a{}]", level - 1).expect("a string takes everything");
    }
    assert_eq!(only_error(&chain).message, "values nest deeper than 64 levels");
}
