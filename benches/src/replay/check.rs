//! Whether what readers got is what they should have got. Knows logs and histories only, nothing
//! of how they came about.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use goim_client::{ClientMsgId, Content, Entry, Seq, UserId};

/// An entry.
pub(crate) type Stored = Entry<Bytes>;

/// What one sender knows of a message that was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Acked {
    pub(crate) seq: Seq,
    pub(crate) client_msg_id: ClientMsgId,
    pub(crate) text: String,
}

/// The most findings that are told; a broken run has thousands of the same.
const FINDINGS_MAX: usize = 50;

/// Checks a log by itself: dense, in order, each id once, and every acknowledged message in it at
/// its place and as it was sent.
pub(crate) fn check_log(log: &[Stored], acked: &[Acked]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut ids = HashSet::new();
    for (place, entry) in log.iter().enumerate() {
        if entry.seq.as_u64() != place as u64 + 1 {
            findings.push(format!("G2: entry {} stands at place {}", entry.seq, place + 1));
        }
        if !ids.insert((entry.sender, entry.client_msg_id)) {
            findings.push(format!("G3: {} is stored twice, again at {}", entry.client_msg_id, entry.seq));
        }
    }
    let by_seq: HashMap<Seq, &Stored> = log.iter().map(|entry| (entry.seq, entry)).collect();
    for message in acked {
        match by_seq.get(&message.seq) {
            None => findings.push(format!("G1: acknowledged message {} is not stored", message.seq)),
            Some(entry) if entry.client_msg_id != message.client_msg_id => {
                findings.push(format!("G1: {} holds another message than was acknowledged", message.seq));
            }
            Some(entry) if entry.body != Content::text(message.text.as_str()).encode() => {
                findings.push(format!("{} does not hold the bytes that were sent", message.seq));
            }
            Some(_) => {}
        }
    }
    findings.truncate(FINDINGS_MAX);
    findings
}

/// The ranges of seqs in which each user was a member, by the log's own entries.
pub(crate) fn memberships(log: &[Stored]) -> HashMap<UserId, Vec<(Seq, Option<Seq>)>> {
    let mut ranges: HashMap<UserId, Vec<(Seq, Option<Seq>)>> = HashMap::new();
    for entry in log {
        let (joined, parted) = match Content::decode(&entry.body) {
            Ok(Content::GroupCreated(created)) => ([vec![entry.sender], created.members].concat(), None),
            Ok(Content::MembersAdded(added)) => (added.users, None),
            Ok(Content::MemberRemoved(removed)) => (Vec::new(), Some(removed.user)),
            Ok(Content::MemberLeft) => (Vec::new(), Some(entry.sender)),
            _ => continue,
        };
        for user in joined {
            ranges.entry(user).or_default().push((entry.seq, None));
        }
        if let Some(last) = parted.and_then(|user| ranges.get_mut(&user)).and_then(|all| all.last_mut()) {
            last.1 = Some(entry.seq);
        }
    }
    ranges
}

/// The entries of a log that a reader with these ranges gets.
pub(crate) fn expected<'a>(
    log: &'a [Stored],
    ranges: &'a [(Seq, Option<Seq>)],
) -> impl Iterator<Item = &'a Stored> {
    let in_range =
        |seq: Seq| ranges.iter().any(|(from, until)| *from <= seq && until.is_none_or(|end| seq <= end));
    log.iter().filter(move |entry| in_range(entry.seq))
}

/// Checks what one reader got against the log: exactly every entry of his ranges, none missing,
/// none twice, in order, the same bytes.
pub(crate) fn check_reader(
    name: &str,
    log: &[Stored],
    ranges: &[(Seq, Option<Seq>)],
    got: &[Stored],
) -> Vec<String> {
    let mut findings = Vec::new();
    let should: Vec<&Stored> = expected(log, ranges).collect();
    if got.is_empty() && !should.is_empty() {
        return vec![format!("G5: {name} got nothing of {} entries", should.len())];
    }
    let mut last = Seq::ZERO;
    let mut seen = HashSet::new();
    for entry in got {
        if !seen.insert(entry.seq) {
            findings.push(format!("G5: {name} got {} twice", entry.seq));
        } else if entry.seq < last {
            findings.push(format!("G5: {name} got {} behind {last}", entry.seq));
        }
        last = last.max(entry.seq);
    }
    let allowed: HashMap<Seq, &Stored> = should.iter().map(|entry| (entry.seq, *entry)).collect();
    for entry in got {
        match allowed.get(&entry.seq) {
            None => findings.push(format!("G9: {name} got {}, which is not his to see", entry.seq)),
            Some(stored) if *stored != entry => {
                findings.push(format!("{name} got {} with other bytes than are stored", entry.seq));
            }
            Some(_) => {}
        }
    }
    for entry in should.iter().filter(|entry| !seen.contains(&entry.seq)) {
        findings.push(format!("G5: {name} never got {}", entry.seq));
    }
    findings.truncate(FINDINGS_MAX);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: UserId = UserId::new(1);
    const ANN: UserId = UserId::new(2);

    fn entry(seq: u64, sender: UserId, content: &Content) -> Stored {
        Entry {
            seq: Seq::new(seq),
            sender,
            client_msg_id: ClientMsgId::mint(seq, &[0; 10]),
            at_ms: 0,
            count: 0,
            body: content.encode(),
        }
    }

    /// created, ann added, two texts, ann leaves, one text.
    fn log() -> Vec<Stored> {
        let created = goim_proto::content::GroupCreated { name: "g".into(), members: Vec::new() };
        vec![
            entry(1, OWNER, &Content::GroupCreated(created)),
            entry(2, OWNER, &Content::MembersAdded(goim_proto::content::MembersAdded { users: vec![ANN] })),
            entry(3, ANN, &Content::text("a")),
            entry(4, OWNER, &Content::text("b")),
            entry(5, ANN, &Content::MemberLeft),
            entry(6, OWNER, &Content::text("c")),
        ]
    }

    fn ann(got: &[Stored]) -> Vec<String> {
        let log = log();
        check_reader("ann", &log, &memberships(&log)[&ANN], got)
    }

    #[test]
    fn what_should_come_and_comes_is_right() {
        assert_eq!(ann(&log()[1..5]), [""; 0]);
        let acked =
            Acked { seq: Seq::new(3), client_msg_id: ClientMsgId::mint(3, &[0; 10]), text: "a".into() };
        assert_eq!(check_log(&log(), &[acked]), [""; 0]);
    }

    #[test]
    fn every_way_of_being_wrong_is_found() {
        let log = log();
        let found = |got: &[Stored], words: &str| {
            let findings = ann(got);
            assert!(findings.iter().any(|finding| finding.contains(words)), "{words}: {findings:?}");
        };
        found(&[], "got nothing");
        found(&[&log[1..3], &log[4..5]].concat(), "never got 4");
        found(&[&log[1..5], &log[2..3]].concat(), "got 3 twice");
        found(&[log[1].clone(), log[3].clone(), log[2].clone(), log[4].clone()], "got 3 behind 4");
        found(&log[1..6], "not his to see");
        let mut altered = log[1..5].to_vec();
        altered[1].body = Content::text("x").encode();
        found(&altered, "other bytes");
    }

    #[test]
    fn a_log_that_is_wrong_by_itself_is_found() {
        let found = |log: &[Stored], acked: &[Acked], words: &str| {
            let findings = check_log(log, acked);
            assert!(findings.iter().any(|finding| finding.contains(words)), "{words}: {findings:?}");
        };
        found(&log()[1..], &[], "G2");
        let mut twice = log();
        twice[3] = Entry { seq: Seq::new(4), ..twice[2].clone() };
        found(&twice, &[], "G3");
        let message = |seq, id, text: &str| Acked {
            seq: Seq::new(seq),
            client_msg_id: ClientMsgId::mint(id, &[0; 10]),
            text: text.into(),
        };
        found(&log(), &[message(9, 9, "a")], "not stored");
        found(&log(), &[message(4, 3, "a")], "another message");
        found(&log(), &[message(3, 3, "x")], "bytes that were sent");
    }
}
