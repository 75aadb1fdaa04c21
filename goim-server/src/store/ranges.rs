//! What a reader may see.

use goim_core::Seq;

use super::types::{Page, Range, StoredEntry};

/// The parts of a log with this head that a reader with these ranges may see behind `after`: pairs
/// of "behind this" and "up to this".
pub(super) fn windows(
    ranges: &[Range],
    head: Seq,
    after: Seq,
) -> impl DoubleEndedIterator<Item = (Seq, Seq)> {
    let parts = ranges.iter().map(move |range| (range.from.prev().max(after), range.until.unwrap_or(head)));
    parts.filter(|(behind, until)| behind < until)
}

/// The first of these windows, clipped to so many seqs: as a log is dense, these are as many entries.
pub(super) fn first_of(ranges: &[Range], head: Seq, after: Seq, entries: u64) -> Vec<(Seq, Seq)> {
    let mut left = entries;
    let clipped = windows(ranges, head, after).map_while(|(behind, until)| {
        let until = until.min(behind.plus(left));
        left -= until.distance_from(behind);
        (behind < until).then_some((behind, until))
    });
    clipped.collect()
}

/// The last windows before a seq, the newest first, clipped to so many seqs.
pub(super) fn last_of(ranges: &[Range], head: Seq, before: Seq, entries: u64) -> Vec<(Seq, Seq)> {
    let mut left = entries;
    let older = windows(ranges, head, Seq::ZERO).rev();
    let older = older.map(|(behind, until)| (behind, until.min(before.prev())));
    let clipped = older.filter(|(behind, until)| behind < until).map_while(|(behind, until)| {
        let size = until.distance_from(behind).min(left);
        left -= size;
        (size > 0).then(|| (Seq::new(until.as_u64() - size), until))
    });
    clipped.collect()
}

/// Ranges in the order of their ends, each of which may begin within or before others, or right
/// behind one: the same seqs as ranges between which something is missing.
pub(super) fn merged(ranges: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut apart: Vec<Range> = Vec::new();
    for mut range in ranges {
        while let Some(last) = apart.pop_if(|last| last.until.is_none_or(|until| until.next() >= range.from))
        {
            range.from = range.from.min(last.from);
        }
        apart.push(range);
    }
    apart
}

/// The highest seq that a reader with these ranges may see of a log with this head.
pub(super) fn readable_head(ranges: &[Range], head: Seq) -> Seq {
    ranges.last().map_or(Seq::ZERO, |range| range.until.unwrap_or(head))
}

/// Makes a page of the entries that were read behind `after`; `end` is where reading ended, if a
/// reader may see more than these up to the head, which was read before them.
pub(super) fn page(
    ranges: &[Range],
    head: Seq,
    after: Seq,
    entries: Vec<StoredEntry>,
    end: Option<Seq>,
) -> Page {
    let last = entries.last().map_or(Seq::ZERO, |entry| entry.seq);
    // Somebody who went and came back since the head was read may have got an entry beyond it.
    let head = readable_head(ranges, head).max(last);
    Page { through: end.unwrap_or(head.max(after)), head, entries }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use goim_core::{ClientMsgId, UserId};

    use super::*;

    fn range(from: u64, until: Option<u64>) -> Range {
        Range { from: Seq::new(from), until: until.map(Seq::new) }
    }

    fn rows(seqs: core::ops::RangeInclusive<u64>) -> Vec<StoredEntry> {
        seqs.map(|seq| StoredEntry {
            seq: Seq::new(seq),
            sender: UserId::new(1),
            client_msg_id: ClientMsgId::mint(0, &[0; 10]),
            at_ms: 0,
            count: seq,
            body: Bytes::new(),
        })
        .collect()
    }

    fn windows_of(ranges: &[Range], after: u64) -> Vec<(u64, u64)> {
        windows(ranges, Seq::new(9), Seq::new(after)).map(|(a, b)| (a.as_u64(), b.as_u64())).collect()
    }

    #[test]
    fn windows_end_at_the_entry_that_put_the_reader_out() {
        assert_eq!(windows_of(&[range(2, Some(4))], 0), [(1, 4)]);
        assert_eq!(windows_of(&[range(2, Some(4))], 3), [(3, 4)]);
        assert_eq!(windows_of(&[range(2, Some(4))], 4), []);
    }

    #[test]
    fn windows_leave_out_what_lies_between_two_ranges() {
        assert_eq!(windows_of(&[range(1, Some(2)), range(6, None)], 1), [(1, 2), (5, 9)]);
        assert_eq!(windows_of(&[range(1, Some(2)), range(6, None)], 7), [(7, 9)]);
    }

    #[test]
    fn ranges_that_begin_within_others_are_one() {
        let of = |ranges: &[(u64, Option<u64>)]| {
            let merged = merged(ranges.iter().map(|(from, until)| range(*from, *until)));
            merged.iter().map(|one| (one.from.as_u64(), one.until.map(Seq::as_u64))).collect::<Vec<_>>()
        };
        assert_eq!(of(&[(2, Some(4)), (6, None)]), [(2, Some(4)), (6, None)]);
        assert_eq!(of(&[(2, Some(4)), (6, Some(7)), (1, None)]), [(1, None)]);
        assert_eq!(of(&[(2, Some(4)), (3, Some(7)), (9, None)]), [(2, Some(7)), (9, None)]);
        assert_eq!(of(&[(1, Some(4)), (1, Some(9))]), [(1, Some(9))]);
        assert_eq!(of(&[(1, Some(4)), (5, Some(6)), (8, None)]), [(1, Some(6)), (8, None)], "right behind");
    }

    #[test]
    fn windows_are_clipped_to_what_a_page_needs() {
        let of = |windows: Vec<(Seq, Seq)>| {
            windows.iter().map(|(behind, until)| (behind.as_u64(), until.as_u64())).collect::<Vec<_>>()
        };
        let ranges = [range(1, Some(2)), range(4, Some(6)), range(9, None)];
        let first = |after, entries| of(first_of(&ranges, Seq::new(9), Seq::new(after), entries));
        assert_eq!(first(0, 100), [(0, 2), (3, 6), (8, 9)]);
        assert_eq!(first(0, 4), [(0, 2), (3, 5)]);
        assert_eq!(first(1, 1), [(1, 2)]);
        assert_eq!(first(9, 1), []);
        let last = |before, entries| of(last_of(&ranges, Seq::new(9), Seq::new(before), entries));
        assert_eq!(last(100, 100), [(8, 9), (3, 6), (0, 2)]);
        assert_eq!(last(100, 3), [(8, 9), (4, 6)]);
        assert_eq!(last(9, 3), [(3, 6)]);
        assert_eq!(last(5, 2), [(3, 4), (1, 2)]);
        assert_eq!(last(1, 2), []);
    }

    #[test]
    fn a_whole_page_moves_the_offset_to_the_readable_head() {
        let out = page(&[range(1, Some(2))], Seq::new(9), Seq::new(2), Vec::new(), None);
        assert_eq!((out.through, out.head), (Seq::new(2), Seq::new(2)));
        let back = page(&[range(1, Some(2)), range(6, None)], Seq::new(9), Seq::new(2), rows(6..=9), None);
        assert_eq!((back.through, back.head), (Seq::new(9), Seq::new(9)));
    }

    #[test]
    fn a_page_that_was_cut_ends_at_its_last_entry() {
        let page = page(&[range(1, None)], Seq::new(9), Seq::new(1), rows(2..=3), Some(Seq::new(3)));
        assert_eq!((page.through, page.head), (Seq::new(3), Seq::new(9)));
    }

    #[test]
    fn an_open_end_is_the_head_that_was_read_before() {
        assert_eq!(windows_of(&[range(1, None)], 9), []);
    }

    #[test]
    fn an_entry_younger_than_the_head_that_was_read_counts() {
        let page = page(&[range(1, None)], Seq::new(2), Seq::new(1), rows(2..=3), None);
        assert_eq!((page.through, page.head), (Seq::new(3), Seq::new(3)));
    }
}
