//! Bytes that are frozen: what this version writes, what an older one wrote, and what a later one
//! might write.
//!
//! `GOIM_BLESS=1 cargo test -p goim-proto --test golden` appends what is missing, and changes
//! nothing that is there.

mod support;

use bytes::Bytes;
use goim_proto::limits::DEPTH_MAX;
use goim_proto::{ClientFrame, Content, Decode, ServerFrame, decode};
use support::cases::{self, Case};
use support::file::{Golden, GoldenFile};
use support::tree::{Tree, strange};
use support::types::{self, Enum};
use support::value::Value;

/// Where the number of a case's variant stands: frames carry calls and replies.
fn variant_code(group: &str, tree: &Tree) -> u64 {
    match group {
        "Call" | "Reply" => code(&tree.items()[1].items()[1].items()[0]),
        "ClientFrame" | "ServerFrame" | "Content" => code(&tree.items()[0]),
        "Ephemeral" => code(&tree.items()[1].items()[0]),
        _ => code(tree),
    }
}

fn code(tree: &Tree) -> u64 {
    if let Tree::Uint(code) = tree { *code } else { panic!("not a code: {tree:?}") }
}

/// Arrays within arrays.
fn depth(tree: &Tree) -> usize {
    match tree {
        Tree::List(items) | Tree::Fields(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn golden(case: &Case) -> Golden {
    Golden { name: case.name.clone(), wire: case.value.wire(), json: case.value.json() }
}

#[test]
fn what_is_written_today_is_frozen_and_read_back() {
    let all = cases::all();
    let file = GoldenFile::read("today.txt");
    file.settle(&all.iter().map(golden).collect::<Vec<_>>());
    for case in &all {
        let Some(golden) = file.find(&case.name) else { continue };
        case.value.assert_decodes_from(&golden.wire, &case.name);
        case.value.assert_decodes_from_json(&golden.json, &case.name);
    }
}

#[test]
fn every_variant_has_a_case() {
    let all = cases::all();
    for Enum { name: group, codes, .. } in types::enums().into_iter().chain(types::codes()) {
        for (code, variant) in codes {
            let name = format!("{group}/{variant}");
            let case = all.iter().find(|case| case.name == name);
            let case = case.unwrap_or_else(|| panic!("cases.rs has no {name}"));
            assert_eq!(variant_code(group, &case.value.tree()), *code, "{name} is another variant");
        }
    }
}

/// Otherwise two of them could be swapped, and the bytes would not show it.
#[test]
fn for_every_variant_some_case_tells_any_two_fields_apart() {
    let all = cases::all();
    for Enum { name: group, codes, .. } in types::enums() {
        for (_, variant) in codes {
            let name = format!("{group}/{variant}");
            let of_variant = all.iter().filter(|case| {
                case.name.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            });
            let trees: Vec<_> = of_variant.map(|case| case.value.tree()).collect();
            assert!(tells_apart(&trees.iter().collect::<Vec<_>>()), "{name} has equal fields");
        }
    }
}

/// Whether any two fields differ in one of these trees of one type.
fn tells_apart(trees: &[&Tree]) -> bool {
    let (mut listed, mut structs): (Vec<&Tree>, Vec<&[Tree]>) = (Vec::new(), Vec::new());
    for tree in trees {
        match tree {
            Tree::List(items) => listed.extend(items),
            Tree::Fields(fields) => structs.push(fields),
            _ => {}
        }
    }
    let most = structs.iter().map(|fields| fields.len()).max().unwrap_or(0);
    let differ = |one, other| structs.iter().any(|fields| fields.get(one) != fields.get(other));
    let told = (0..most).all(|at| {
        let column: Vec<_> = structs.iter().filter_map(|fields| fields.get(at)).collect();
        (0..at).all(|before| differ(before, at)) && tells_apart(&column)
    });
    told && (listed.is_empty() || tells_apart(&listed))
}

/// One more field in every struct, one more element in every enum, of kinds unheard of; and one
/// more code in every enum.
#[test]
fn frames_of_a_later_version_are_read_as_far_as_they_are_known() {
    let mut all = cases::all();
    all.extend(cases::unknown());
    let later = |case: &Case| {
        // By the name, so that a new case leaves the others as they are.
        let mut more = strange(case.name.bytes().map(usize::from).sum());
        let wire = case.value.tree().grown(&mut more).wire();
        Golden { name: case.name.clone(), wire, json: case.value.json() }
    };
    let later: Vec<_> = all.iter().map(later).collect();
    let file = GoldenFile::read("later.txt");
    file.settle(&later);
    for case in &all {
        let Some(golden) = file.find(&case.name) else { continue };
        case.value.assert_decodes_from(&golden.wire, &case.name);
    }
}

/// The file is written by hand: whoever appends a field moves the lines without it here.
#[test]
fn frames_of_an_older_version_are_filled_up_with_defaults() {
    let file = GoldenFile::read("older.txt");
    assert!(file.cases.len() >= 20, "older.txt has lost its lines");
    for case in &file.cases {
        let group = case.name.split('/').next().unwrap_or_default();
        let json = match group {
            "Call" | "ClientFrame" => as_json::<ClientFrame>(case),
            "Reply" | "ServerFrame" => as_json::<ServerFrame>(case),
            "Content" => as_json::<Content>(case),
            other => panic!("older.txt has no {other}"),
        };
        assert_eq!(json, case.json, "{}", case.name);
    }
}

fn as_json<T: for<'de> Decode<'de> + Value>(case: &Golden) -> String {
    decode::<T>(&case.wire).unwrap_or_else(|error| panic!("{}: {error}", case.name)).json()
}

#[test]
fn an_empty_array_is_a_struct_of_defaults() {
    let all = types::structs();
    let golden = |one: &types::Struct| Golden {
        name: one.name.to_owned(),
        wire: one.absent.wire(),
        json: one.absent.json(),
    };
    GoldenFile::read("defaults.txt").settle(&all.iter().map(golden).collect::<Vec<_>>());
    for one in &all {
        one.absent.assert_decodes_from(&[0x90], one.name);
        assert_eq!(one.absent.tree().items().len(), one.fields.len(), "{}", one.name);
    }
}

#[test]
fn the_list_of_types_is_whole() {
    let (structs, enums, codes) = (types::structs(), types::enums(), types::codes());
    let mut known: Vec<_> = structs.iter().map(|one| one.name).collect();
    known.extend(enums.iter().chain(&codes).map(|one| one.name));
    known.extend(["bool", "u32", "u64", "String", "Bytes", "EncodedContent", "B", ""]);
    known.extend(["ConversationId", "UserId", "DeviceId", "Epoch", "Seq", "ClientMsgId"]);
    let of_fields = structs.iter().flat_map(|one| one.fields.iter().map(|(_, ty)| *ty));
    let of_payloads = enums.iter().flat_map(|one| one.payloads.iter().copied());
    for ty in of_fields.chain(of_payloads) {
        let inner = ty.trim_start_matches("Vec<").trim_start_matches("Option<").trim_start_matches("crate::");
        let name = inner.split(['<', '>']).next().unwrap_or_default();
        assert!(known.contains(&name), "types.rs lacks {name}, named in {ty}");
    }
}

#[test]
fn an_empty_array_is_an_unknown_variant() {
    ClientFrame::<Bytes>::Unknown(0).assert_decodes_from(&[0x90], "ClientFrame");
    ServerFrame::<Bytes>::Unknown(0).assert_decodes_from(&[0x90], "ServerFrame");
    Content::Unknown(0).assert_decodes_from(&[0x90], "Content");
}

#[test]
fn nothing_is_nested_deeper_than_the_limit_says() {
    let deepest = cases::all().iter().map(|case| depth(&case.value.tree())).max();
    assert_eq!(deepest, Some(8), "see the comment on DEPTH_MAX");
    let nested = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
    // A later version may put the rest of the levels into a new element of a frame.
    let frame = |levels: usize| [&[0x92, 0x63][..], &nested(levels - 1)].concat();
    assert!(decode::<ClientFrame>(&frame(DEPTH_MAX)).is_ok());
    assert!(decode::<ClientFrame>(&frame(DEPTH_MAX + 1)).is_err());
    assert!(decode::<ClientFrame>(&frame(100_000)).is_err());
}
