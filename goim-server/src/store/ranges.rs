//! What a reader may see.

use goim_core::Seq;

use super::types::{Page, Range, StoredEntry};

/// The highest seq that a reader with these ranges may see of a log with this head.
pub(super) fn readable_head(ranges: &[Range], head: Seq) -> Seq {
    ranges.last().map_or(Seq::ZERO, |range| range.until.unwrap_or(head).min(head))
}

/// Whether a seq lies in one of the ranges.
pub(super) fn contains(ranges: &[Range], seq: Seq) -> bool {
    ranges.iter().any(|range| range.from <= seq && range.until.is_none_or(|until| seq <= until))
}

/// Makes a page of the rows of (after, …] that were read, `whole` saying that there are no more
/// rows of the log than these up to its head.
pub(super) fn page(ranges: &[Range], head: Seq, after: Seq, rows: Vec<StoredEntry>, whole: bool) -> Page {
    let last_row = rows.last().map(|entry| entry.seq);
    let head = readable_head(ranges, head.max(last_row.unwrap_or(Seq::ZERO)));
    let read = if whole { head } else { last_row.unwrap_or(after) };
    let entries = rows.into_iter().filter(|entry| contains(ranges, entry.seq)).collect();
    Page { entries, through: read.max(after).min(head.max(after)), head }
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

    fn seqs(page: &Page) -> Vec<u64> {
        page.entries.iter().map(|entry| entry.seq.as_u64()).collect()
    }

    #[test]
    fn a_page_stops_at_the_entry_that_put_the_reader_out() {
        let ranges = [range(2, Some(4))];
        let page = page(&ranges, Seq::new(9), Seq::ZERO, rows(1..=9), true);
        assert_eq!(seqs(&page), [2, 3, 4]);
        assert_eq!((page.through, page.head), (Seq::new(4), Seq::new(4)));
    }

    #[test]
    fn the_offset_passes_over_what_lies_between_two_ranges() {
        let ranges = [range(1, Some(2)), range(6, None)];
        let page = page(&ranges, Seq::new(5), Seq::new(2), rows(3..=5), false);
        assert_eq!(seqs(&page), [0u64; 0]);
        assert_eq!((page.through, page.head), (Seq::new(5), Seq::new(5)));
    }

    #[test]
    fn a_full_page_ends_at_its_last_row() {
        let ranges = [range(1, None)];
        let page = page(&ranges, Seq::new(9), Seq::new(1), rows(2..=3), false);
        assert_eq!(seqs(&page), [2, 3]);
        assert_eq!((page.through, page.head), (Seq::new(3), Seq::new(9)));
    }
}
