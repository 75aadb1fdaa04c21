//! Words of texts and of queries, cut once for all stores, so that all of them find the same.
//!
//! A text is folded (NFKC, and one form for large and small letters) and cut at the boundaries of
//! words (UAX #29) and at what punctuation is left within them. Scripts that put no spaces between
//! words, and Korean, which puts its particles behind them, are cut into overlapping pairs of
//! characters; the last character of a run stands alone too, so that each begins a word.

use core::ops::RangeInclusive;
use std::collections::BTreeSet;

use goim_proto::limits::{QUERY_WORDS_MAX, TEXT_BYTES_MAX};
use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Bytes of a word that count: the longest in dictionaries have fewer, and what is longer is a key
/// or a link, told from most others by its beginning.
const WORD_BYTES_MAX: usize = 64;

/// Different words of one text that can be found. The longest text has about as many in English; each
/// costs the index an insertion.
const WORDS_MAX: usize = 2_048;

/// Scripts without spaces between words, and Korean's.
const PAIRED: &[RangeInclusive<char>] = &[
    '\u{e01}'..='\u{e4e}',     // Thai
    '\u{e81}'..='\u{ecd}',     // Lao
    '\u{1000}'..='\u{103f}',   // Myanmar
    '\u{1100}'..='\u{11ff}',   // Hangul that does not compose to syllables
    '\u{1780}'..='\u{17d3}',   // Khmer
    '\u{3005}'..='\u{3007}',   // Han marks of repetition
    '\u{3041}'..='\u{309f}',   // Hiragana
    '\u{30a1}'..='\u{30fa}',   // Katakana, without the dot between words
    '\u{30fc}'..='\u{31ff}',   // Katakana's long vowel, Bopomofo, and more of both
    '\u{3400}'..='\u{4dbf}',   // Han
    '\u{4e00}'..='\u{9fff}',   // Han
    '\u{ac00}'..='\u{d7a3}',   // Hangul
    '\u{f900}'..='\u{faff}',   // Han that does not compose to the above
    '\u{20000}'..='\u{323af}', // Han
];

/// A word to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    /// Without blanks, quotes, slashes and whatever else is no letter, mark or digit.
    pub(super) word: String,
    /// Whether it may go on.
    pub(super) prefix: bool,
}

/// What is looked for: messages that have all of some words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(Vec<Term>);

/// Why a text is no query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is nothing to look for.
    #[error("the query has no word; give at least one letter or digit")]
    NoWord,
    /// There is too much.
    #[error("the query has too many words; give at most {QUERY_WORDS_MAX}")]
    TooManyWords,
}

impl Query {
    /// Reads what a person typed. His last word may not be whole yet.
    ///
    /// # Errors
    ///
    /// [`QueryError`] if it has no words, or too many.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let text = folded(text);
        let mut terms: Vec<Term> = Vec::new();
        let mut add = |word: &str, prefix| {
            if !terms.iter().any(|term| term.word == word && term.prefix == prefix) {
                terms.push(Term { word: word.to_owned(), prefix });
            }
        };
        let mut pieces = pieces(&text).peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Word(word) => add(word, pieces.peek().is_none()),
                Piece::Run(run) => {
                    let pairs = pairs(run);
                    // A single character begins every pair that it is in, or is the last of its run.
                    let alone = pairs.len() == 1;
                    pairs.iter().take(pairs.len().max(2) - 1).for_each(|pair| add(pair, alone));
                }
            }
        }
        match terms.len() {
            0 => Err(QueryError::NoWord),
            1..=QUERY_WORDS_MAX => Ok(Self(terms)),
            _ => Err(QueryError::TooManyWords),
        }
    }

    /// The words that a message has to have.
    pub(super) fn terms(&self) -> &[Term] {
        &self.0
    }
}

/// The words of a text under which it is found: each once, in order.
pub(super) fn words_of(text: &str) -> BTreeSet<String> {
    let text = folded(text);
    let words = pieces(&text).flat_map(|piece| match piece {
        Piece::Word(word) => vec![word.to_owned()],
        Piece::Run(run) => pairs(run).into_iter().map(str::to_owned).collect(),
    });
    let mut found = BTreeSet::new();
    for word in words {
        found.insert(word);
        if found.len() == WORDS_MAX {
            break;
        }
    }
    found
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Word(&'a str),
    /// Characters of paired scripts.
    Run(&'a str),
}

/// One form for what counts as the same. There and back, small letters that share a large one become
/// the same. What is not seen counts for nothing; and a character may become 18.
fn folded(text: &str) -> String {
    let composed = text.nfkc().take(TEXT_BYTES_MAX);
    let folded = composed.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc();
    folded.filter(|c| !is_unseen(*c)).collect()
}

/// What is written into words to say how they are set: soft hyphens, joiners, variants.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

fn is_paired(c: char) -> bool {
    // Most texts have none of these.
    c >= '\u{e01}' && PAIRED.iter().any(|range| range.contains(&c))
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    let parts = core::iter::from_fn(move || {
        let paired = is_paired(rest.chars().next()?);
        let end = rest.find(|c| is_paired(c) != paired).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        rest = behind;
        Some((paired, part))
    });
    parts.flat_map(|(paired, part)| {
        let words = (!paired).then(|| part.unicode_words().flat_map(split).map(shortened).map(Piece::Word));
        words.into_iter().flatten().chain(paired.then_some(Piece::Run(part)))
    })
}

/// Cuts a word at what UAX #29 leaves within it: the dots of file names and links, and blanks that marks
/// were put on.
fn split(word: &str) -> impl Iterator<Item = &str> {
    let between = |c: char| {
        (c.is_ascii() && !c.is_ascii_alphanumeric())
            || c.is_whitespace()
            || matches!(c, '·' | '‘' | '’' | '․' | '‧' | '‿' | '⁀')
    };
    word.split(between).filter(|part| part.contains(char::is_alphanumeric))
}

fn shortened(word: &str) -> &str {
    &word[..word.floor_char_boundary(WORD_BYTES_MAX)]
}

/// Each two characters that stand beside each other, and the last one.
fn pairs(run: &str) -> Vec<&str> {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).collect();
    let end = |behind: usize| starts.get(behind).copied().unwrap_or(run.len());
    starts.iter().enumerate().map(|(n, at)| &run[*at..end(n + 2)]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        words_of(text).into_iter().collect()
    }

    fn terms(text: &str) -> Vec<(String, bool)> {
        Query::parse(text).unwrap().0.into_iter().map(|term| (term.word, term.prefix)).collect()
    }

    /// What a store does: every word is there, or one that it begins.
    fn finds(query: &str, text: &str) -> bool {
        let words = words_of(text);
        let found = |term: &Term| match term.prefix {
            true => words.iter().any(|word| word.starts_with(&term.word)),
            false => words.contains(&term.word),
        };
        Query::parse(query).unwrap().terms().iter().all(found)
    }

    #[test]
    fn words_are_folded_and_cut_at_punctuation() {
        assert_eq!(words("Tea, TEA & tea!"), ["tea"]);
        assert_eq!(words("menu_v2.PDF can't"), ["can", "menu", "pdf", "t", "v2"]);
        assert_eq!(
            words("ﬁne Ｗｉｄｅ co\u{ad}op"),
            ["coop", "fine", "wide"],
            "one form for what looks the same"
        );
        assert_eq!(words("ΟΔΟΣ οδος Straße STRASSE"), ["strasse", "οδοσ"]);
        assert_eq!(words("हिन्दी में"), ["में", "हिन्दी"], "marks belong to their letters");
        assert_eq!(words("🍵 … -- ' "), [""; 0]);
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_pairs() {
        assert_eq!(words("喝绿茶"), ["喝绿", "绿茶", "茶"]);
        assert_eq!(
            words("東京タワー"),
            ["ワー", "京タ", "東京", "タワ", "ー"]
                .map(String::from)
                .iter()
                .cloned()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );
        assert_eq!(words("안녕하세요"), ["녕하", "세요", "안녕", "요", "하세"]);
        assert_eq!(words("iPhone手机"), ["iphone", "手机", "机"]);
    }

    #[test]
    fn every_part_of_a_run_finds_it_and_what_is_not_in_it_does_not() {
        for run in ["喝绿茶", "東京タワー", "안녕하세요", "กาแฟ"] {
            let chars: Vec<char> = run.chars().collect();
            for from in 0..chars.len() {
                for until in from + 1..=chars.len() {
                    let part: String = chars[from..until].iter().collect();
                    assert!(finds(&part, &format!("so {run}, yes")), "{part} in {run}");
                }
            }
        }
        assert!(!finds("茶绿", "喝绿茶") && !finds("红", "喝绿茶"));
    }

    #[test]
    fn the_last_word_of_a_query_may_go_on() {
        assert_eq!(terms("Green TE"), [("green".into(), false), ("te".into(), true)]);
        assert_eq!(
            terms("tea 茶 绿茶"),
            [("tea".into(), false), ("茶".into(), true), ("绿茶".into(), false)]
        );
        assert_eq!(terms("tea tea tea"), [("tea".into(), false), ("tea".into(), true)]);
        assert!(finds("green te", "Green tea?") && !finds("gree tea", "Green tea?"));
    }

    #[test]
    fn a_query_has_some_words_and_not_too_many() {
        assert_eq!(Query::parse(" ?! 🍵"), Err(QueryError::NoWord));
        let many = |n: usize| (0..n).map(|n| format!("w{n} ")).collect::<String>();
        assert!(Query::parse(&many(QUERY_WORDS_MAX)).is_ok());
        assert_eq!(Query::parse(&many(QUERY_WORDS_MAX + 1)), Err(QueryError::TooManyWords));
    }

    #[test]
    fn words_are_bounded() {
        let long = "x".repeat(100);
        assert_eq!(words(&long), ["x".repeat(WORD_BYTES_MAX)]);
        assert!(finds(&long, &long));
        let many: String = (0..5_000).map(|n| format!("w{n} ")).collect();
        assert_eq!(words(&many).len(), WORDS_MAX);
        assert!(words(&"\u{fdfa}".repeat(TEXT_BYTES_MAX / 3)).len() <= WORDS_MAX);
    }

    proptest! {
        #[test]
        fn words_have_nothing_that_a_store_could_misread(text in any::<String>()) {
            for word in words_of(&text) {
                prop_assert!(!word.is_empty() && word.len() <= WORD_BYTES_MAX);
                prop_assert!(!word.contains(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()), "{word:?}");
                prop_assert!(!word.contains(char::is_whitespace), "{word:?}");
            }
        }

        #[test]
        fn a_text_is_found_by_itself(text in any::<String>()) {
            prop_assume!(Query::parse(&text).is_ok());
            prop_assert!(finds(&text, &text));
        }

        #[test]
        fn a_text_is_found_by_each_of_its_parts(text in "[a-cA-C1äöüß茶绿東タ한글हिน '.,!-]{0,40}") {
            for part in text.split(' ').filter(|part| Query::parse(part).is_ok()) {
                prop_assert!(finds(part, &text), "{part:?}");
            }
        }
    }
}
