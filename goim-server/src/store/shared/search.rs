/// `MessageSearch` for both engines; `$span_rows` writes the rows `m` of some parts of logs, given as three
/// list parameters, beside the place `w.place` of each part among them.
macro_rules! search {
    ($store:ty, $connection:ty, $list:ident, $windows:ident, $span_rows:ident, $bind:path) => {
        impl $store {
            /// Conversations of which something is not indexed: how far they are, and their heads.
            const BEHIND: &str = concat!(
                "SELECT l.id, COALESCE(o.seq, 0), c.head FROM ",
                $list!("$1"),
                " l JOIN conversations c ON c.id = l.id LEFT JOIN search_offsets o ON o.conversation = l.id \
                 WHERE c.head > COALESCE(o.seq, 0)"
            );

            /// Messages with texts in their current form, and edits, in parts of logs; without a body where
            /// all up to there have more than `$4` bytes, but for the first one. The sizes are found
            /// without reading what they are of.
            const READABLE: &str = concat!(
                "SELECT s.conversation, s.seq, s.at, s.kind, CASE WHEN s.bytes <= $4 OR s.bytes = s.own THEN \
                     COALESCE((SELECT f.body FROM message_forms f \
                             WHERE f.conversation = s.conversation AND f.seq = s.seq), \
                         (SELECT b.body FROM messages b WHERE b.conversation = s.conversation AND b.seq = s.seq)) \
                     END \
                 FROM (SELECT r.*, sum(r.own) OVER (ORDER BY r.place, r.seq) AS bytes \
                     FROM (SELECT w.place, m.conversation, m.seq, m.at, m.kind, \
                             COALESCE((SELECT length(f.body) FROM message_forms f \
                                 WHERE f.conversation = m.conversation AND f.seq = m.seq), length(m.body)) AS own \
                         FROM ",
                $span_rows!("$1", "$2", "$3"),
                " WHERE m.kind IN ",
                $list!("$5"),
                ") r) s ORDER BY s.place, s.seq"
            );

            async fn read_parts(
                connection: &mut $connection,
                parts: &[$crate::store::indexing::Part],
            ) -> Result<Vec<$crate::store::indexing::ReadableColumns>, sqlx::Error> {
                use $crate::store::indexing::{BYTES_MAX, Part, READ};
                let column = |of: fn(&Part) -> i64| $bind(&parts.iter().map(of).collect::<Vec<_>>());
                sqlx::query_as(Self::READABLE)
                    .bind(column(|part| part.conversation))
                    .bind(column(|part| part.behind))
                    .bind(column(|part| part.until))
                    .bind(BYTES_MAX)
                    .bind($bind(&READ.map(|kind| i64::from(kind.0))))
                    .fetch_all(connection)
                    .await
            }

            /// Reads what is new in parts of logs, which are cut where the bodies are too long.
            async fn read_new(
                connection: &mut $connection,
                parts: &mut Vec<$crate::store::indexing::Part>,
            ) -> Result<Vec<$crate::store::indexing::Indexed>, sqlx::Error> {
                let mut reading = $crate::store::indexing::Reading::default();
                reading.take(Self::read_parts(&mut *connection, parts).await?);
                let edited = reading.edited();
                if !edited.is_empty() {
                    reading.take_edited(Self::read_parts(&mut *connection, &edited).await?);
                }
                reading.cut(parts);
                Ok(reading.indexed)
            }

            /// The page that is searched for.
            async fn look_up(
                &self,
                search: &$crate::store::Search<'_>,
            ) -> $crate::store::StoreResult<goim_proto::MessagePage> {
                let mut connection = self.searching().await?;
                // One snapshot, in which memberships are those of the entries.
                let mut transaction = self.begin_search(&mut connection).await?;
                if let Some(conversation) = search.conversation
                    && Self::read_ranges(&mut *transaction, Self::SHOWN, search.user, conversation)
                        .await?
                        .is_empty()
                {
                    return Err($crate::store::StoreError::NotMember);
                }
                let found = Self::find(&mut transaction, search).await?;
                let (within, at): (Vec<i64>, Vec<i64>) =
                    found.iter().take(search.limit as usize).map(|(_, within, at)| (*within, *at)).unzip();
                let rows: Vec<$crate::store::shared::rows::LastColumns> = sqlx::query_as(Self::LAST)
                    .bind($bind(&within))
                    .bind($bind(&at))
                    .bind(search.user.as_i64())
                    .bind($crate::store::deleted_body().to_vec())
                    .fetch_all(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok($crate::store::search::page(search, &found, rows))
            }

            /// The places of messages before another place, newest first.
            async fn find(
                connection: &mut $connection,
                search: &$crate::store::Search<'_>,
            ) -> Result<Vec<$crate::store::search::PlaceColumns>, sqlx::Error> {
                let statements = Self::statements(search.conversation.is_some());
                let mut before = $crate::store::search::before(search);
                // One more, to know whether there are more.
                let limit = i64::from(search.limit) + 1;
                let (has, with) = Self::in_words(search.query);
                let floor: Option<$crate::store::search::PlaceColumns> =
                    sqlx::query_as(statements.floor.as_str())
                        .bind(before.0)
                        .bind(before.1)
                        .bind(before.2)
                        .fetch_optional(&mut *connection)
                        .await?;
                let mut found: Vec<$crate::store::search::PlaceColumns> = Vec::new();
                for (statement, query) in [(&statements.recent, has), (&statements.all, with)] {
                    let left = limit - i64::try_from(found.len()).unwrap_or(limit);
                    let more: Vec<$crate::store::search::PlaceColumns> = sqlx::query_as(statement.as_str())
                        .bind(before.0)
                        .bind(before.1)
                        .bind(before.2)
                        .bind(search.user.as_i64())
                        .bind(left)
                        .bind(query)
                        .fetch_all(&mut *connection)
                        .await?;
                    found.extend(more);
                    // The floor itself is the first behind what was looked through.
                    match floor {
                        Some((at, conversation, seq)) if found.len() < search.limit as usize + 1 => {
                            before = (if search.conversation.is_some() { 0 } else { at }, conversation, seq + 1);
                        }
                        _ => break,
                    }
                }
                Ok(found)
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::MessageSearch for $store {
            async fn index(
                &self,
                conversations: &[goim_core::ConversationId],
            ) -> $crate::store::StoreResult<Vec<goim_core::ConversationId>> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                let ids = $crate::store::shared::rows::conversations(conversations);
                let claimed = Self::claim_words(&mut transaction, &ids).await?;
                // Behind the claim: whoever had it before has moved the offsets.
                let mut behind: Vec<(i64, i64, i64)> = sqlx::query_as(Self::BEHIND)
                    .bind($bind(&claimed))
                    .fetch_all(&mut *transaction)
                    .await?;
                behind.sort_by_key(|(id, ..)| ids.iter().position(|asked| asked == id));
                let mut parts = $crate::store::indexing::parts(&behind);
                if !parts.is_empty() {
                    let indexed = Self::read_new(&mut transaction, &mut parts).await?;
                    Self::put_words(&mut transaction, &indexed).await?;
                    let (within, until): (Vec<i64>, Vec<i64>) =
                        parts.iter().map(|part| (part.conversation, part.until)).unzip();
                    sqlx::query(concat!(
                        "INSERT INTO search_offsets (conversation, seq) SELECT behind, until FROM ",
                        $windows!("$1", "$2"),
                        " w WHERE true ON CONFLICT (conversation) DO UPDATE SET seq = excluded.seq \
                         WHERE search_offsets.seq < excluded.seq"
                    ))
                    .bind($bind(&within))
                    .bind($bind(&until))
                    .execute(&mut *transaction)
                    .await?;
                }
                transaction.commit().await?;
                Ok($crate::store::indexing::left(conversations, &claimed, &behind, &parts))
            }

            async fn compare_index(
                &self,
                after: goim_core::ConversationId,
                limit: u32,
            ) -> $crate::store::StoreResult<$crate::store::Compared> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64, bool)> = sqlx::query_as(
                    "WITH page AS MATERIALIZED \
                         (SELECT id, head FROM conversations WHERE id > $1 ORDER BY id LIMIT $2) \
                     SELECT p.id, p.head > COALESCE(o.seq, 0) FROM page p \
                     LEFT JOIN search_offsets o ON o.conversation = p.id \
                     WHERE p.head > COALESCE(o.seq, 0) OR p.id = (SELECT max(id) FROM page) ORDER BY p.id",
                )
                .bind(after.as_i64())
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                let last = rows.last().map(|(id, _)| goim_core::ConversationId::from_i64(*id));
                let behind = rows.into_iter().filter(|(_, behind)| *behind);
                let behind = behind.map(|(id, _)| goim_core::ConversationId::from_i64(id)).collect();
                Ok($crate::store::Compared { behind, last })
            }

            async fn search(
                &self,
                search: &$crate::store::Search<'_>,
            ) -> $crate::store::StoreResult<goim_proto::MessagePage> {
                self.look_up(search).await.map_err($crate::store::StoreError::of_search)
            }
        }
    };
}
