//! The member scanner sees in an object what a parser sees, and edits leave the rest alone.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lockgate_filters::json::{Members, Splice, apply};
use serde_json::{Map, Value};

fuzz_target!(|input: &[u8]| {
    let members: Result<Vec<_>, _> = Members::new(input).collect();
    let Ok(mut parsed) = serde_json::from_slice::<Map<String, Value>>(input) else { return };
    let members = members.expect("what a parser takes, the scanner takes");
    let mut seen = Map::new();
    for member in &members {
        let name = &input[member.name.start - 1..=member.name.end];
        let name: String = serde_json::from_slice(name).expect("a name is a string");
        let value = serde_json::from_slice(&input[member.value.clone()]).expect("a value is JSON");
        seen.insert(name, value);
    }
    assert_eq!(seen, parsed);
    // The last member of a name is the one that counts.
    let Some(last) = members.last() else { return };
    let edit = Splice { at: last.value.clone(), with: Bytes::from_static(b"[7]") };
    let edited = apply(&Bytes::copy_from_slice(input), &mut [edit]);
    let name: String = serde_json::from_slice(&input[last.name.start - 1..=last.name.end]).expect("a string");
    parsed.insert(name, serde_json::json!([7]));
    assert_eq!(serde_json::from_slice::<Map<String, Value>>(&edited).expect("still an object"), parsed);
});
