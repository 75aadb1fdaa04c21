//! The search for messages: the call, and the reader behind the log that fills the index.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goim_core::{ConversationId, UserId};
use goim_proto::limits::QUERY_BYTES_MAX;
use goim_proto::{Error, ErrorCode, Reply, SearchMessages, SessionInfo};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::errors::limited;
use super::messages::PAGE_BYTES_MAX;
use super::profiles::page_limit;
use super::{Answered, Service, failed, refuse};
use crate::access::{Allowance, Buckets};
use crate::config::Limits;
use crate::store::{Query, QueryError, Search, SearchPlace, StoreError};

/// Searches at once, of the eight connections that a node has for everything but appending. Each holds
/// the bodies of a page: with 100 of the longest, 7 MiB.
const AT_ONCE: usize = 2;
/// How long a search waits for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// When to come back if it did not come, in milliseconds.
const BUSY_RETRY_MS: u64 = 1_000;

/// Conversations that are known to have news, 8 bytes each; of those beyond, the comparison knows.
const NEWS_MAX: usize = 16_384;
/// Conversations that are indexed in one transaction.
const INDEXED_AT_ONCE: usize = 16;
/// What comes within this time is indexed together.
const GATHER: Duration = Duration::from_millis(100);
/// Conversations whose heads are compared with the index in one statement.
const COMPARED_AT_ONCE: u32 = 4_096;
/// How often so many are, once all were: entries that another node appended and did not get to index.
const COMPARE_EVERY: Duration = Duration::from_secs(5);
/// For so many times as long as this had the store, others have it. Indexing what was there before, or what
/// comes faster than this, takes longer for it; on SQLite nobody else writes meanwhile.
const REST: u32 = 4;
/// Before the store is asked again that failed.
const RETRY: Duration = Duration::from_secs(1);

/// What bounds searches.
#[derive(Debug)]
pub(super) struct Searches {
    accounts: Buckets<UserId>,
    turns: Semaphore,
}

impl Searches {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { accounts: Buckets::new(Allowance::searches(limits)), turns: Semaphore::new(AT_ONCE) }
    }
}

/// Conversations that something was appended to since they were indexed.
#[derive(Debug, Default)]
pub(crate) struct News {
    fresh: Mutex<Fresh>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Fresh {
    conversations: HashSet<ConversationId>,
    /// There were more of them.
    lost: bool,
}

impl News {
    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was appended to these.
    pub(crate) fn note(&self, conversations: Vec<ConversationId>) {
        if conversations.is_empty() {
            return;
        }
        let mut fresh = self.fresh();
        for conversation in conversations {
            if fresh.conversations.len() < NEWS_MAX || fresh.conversations.contains(&conversation) {
                fresh.conversations.insert(conversation);
            } else {
                fresh.lost = true;
            }
        }
        drop(fresh);
        self.arrived.notify_one();
    }

    /// All that are known, in another order each time, and whether there were more.
    fn take(&self) -> (Vec<ConversationId>, bool) {
        let Fresh { conversations, lost } = mem::take(&mut *self.fresh());
        (conversations.into_iter().collect(), lost)
    }
}

impl Service {
    /// Finds messages that the caller may read.
    pub(super) async fn search_messages(&self, session: &SessionInfo, arguments: SearchMessages) -> Answered {
        let SearchMessages { query, conversation, before, limit } = arguments;
        let query = read_query(&query)?;
        let before = if before.is_empty() { Some(SearchPlace::NEWEST) } else { SearchPlace::parse(&before) };
        let Some(before) = before else {
            return refuse(ErrorCode::BadArgument, "give the `next` of a page, or nothing for the first one");
        };
        let pace = self.searches.accounts.take(self.clock.now(), session.user);
        pace.map_err(|wait| limited("too many searches; wait until more is typed", wait))?;
        // Closed never.
        let Ok(Ok(_turn)) = timeout(WAIT, self.searches.turns.acquire()).await else {
            let busy = Error::new(ErrorCode::Unavailable, "too many search at once; try again");
            return Err(Error { retry_after_ms: Some(BUSY_RETRY_MS), ..busy });
        };
        self.metrics.searches_total.add(1);
        let search = Search {
            user: session.user,
            query: &query,
            conversation: (conversation != ConversationId::default()).then_some(conversation),
            before,
            limit: page_limit(limit),
            bytes_max: PAGE_BYTES_MAX,
        };
        Ok(Reply::FoundMessages(self.store.search(&search).await.map_err(failed)?))
    }

    /// Fills the index of messages, for ever. What this node appended it is told of; a comparison of
    /// heads with the index finds what was there at the start, and what others left.
    pub(crate) async fn index_messages(&self) {
        let mut comparison = Comparison::new(Instant::now());
        let mut at_once = INDEXED_AT_ONCE;
        loop {
            let (fresh, lost) = self.news.take();
            if lost {
                comparison.start();
            }
            let indexed = self.index_fresh(&fresh, &mut at_once).await;
            let compared = self.compare_some(&mut comparison).await;
            match indexed.and_then(|left| Ok(left | compared?)) {
                Ok(true) => {}
                Ok(false) => {
                    // Either is fine: there is news, or it is time to look.
                    let _ = timeout_at(comparison.due, self.news.arrived.notified()).await;
                    sleep(GATHER).await;
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot index messages");
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Indexes what is known to be new, in as many transactions as it takes; whether something is left. What
    /// failed is new again, and the last error is returned when all had their turn.
    async fn index_fresh(
        &self,
        mut fresh: &[ConversationId],
        at_once: &mut usize,
    ) -> Result<bool, StoreError> {
        let mut more = Ok(false);
        // Each has its turn before one that has news again.
        while !fresh.is_empty() {
            let (some, rest) = fresh.split_at(fresh.len().min(*at_once));
            fresh = rest;
            let began = Instant::now();
            match self.store.index(some).await {
                Ok(left) => {
                    *at_once = (*at_once * 2).min(INDEXED_AT_ONCE);
                    self.metrics.indexings_total.add(1);
                    more = more.map(|more| more | !left.is_empty());
                    self.news.note(left);
                }
                Err(error) => {
                    // One may be what fails, and the others shall not fail with it.
                    *at_once = 1;
                    self.news.note(some.to_vec());
                    more = Err(error);
                }
            }
            sleep(began.elapsed() * REST).await;
        }
        more
    }

    /// Compares a page of heads with the index, if it is time; whether there is more to do at once.
    async fn compare_some(&self, comparison: &mut Comparison) -> Result<bool, StoreError> {
        if !comparison.is_due(Instant::now()) {
            return Ok(false);
        }
        let page = self.store.compare_index(comparison.after, COMPARED_AT_ONCE).await?;
        comparison.came_to(page.last, Instant::now());
        let more = !page.behind.is_empty() || comparison.ends > 0;
        self.news.note(page.behind);
        Ok(more)
    }
}

/// How far heads were compared with the index.
#[derive(Debug)]
struct Comparison {
    after: ConversationId,
    /// So many times it has to come to the last conversation without a pause.
    ends: u8,
    /// When there is a page to be compared in any case.
    due: Instant,
}

impl Comparison {
    /// All are to be compared.
    fn new(now: Instant) -> Self {
        Self { after: ConversationId::default(), ends: 1, due: now }
    }

    /// Compares all from now on. It goes on where it is, so that it comes to the last one however often it
    /// is told so.
    fn start(&mut self) {
        self.ends = if self.after == ConversationId::default() { 1 } else { 2 };
    }

    fn is_due(&self, now: Instant) -> bool {
        self.ends > 0 || self.due <= now
    }

    /// A page was compared, with this as its last one.
    fn came_to(&mut self, last: Option<ConversationId>, now: Instant) {
        self.after = last.unwrap_or_default();
        if last.is_none() {
            self.ends = self.ends.saturating_sub(1);
        }
        self.due = now + COMPARE_EVERY;
    }
}

fn read_query(text: &str) -> Result<Query, Error> {
    if text.len() > QUERY_BYTES_MAX {
        return refuse(ErrorCode::TooLarge, "a query has at most 256 bytes");
    }
    Query::parse(text).map_err(|error| {
        let code = match error {
            QueryError::NoWord => ErrorCode::BadArgument,
            QueryError::TooManyWords => ErrorCode::TooLarge,
        };
        Error::new(code, error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: core::ops::Range<u64>) -> Vec<ConversationId> {
        numbers.map(ConversationId::new).collect()
    }

    #[test]
    fn g7_news_are_bounded_and_what_is_lost_is_known() {
        let news = News::default();
        news.note(ids(0..NEWS_MAX as u64));
        news.note(ids(0..9));
        let (all, lost) = news.take();
        assert_eq!((all.len(), lost), (NEWS_MAX, false), "each once");
        news.note(ids(0..NEWS_MAX as u64 + 1));
        let (all, lost) = news.take();
        assert_eq!((all.len(), lost), (NEWS_MAX, true));
        assert_eq!(news.take(), (Vec::new(), false), "and only once");
    }

    #[test]
    fn a_comparison_comes_to_the_end_however_much_is_lost() {
        let (now, page) = (Instant::now(), |id| Some(ConversationId::new(id)));
        let mut comparison = Comparison::new(now);
        for last in [page(7), page(9), None, page(7), page(9)] {
            comparison.start();
            assert!(comparison.is_due(now));
            comparison.came_to(last, now);
            assert_eq!(comparison.after, last.unwrap_or_default(), "it goes on");
        }
        // What was lost last may be among the first, too.
        for last in [None, page(7), None] {
            assert!(comparison.is_due(now), "before {last:?}");
            comparison.came_to(last, now);
        }
        assert!(!comparison.is_due(now), "it has seen all");
        assert!(comparison.is_due(now + COMPARE_EVERY), "however much news there is");
    }

    #[test]
    fn a_query_is_short() {
        assert!(read_query(&"x".repeat(QUERY_BYTES_MAX)).is_ok());
        assert_eq!(read_query(&"x".repeat(QUERY_BYTES_MAX + 1)).unwrap_err().code, ErrorCode::TooLarge);
        assert_eq!(read_query("?").unwrap_err().code, ErrorCode::BadArgument);
        let many: String = ('一'..).take(40).collect();
        assert_eq!(read_query(&many).unwrap_err().code, ErrorCode::TooLarge, "39 pairs");
    }
}
