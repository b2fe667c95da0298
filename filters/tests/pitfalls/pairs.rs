//! What must still meet: a call and its result, a tool and its name.

use std::collections::BTreeSet;

use lockgate_filters::{
    dialects::Upstream,
    model::{
        CallKind, Event, Field, Media, MediaClass, MediaSource, Part, PartContent, PartKind, PartStart, Request, Role,
        Str, Tool, ToolCall, ToolResult, Turn,
    },
    stream::Restorer,
};

use crate::support::{
    asking, begin, call, calling, calls, conversing, encode, encode_for, model_of, read_request, result, sent, tool,
    turn, user,
};

const ODD_ID: &str = "call|with:odd.characters/and more than sixty-four of them, which is too long for most";

#[test]
fn pitfall_20_an_id_has_one_alias_in_call_and_result() {
    for dialect in conversing().into_iter().filter(|dialect| dialect.name() != "ollama") {
        let name = dialect.name();
        let turns = || {
            vec![
                user("go"),
                turn(Role::Assistant, vec![call(ODD_ID, "{}"), call("other", "{}")]),
                turn(Role::User, vec![result("other", "2"), result(ODD_ID, "1")]),
            ]
        };
        let request = Request { tools: vec![tool("f")], ..asking(turns()) };
        let ids = |turns: Vec<Turn>| -> (Vec<Str>, Vec<Str>) {
            let parts: Vec<Part> = turns.into_iter().flat_map(|turn| turn.parts).collect();
            let made = parts.iter().filter_map(|part| match &part.content {
                PartContent::ToolCall(call) => Some(call.id.clone()),
                _ => None,
            });
            let answered = parts.iter().filter_map(|part| match &part.content {
                PartContent::ToolResult(result) => Some(result.call.clone()),
                _ => None,
            });
            (made.collect(), answered.collect())
        };
        let (made, answered) = ids(sent(dialect, &request));
        assert_eq!(made, answered, "{name}: call and result must meet");
        assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), 2, "{name}: and not another's");
        assert_eq!(ids(sent(dialect, &request)).0, made, "{name}: nor may the alias change from turn to turn");
        let (longest, allowed): (usize, &[u8]) = match name {
            "anthropic" => (256, b"_-"),
            "openai_chat" | "openai_responses" | "bedrock_converse" => (64, b"_-"),
            _ => (4096, b"|:./,-_ "),
        };
        let fits = |id: &Str| {
            id.len() <= longest && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || allowed.contains(&byte))
        };
        assert!(made.iter().all(fits), "{name}: {made:?}");
    }
}

#[test]
fn pitfall_21_long_names_stay_apart_and_come_back() {
    let long = "mcp_server_with_a_long_name__and_a_tool_whose_name_is_long_enough_to_be_cut_somewhere_in_the_middle_of_it_all_and_more_";
    let names = [format!("{long}a"), format!("{long}b"), "ns.tool/x".to_owned()];
    for dialect in conversing() {
        let wire = dialect.name();
        let longest = match wire {
            "anthropic" | "gemini" => 128,
            // No limit is known.
            "ollama" => 4096,
            _ => 64,
        };
        let tools = names.iter().map(|name| tool(name)).collect();
        let request = Request { tools, ..asking(vec![user("go")]) };
        let encoded = encode(dialect, &request).expect("names are fitted");
        let offered: Vec<String> = read_request(dialect, &encoded).tools.iter().map(name_of).collect();
        assert_eq!(
            offered.iter().collect::<BTreeSet<_>>().len(),
            3,
            "{wire}: two tools must not become one: {offered:?}"
        );
        assert!(offered.iter().all(|name| name.len() <= longest), "{wire}: {offered:?}");
        // The model calls them by the names that it was given; the client reads its own.
        let mut restorer = Restorer::new(&request, &encoded);
        for (own, given) in names.iter().zip(&offered) {
            let (id, name) = (Str::from_static("c"), Str::from(given.as_str()));
            let called = ToolCall { id, name, kind: CallKind::Function, args: Str::new() };
            let mut event = begin(0, PartKind::ToolCall(called.clone()));
            restorer.event(&mut event);
            let Event::PartStart(start) = event else { panic!("it stays a start") };
            let PartStart { kind: PartKind::ToolCall(begun), .. } = *start else { panic!("it stays a call") };
            assert_eq!(&*begun.name, own, "{wire}, streamed");
            let mut response = calling("{}");
            response.candidates[0].parts = vec![Part::new(PartContent::ToolCall(called))];
            restorer.response(&mut response);
            assert_eq!(&*calls(&response)[0].name, own, "{wire}, whole");
        }
    }
}

fn name_of(tool: &Tool) -> String {
    match tool {
        Tool::Function { name, .. } => name.to_string(),
        other => panic!("{other:?} was not offered"),
    }
}

/// The parts behind the calls: what each is, with the call that it answers.
fn behind_calls(dialect: &dyn Upstream, request: &Request) -> Vec<(&'static str, Option<Str>, bool)> {
    let turns = sent(dialect, request);
    let at = turns.iter().position(|turn| turn.role == Role::Assistant).expect("the calls are there");
    let parts = turns.into_iter().skip(at + 1).flat_map(|turn| turn.parts);
    let kinds = parts.map(|part| match part.content {
        PartContent::ToolResult(result) => {
            let words: String = result.parts.iter().filter_map(Part::as_text).map(|text| &**text).collect();
            let json = result.json.map(|json| json.as_str().to_owned()).unwrap_or_default();
            let failed = result.is_error || (words + &json).to_lowercase().contains("error");
            ("result", Some(result.call), failed)
        }
        PartContent::Media(_) => ("media", None, false),
        _ => ("text", None, false),
    });
    kinds.collect()
}

#[test]
fn pitfall_22_and_24_each_call_has_one_result_and_what_is_missing_is_an_error() {
    for dialect in conversing() {
        let name = dialect.name();
        let turns = vec![
            user("go"),
            turn(Role::Assistant, vec![call("call_a", "{}"), call("call_b", "{}"), call("call_c", "{}")]),
            turn(Role::User, vec![Part::text("and?"), result("call_c", "three"), result("call_a", "one")]),
        ];
        let request = Request { tools: vec![tool("f")], ..asking(turns) };
        let encoded = encode(dialect, &request).expect("it is repaired");
        assert!(encoded.losses.iter().any(|loss| loss.field == Field::ToolResult), "{name}: the repair is told");
        let behind = behind_calls(dialect, &request);
        let kinds: Vec<&str> = behind.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, ["result", "result", "result", "text"], "{name}");
        let failed: Vec<bool> = behind.iter().map(|(_, _, failed)| *failed).collect();
        assert_eq!(failed, [false, true, false, false], "{name}: the one in the middle was never given");
        let answered: BTreeSet<_> = behind.iter().filter_map(|(_, call, _)| call.clone()).collect();
        assert_eq!(answered.len(), 3, "{name}: each answers another call");
    }
}

#[test]
fn pitfall_23_nothing_stands_between_the_results_of_a_turn() {
    let image = || {
        let source = MediaSource::Base64(Str::from_static("iVBORw0KGgo="));
        Part::new(PartContent::Media(Media::new(MediaClass::Image, Some(Str::from_static("image/png")), source)))
    };
    let (id, name) = (Str::from_static("call_a"), Some(Str::from_static("f")));
    let parts = vec![Part::text("one"), image()];
    let seen = Part::new(PartContent::ToolResult(ToolResult { call: id, name, parts, json: None, is_error: false }));
    for dialect in conversing() {
        let turns = vec![
            user("go"),
            turn(Role::Assistant, vec![call("call_a", "{}"), call("call_b", "{}")]),
            turn(Role::User, vec![seen.clone(), image(), Part::text("look"), result("call_b", "two")]),
        ];
        let model = if dialect.name() == "cohere" { "command-a-vision-07-2025" } else { model_of(dialect) };
        let request = Request { tools: vec![tool("f")], ..asking(turns) };
        let encoded = encode_for(dialect, model, &request);
        let encoded = encoded.unwrap_or_else(|error| panic!("{} refuses: {error}", dialect.name()));
        let turns = read_request(dialect, &encoded).turns;
        let parts: Vec<Part> = turns.into_iter().skip(2).flat_map(|turn| turn.parts).collect();
        let results = parts.iter().take_while(|part| matches!(part.content, PartContent::ToolResult(_))).count();
        assert_eq!(results, 2, "{}: {parts:?}", dialect.name());
        let inside = parts.iter().filter_map(|part| match &part.content {
            PartContent::ToolResult(result) => Some(&result.parts),
            _ => None,
        });
        let images =
            inside.flatten().chain(&parts).filter(|part| matches!(part.content, PartContent::Media(_))).count();
        assert_eq!(images, 2, "{}: no image is lost: {parts:?}", dialect.name());
    }
}
