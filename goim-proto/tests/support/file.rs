//! Golden files: a name, the bytes in hex, one word for each MessagePack item, and the same value
//! in JSON for whoever reads along.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// One case of a golden file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Golden {
    pub(crate) name: String,
    pub(crate) wire: Vec<u8>,
    pub(crate) json: String,
}

/// A golden file as it stands.
pub(crate) struct GoldenFile {
    path: PathBuf,
    text: String,
    pub(crate) cases: Vec<Golden>,
}

impl GoldenFile {
    /// Reads `tests/golden/NAME`.
    pub(crate) fn read(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let cases = parse(&text);
        Self { path, text, cases }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Golden> {
        self.cases.iter().find(|case| case.name == name)
    }

    /// Compares the file with what it should hold. With `GOIM_BLESS=1` what is missing is appended;
    /// what is there is never changed: a value that is written differently now is a break, or, if
    /// the file is wrong, a line to delete by hand.
    pub(crate) fn settle(&self, expected: &[Golden]) {
        let mut missing = String::new();
        for case in expected {
            match self.find(&case.name) {
                Some(found) => assert_eq!(
                    (to_hex(&found.wire), &found.json),
                    (to_hex(&case.wire), &case.json),
                    "{} is no longer written as {} has it. Deployed peers write and read the old form: \
                     keep it. If a field was appended, move the old lines to older.txt.",
                    case.name,
                    self.path.display(),
                ),
                None => missing += &format!("\n{}\n  {}\n  {}\n", case.name, words(&case.wire), case.json),
            }
        }
        if !missing.is_empty() {
            let bless = std::env::var("GOIM_BLESS").is_ok_and(|bless| bless == "1");
            assert!(bless, "{} lacks, until GOIM_BLESS=1 adds them:\n{missing}", self.path.display());
            fs::write(&self.path, format!("{}{missing}", self.text)).unwrap();
        }
        for found in &self.cases {
            let known = expected.iter().any(|case| case.name == found.name);
            assert!(known, "{} is in {} and in no test", found.name, self.path.display());
        }
    }
}

fn parse(text: &str) -> Vec<Golden> {
    let mut cases = Vec::new();
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    while let Some(name) = lines.next() {
        assert!(!name.starts_with(' '), "a name was expected: {name}");
        let wire = from_hex(lines.next().unwrap_or_default());
        let json = lines.next().unwrap_or_default().trim().to_owned();
        cases.push(Golden { name: name.to_owned(), wire, json });
    }
    cases
}

/// Bytes of hexadecimal digits, wherever the spaces are.
pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap_or_else(|| panic!("no hex: {text}")))
        .collect();
    assert!(digits.len().is_multiple_of(2), "half a byte: {text}");
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Hex with a space between MessagePack items.
fn words(wire: &[u8]) -> String {
    let mut words = Vec::new();
    let mut rest = wire;
    while !rest.is_empty() {
        let (item, after) = rest.split_at(item_len(rest));
        words.push(to_hex(item));
        rest = after;
    }
    words.join(" ")
}

/// The length of the first item: its head, and what is not items of its own.
fn item_len(wire: &[u8]) -> usize {
    let number = |bytes: usize| wire[1..=bytes].iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    match wire[0] {
        head @ 0xa0..=0xbf => 1 + usize::from(head & 0x1f),
        0xc4 | 0xd9 => 2 + number(1),
        0xc5 | 0xda => 3 + number(2),
        0xc6 | 0xdb => 5 + number(4),
        0xcc | 0xd0 => 2,
        0xcd | 0xd1 | 0xdc | 0xde | 0xd4 => 3,
        0xca | 0xce | 0xd2 | 0xdd | 0xdf => 5,
        0xcb | 0xcf | 0xd3 => 9,
        0x00..=0x9f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => 1,
        head => panic!("the golden files have no item with the head {head:#x} yet"),
    }
}
