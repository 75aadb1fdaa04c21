//! Which part of a file is wanted: conditions and ranges (RFC 9110, 13 and 14).

use std::ops::Range;

use axum::http::{HeaderMap, header};

use super::answer::names;

/// What to answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing: the client has it.
    NotModified,
    Whole,
    /// From one byte to before another; never empty.
    Part(Range<u64>),
    /// There is no such part.
    Unsatisfiable,
}

/// What a request wants of a file that has this tag and so many bytes.
pub(super) fn wanted(headers: &HeaderMap, tag: &str, bytes: u64) -> Wanted {
    if headers.get_all(header::IF_NONE_MATCH).iter().any(|known| names(known, tag)) {
        return Wanted::NotModified;
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // Who has another one, or only a date, wants the whole of this one.
    let is_of_this = text(header::IF_RANGE).is_none_or(|known| known == tag);
    match text(header::RANGE).filter(|_| is_of_this) {
        Some(range) => part(range, bytes),
        None => Wanted::Whole,
    }
}

/// One range. Several, and what is none, count as none.
fn part(range: &str, bytes: u64) -> Wanted {
    let one = || {
        let (unit, range) = range.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        // (A number that is no number of ours is larger than all of them.)
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(u64::MAX))
        };
        Some(match (first, last) {
            ("", last) => bytes.saturating_sub(number(last)?)..bytes,
            (first, "") => number(first)?..bytes,
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                first..bytes.min(last.saturating_add(1))
            }
        })
    };
    match one() {
        None => Wanted::Whole,
        Some(range) if range.is_empty() => Wanted::Unsatisfiable,
        Some(range) => Wanted::Part(range),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    const TAG: &str = "\"abc\"";

    fn of(headers: &[(HeaderName, &str)]) -> Wanted {
        let all = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        wanted(&all, TAG, 10)
    }

    #[test]
    fn a_range_is_the_part_that_is_there() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("Bytes = 2-5", Wanted::Part(2..6)),
            ("bytes=9-", Wanted::Part(9..10)),
            ("bytes=5-99999999999999999999", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-12", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999-", Wanted::Unsatisfiable),
            // None, or several, or in another unit.
            ("bytes=5-2", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("0-1", Wanted::Whole),
        ] {
            assert_eq!(of(&[(header::RANGE, range)]), expected, "{range}");
        }
    }

    #[test]
    fn conditions_come_first() {
        let range = (header::RANGE, "bytes=2-5");
        assert_eq!(of(&[]), Wanted::Whole);
        for known in [TAG, "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(of(&[(header::IF_NONE_MATCH, known), range.clone()]), Wanted::NotModified, "{known}");
        }
        assert_eq!(of(&[(header::IF_NONE_MATCH, "\"x\""), range.clone()]), Wanted::Part(2..6));
        assert_eq!(of(&[(header::IF_RANGE, TAG), range.clone()]), Wanted::Part(2..6));
        // A weak tag says only that the two look alike.
        for known in ["\"x\"", "W/\"abc\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(of(&[(header::IF_RANGE, known), range.clone()]), Wanted::Whole, "{known}");
        }
    }
}
