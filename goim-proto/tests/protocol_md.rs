//! `docs/PROTOCOL.md` says what the code says: every code, field and limit, and the example's bytes.

mod support;

use goim_proto::{ErrorCode, Reply, limits};
use support::file::{GoldenFile, from_hex, to_hex};
use support::types;

const DOCUMENT: &str = include_str!("../../docs/PROTOCOL.md");

/// A table: the cells of its head, and of each row.
struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<&'static str>>,
}

fn tables() -> Vec<Table> {
    let cells = |line: &'static str| -> Vec<_> { line.trim_matches('|').split('|').map(str::trim).collect() };
    let mut tables: Vec<Table> = Vec::new();
    let mut inside = false;
    for line in DOCUMENT.lines() {
        let is_row = line.starts_with('|');
        match tables.last_mut().filter(|_| inside) {
            Some(_) if !is_row || line.starts_with("|---") => {}
            Some(table) => table.rows.push(cells(line)),
            None if is_row => tables.push(Table { head: cells(line), rows: Vec::new() }),
            None => {}
        }
        inside = is_row;
    }
    tables
}

/// The one table whose head has this in this column.
fn table(column: usize, head: &str) -> Table {
    let mut found = tables().into_iter().filter(|table| table.head.get(column) == Some(&head));
    let table = found.next().unwrap_or_else(|| panic!("PROTOCOL.md has no table for {head}"));
    assert!(found.next().is_none(), "PROTOCOL.md has two tables for {head}");
    table
}

/// A type as the document names it.
fn documented(ty: &str) -> String {
    let inner = |prefix: &str| ty.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
    if let Some(item) = inner("Vec<") {
        return format!("[{}]", documented(item));
    }
    if let Some(value) = inner("Option<") {
        return format!("{}?", documented(value));
    }
    let name = ty.trim_start_matches("crate::").trim_end_matches("<B>");
    let plain = [
        ("u32", "uint32"),
        ("u64", "uint"),
        ("String", "string"),
        ("Bytes", "bytes"),
        ("EncodedContent", "bytes"),
        ("B", "bytes"),
    ];
    let renamed = plain.iter().chain(&[("ClientMsgId", "uuid")]).find(|(rust, _)| *rust == name);
    renamed.map_or(name, |(_, here)| here).to_owned()
}

#[test]
fn every_code_is_documented_as_it_is() {
    for one in types::enums().into_iter().chain(types::codes()) {
        let table = table(1, &format!("`{}`", one.name));
        let rows: Vec<_> = table.rows.iter().map(|row| (row[0].parse().unwrap(), row[1])).collect();
        assert_eq!(rows, one.codes, "{}", one.name);
        for (row, payload) in table.rows.iter().zip(one.payloads) {
            assert_eq!(row[2], documented(payload), "{} {}", one.name, row[1]);
        }
    }
}

#[test]
fn every_field_is_documented_as_it_is() {
    for one in types::structs() {
        let table = table(0, &format!("`{}`", one.name));
        let rows: Vec<_> = table.rows.iter().map(|row| (row[0], row[1].to_owned())).collect();
        let fields: Vec<_> = one.fields.iter().map(|(name, ty)| (*name, documented(ty))).collect();
        assert_eq!(rows, fields, "{}", one.name);
    }
}

#[test]
fn calls_name_replies_and_errors_that_exist() {
    for row in table(1, "`Call`").rows {
        let [_, call, _, reply, errors] = row[..] else { panic!("{row:?}") };
        assert!(Reply::<bytes::Bytes>::CODES.iter().any(|(_, name)| *name == reply), "{call}: {reply}");
        for error in errors.split(", ").filter(|error| !error.is_empty() && *error != "ids") {
            assert!(ErrorCode::CODES.iter().any(|(_, name)| *name == error), "{call}: {error}");
        }
    }
}

#[test]
fn errors_are_final_where_the_code_says_so() {
    for row in table(1, "`ErrorCode`").rows {
        let may_pass = ErrorCode::from_code(row[0].parse().unwrap()).is_retryable();
        assert_eq!(row[2], if may_pass { "may pass" } else { "final" }, "{}", row[1]);
    }
}

#[test]
fn every_limit_is_documented_as_it_is() {
    macro_rules! list {
        ($($name:ident)*) => { vec![$( (stringify!($name), u64::try_from(limits::$name).unwrap()) ),*] };
    }
    let known = list![
        FRAME_BYTES_MAX TEXT_BYTES_MAX BODY_BYTES_MAX MENTIONS_MAX EMOJI_BYTES_MAX REACTIONS_MAX EDITS_MAX DELETIONS_MAX UPLOAD_KEY_BYTES_MAX FILE_NAME_BYTES_MAX
        MEDIA_TYPE_BYTES_MAX PULL_LIMIT_MAX POSITIONS_MAX SYNC_LIMIT_MAX USERS_MAX
        NAME_BYTES_MAX AVATAR_BYTES_MAX BIO_BYTES_MAX ANNOUNCEMENT_BYTES_MAX GREETING_BYTES_MAX PAGE_LIMIT_MAX
        EXTERNAL_TOKEN_BYTES_MAX QUERY_BYTES_MAX QUERY_WORDS_MAX SEQUENCE_NAME_BYTES_MAX ALLOCATE_COUNT_MAX
        DEPTH_MAX ITEMS_MAX DATAGRAM_BYTES_MIN
    ];
    let source = include_str!("../src/limits.rs").lines();
    let declared = source.filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    assert_eq!(declared.collect::<Vec<_>>(), known.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let rows = table(0, "name").rows;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row[0].trim_matches('`'), row[1].replace(',', "").parse::<u64>().unwrap()))
        .collect();
    assert_eq!(rows, known);
}

/// A block names its golden case and shows its bytes, behind the length if it is a frame.
#[test]
fn the_examples_bytes_are_golden() {
    let file = GoldenFile::read("today.txt");
    let mut blocks = 0;
    for block in DOCUMENT.split("```hex\n").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        let shown = from_hex(rest.split_once("```").unwrap().0);
        let wire = &file.find(name).unwrap_or_else(|| panic!("no golden case {name}")).wire;
        let length = u32::try_from(wire.len()).unwrap().to_be_bytes();
        let prefix: &[u8] = if name.starts_with("Content/") { &[] } else { &length };
        assert_eq!(to_hex(&shown), to_hex(&[prefix, wire].concat()), "{name}");
        blocks += 1;
    }
    assert!(blocks >= 10, "the worked example is gone");
}

#[test]
fn links_lead_to_headings() {
    let slug = |heading: &str| -> String {
        let lower = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        lower.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
    };
    let slugs: Vec<_> = DOCUMENT.lines().filter(|line| line.starts_with('#')).map(slug).collect();
    for link in DOCUMENT.split("](#").skip(1) {
        let target = link.split(')').next().unwrap();
        assert!(slugs.iter().any(|slug| slug == target), "no heading for #{target}");
    }
}
