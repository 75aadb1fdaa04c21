//! What the store has: entries that let users in and put them out, the first of which may be gone.

use goim_core::{Msg, Seq, SeqRange};

/// Entries that one fetch brings.
const FETCHED: usize = 3;

/// An entry: which user it lets in or puts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) seq: Seq,
    pub(super) toggles: Option<(usize, bool)>,
}

impl Msg for Line {
    fn seq(&self) -> Seq {
        self.seq
    }

    fn bytes(&self) -> usize {
        0
    }
}

/// Seqs of a log are its places, from 1.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Vec<Line>,
    /// Entries up to here are gone.
    truncated: usize,
}

impl Log {
    /// Since when a user is in as of a head; the last that he may see, if he is out.
    pub(super) fn truth(&self, user: usize, head: Seq) -> Result<Seq, Seq> {
        let mut of_him = self.lines[..index_behind(head)].iter().rev();
        let last = of_him.find_map(|line| {
            line.toggles.filter(|(whom, _)| *whom == user).map(|(_, is_in)| (line.seq, is_in))
        });
        match last {
            Some((seq, true)) => Ok(seq),
            Some((seq, false)) => Err(seq),
            None => Err(Seq::ZERO),
        }
    }

    pub(super) fn head(&self) -> Seq {
        Seq::new(self.lines.len() as u64)
    }

    /// The next entry, which lets the user in or puts him out, whichever he is not.
    pub(super) fn append(&mut self, toggled: Option<usize>) -> Line {
        let toggles = toggled.map(|user| (user, self.truth(user, self.head()).is_err()));
        let line = Line { seq: self.head().next(), toggles };
        self.lines.push(line);
        line
    }

    /// The entry with this number, be it gone or not.
    pub(super) fn line(&self, seq: Seq) -> Line {
        self.lines[index_behind(seq.prev())]
    }

    /// Some entries more are gone.
    pub(super) fn truncate(&mut self, lines: usize) {
        self.truncated = self.lines.len().min(self.truncated + lines);
    }

    /// What the store brings whoever asks for what is in a gap, or behind it.
    pub(super) fn fetch(&self, gap: SeqRange) -> Vec<Line> {
        let first = index_behind(gap.first.prev()).max(self.truncated);
        self.lines[first..].iter().take(FETCHED).copied().collect()
    }
}

fn index_behind(seq: Seq) -> usize {
    usize::try_from(seq.as_u64()).unwrap()
}
