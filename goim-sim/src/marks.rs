//! Coverage marks: rare branches that a run has to have been through, or its silence says nothing.

macro_rules! marks {
    ($( $name:ident $text:literal, )*) => {
        /// Something rare that happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Mark { $($name),* }

        const NAMES: &[&str] = &[$($text),*];
    };
}

marks! {
    CrashBetweenTakeSeqAndWrite "a node crashed between numbering and writing",
    CrashBetweenWriteAndFlush "the store crashed between write and flush",
    CrashBetweenFlushAndReply "the store crashed between flush and reply",
    CrashBetweenReplyAndPublish "a node crashed between reply and publish",
    CrashBetweenPublishAndInsert "a node crashed between publishing and putting into its box",
    CrashBetweenHandledAndCommitted "a device crashed between handling and committing",
    NodeCrashed "a node crashed",
    NodePaused "a node stood still",
    OldSendsWoken "a node woke with old sends",
    ClockJumped "a clock jumped",
    ClientCrashed "a device crashed",
    ClientLostState "a device came back without its state",
    ClientRestored "a device was restored from an old backup",
    SlowReader "a device was slow to handle",
    Disconnected "a connection was lost",
    Partitioned "a device and a node were parted",
    StorePartitioned "a node and the store were parted",
    Stalled "a stream stalled",
    DatagramLost "a datagram was lost",
    DatagramTwice "a datagram came twice",
    DatagramsDied "a connection's datagrams died",
    BusDown "the bus was down",
    NodesApart "an entry was published to a node that was apart",
    BusLost "the bus lost an entry",
    BusTwice "the bus brought an entry twice",
    BusLate "the bus was late with an entry",
    StoreCrashed "the store crashed",
    StoreSlow "the store was slow",
    StoreFull "the store was full",
    StoreLostEntries "the store went back and lost entries",
    BackupRestored "a backup was restored",
    ReplicaPromoted "a replica was promoted",
    Retained "retention took entries",
    RetainedAll "retention took all of a quiet conversation",
    Conflict "a statement met a conflict",
    Poison "the store could not take an entry's data",
    UniqueViolation "a statement met a unique index",
    LockWait "a statement waited for a row's lock",
    StaleHead "a batch was stale by its head",
    StaleRevision "a batch was stale by its revision",
    AnswerLost "an append's answer was lost",
    WrittenInDoubt "what was in doubt had been written",
    StatementOutlivesItsConnection "a statement arrived after its connection was lost",
    EntryOfAnotherEpoch "an entry of another epoch was not passed on",
    OffsetOfAnotherEpoch "an offset of another epoch was refused",
    LaneFull "a lane was full",
    Duplicate "a send was a duplicate",
    UnmarkedDuplicate "a duplicate was not marked as a retry",
    SecondCopy "a send came twice at once",
    OutOfOrder "a send was out of order",
    WaitedTooLong "a send waited too long",
    Contended "rivals were faster too often",
    Refused "a send was refused by the rules",
    RefusedAsOld "a send was refused for its id's age",
    RivalWrote "a rival committer wrote",
    RivalLost "a rival committer was stale",
    GapFetched "a node fetched a gap from the store",
    GapFoundByHeads "a comparison of heads found what no hint told",
    RetentionSkipped "a node passed over what retention took",
    InviteFollowed "an invitation was followed",
    InvitedWhileReading "who was invited read already, from before",
    LookedInTwo "a sync looked in more than one statement",
    SyncInvited "a sync followed up what it had not registered for",
    SyncGone "a user had left what a sync had registered for",
    LookedWhileChanging "membership changed between registering and looking",
    LookTooOld "a look was older than what had passed",
    StoppedReading "a reader was stopped at his removal",
    Overflowed "a notifier had no room for a mark",
    Retransmitted "an announcement went again",
    OnStream "an announcement went on the stream",
    Inline "entries rode along",
    PullFromBox "a pull was served from memory",
    PullFromStore "a pull was served from the store",
    PullFromReplica "a pull was served from the replica",
    PullLagged "a pull was served by a replica that lagged",
    EpochMet "a device met a new epoch",
    HandedAgain "an entry was handed again after a crash",
    CameBack "a member came back and read on",
    MarkerMoved "a read marker moved",
    Blocked "a block refused a message",
}

/// How often each was hit.
#[derive(Debug, Clone)]
pub struct Marks(Vec<u64>);

impl Default for Marks {
    fn default() -> Self {
        Self(vec![0; NAMES.len()])
    }
}

impl Marks {
    pub(crate) fn hit(&mut self, mark: Mark) {
        self.0[mark as usize] += 1;
    }

    pub(crate) fn hit_if(&mut self, condition: bool, mark: Mark) {
        if condition {
            self.hit(mark);
        }
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// Each mark in words, and how often it was hit.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.iter().copied().zip(self.0.iter().copied())
    }

    /// Those that were never hit.
    pub fn missed(&self) -> impl Iterator<Item = &'static str> {
        self.counts().filter(|(_, count)| *count == 0).map(|(name, _)| name)
    }
}
