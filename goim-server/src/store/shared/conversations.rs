/// `Conversations` for both engines, and whom entries mention.
macro_rules! conversations {
    ($store:ty, $connection:ty, $list:ident, $windows:ident, $bind:path) => {
        impl $store {
            /// The list of the user `$1` on the device `$2`. Whoever came in late, or came back, has
            /// what lies before that behind him, however far he had read. What is asked for in a select of
            /// its own is looked up for each; joined, a planner may look through all offsets for each.
            const LISTED: &str = "WITH g AS (SELECT conversation, \
                     max(CASE WHEN until_seq IS NULL THEN 1 ELSE 0 END) AS open, \
                     max(until_seq) AS until, max(from_seq) AS since \
                     FROM members WHERE user_id = $1 AND conversation > $3 \
                     GROUP BY conversation ORDER BY conversation LIMIT $4), \
                 v AS (SELECT g.conversation, c.kind, g.open, \
                     CASE WHEN g.open = 1 THEN c.title ELSE '' END AS title, \
                     CASE WHEN g.open = 1 THEN c.head ELSE g.until END AS head, \
                     CASE WHEN g.open = 1 THEN c.count ELSE COALESCE((SELECT e.count FROM messages e \
                         WHERE e.conversation = g.conversation AND e.seq = g.until), c.count) END AS count, \
                     COALESCE(r.seq, 0) AS marker, \
                     CASE WHEN r.seq > g.since THEN r.seq ELSE g.since END AS seen, \
                     COALESCE(r.count, 0) AS seen_count \
                     FROM g JOIN conversations c ON c.id = g.conversation \
                     LEFT JOIN read_markers r ON r.user_id = $1 AND r.conversation = g.conversation) \
                 SELECT v.conversation, v.kind, v.title, \
                 CASE WHEN v.open = 1 THEN COALESCE(p.avatar, '') ELSE '' END, \
                 COALESCE(CASE WHEN d.low = $1 THEN d.high ELSE d.low END, 0), \
                 v.head, COALESCE((SELECT o.seq FROM offsets o \
                     WHERE o.device = $2 AND o.conversation = v.conversation), 0), \
                 v.marker, v.count - v.seen_count, \
                 (SELECT count(*) FROM mentions n WHERE n.conversation = v.conversation \
                     AND n.user_id IN (0, $1) AND n.seq > v.seen AND n.seq <= v.head AND n.sender <> $1 \
                     AND NOT EXISTS (SELECT 1 FROM deletions x WHERE x.user_id = $1 \
                         AND x.conversation = n.conversation AND x.seq = n.seq)), \
                 COALESCE(s.muted, false), COALESCE(s.pinned, false), COALESCE(v.count <= s.hidden_at, false), \
                 CASE WHEN v.count > 0 THEN (SELECT max((SELECT m.seq FROM messages m \
                     WHERE m.conversation = b.conversation AND m.kind < 32 \
                     AND m.seq >= COALESCE(b.visible_from, b.from_seq) \
                     AND m.seq <= COALESCE(b.until_seq, v.head) ORDER BY m.seq DESC LIMIT 1)) \
                     FROM members b WHERE b.conversation = v.conversation AND b.user_id = $1) END \
                 FROM v \
                 LEFT JOIN group_settings p ON p.conversation = v.conversation \
                 LEFT JOIN direct_chats d ON d.conversation = v.conversation \
                 LEFT JOIN conversation_settings s ON s.user_id = $1 AND s.conversation = v.conversation \
                 ORDER BY v.conversation";

            /// Messages of the conversations `$1` at the seqs `$2`, as history shows them to the user `$3`.
            /// (SQLite joins in this order only if it is told so; else it reads all of their messages.)
            const LAST: &str = concat!(
                "SELECT m.conversation, m.seq, m.sender, m.client_msg_id, m.at, m.count, \
                 CASE WHEN d.seq IS NULL THEN COALESCE(f.body, m.body) ELSE $4 END \
                 FROM ",
                $windows!("$1", "$2"),
                " w CROSS JOIN messages m \
                 LEFT JOIN deletions d ON d.user_id = $3 AND d.conversation = m.conversation AND d.seq = m.seq \
                 LEFT JOIN message_forms f ON f.conversation = m.conversation AND f.seq = m.seq \
                 WHERE m.conversation = w.behind AND m.seq = w.until ORDER BY m.conversation"
            );

            /// Sets what is given; what that changes nothing of is left alone.
            const KEEP: &str = "INSERT INTO conversation_settings AS s \
                 (user_id, conversation, muted, pinned, hidden_at) \
                 SELECT $1, $2, COALESCE($3, false), COALESCE($4, false), \
                     CASE WHEN $5 THEN COALESCE(e.count, c.count) END \
                 FROM (SELECT max(CASE WHEN until_seq IS NULL THEN 1 ELSE 0 END) AS open, \
                       max(until_seq) AS until FROM members WHERE conversation = $2 AND user_id = $1) g \
                 JOIN conversations c ON c.id = $2 \
                 LEFT JOIN messages e ON e.conversation = $2 AND e.seq = g.until AND g.open = 0 WHERE true \
                 ON CONFLICT (user_id, conversation) DO UPDATE SET muted = COALESCE($3, s.muted), \
                     pinned = COALESCE($4, s.pinned), \
                     hidden_at = CASE WHEN $5 IS NULL THEN s.hidden_at ELSE excluded.hidden_at END \
                 WHERE s.muted <> COALESCE($3, s.muted) OR s.pinned <> COALESCE($4, s.pinned) \
                     OR ($5 IS NOT NULL AND s.hidden_at IS DISTINCT FROM excluded.hidden_at)";
        }

        #[async_trait::async_trait]
        impl $crate::store::Conversations for $store {
            async fn conversations(
                &self,
                user: goim_core::UserId,
                device: goim_core::DeviceId,
                after: goim_core::ConversationId,
                limit: u32,
                bytes_max: usize,
            ) -> $crate::store::StoreResult<goim_proto::ConversationPage> {
                use futures_util::TryStreamExt as _;
                let mut connection = self.read().await?;
                let rows: Vec<$crate::store::shared::rows::ListedColumns> = sqlx::query_as(Self::LISTED)
                    .bind(user.as_i64())
                    .bind(device.as_i64())
                    .bind(after.as_i64())
                    .bind(i64::from(limit))
                    .fetch_all(&mut *connection)
                    .await?;
                let more = rows.len() >= limit as usize;
                let (items, newest): (Vec<_>, Vec<_>) =
                    rows.into_iter().map($crate::store::shared::rows::listed).unzip();
                let (within, at): (Vec<i64>, Vec<i64>) = newest.into_iter().flatten().unzip();
                let mut page = goim_proto::ConversationPage { items, more };
                let mut messages = sqlx::query_as(Self::LAST)
                    .bind($bind(&within))
                    .bind($bind(&at))
                    .bind(user.as_i64())
                    .bind($crate::store::deleted_body().to_vec())
                    .fetch(&mut *connection);
                let mut bytes = 0;
                while let Some(columns) = messages.try_next().await? {
                    let (conversation, entry) = $crate::store::shared::rows::last(columns);
                    bytes += entry.body.len();
                    if !$crate::store::shared::rows::add_last(&mut page, conversation, entry, bytes <= bytes_max) {
                        break;
                    }
                }
                drop(messages);
                Ok(page)
            }

            async fn update_conversation(
                &self,
                user: goim_core::UserId,
                update: &goim_proto::ConversationUpdate,
                notice: &$crate::store::Notice,
                now_ms: u64,
            ) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                if Self::read_ranges(&mut *connection, Self::PULLED, user, update.conversation)
                    .await?
                    .is_empty()
                {
                    return Err($crate::store::StoreError::NotMember);
                }
                let mut transaction = Self::begin(&mut connection).await?;
                let kept = sqlx::query(Self::KEEP)
                    .bind(user.as_i64())
                    .bind(update.conversation.as_i64())
                    .bind(update.muted)
                    .bind(update.pinned)
                    .bind(update.hidden)
                    .execute(&mut *transaction)
                    .await?;
                if kept.rows_affected() > 0 {
                    Self::owe_notice(&mut transaction, user, user, notice, now_ms).await?;
                }
                transaction.commit().await?;
                Ok(())
            }
        }

        /// The message at `seq` mentions these members; whoever is none is not told.
        async fn mention(
            connection: &mut $connection,
            row: &EffectRow,
            seq: goim_core::Seq,
            users: &[goim_core::UserId],
        ) -> Result<(), sqlx::Error> {
            let ids: Vec<i64> = users.iter().map(|user| user.as_i64()).collect();
            sqlx::query(concat!(
                "INSERT INTO mentions (conversation, user_id, seq, sender) SELECT $2, u.id, $3, $4 FROM ",
                $list!("$1"),
                " u WHERE u.id = 0 OR EXISTS (SELECT 1 FROM members m \
                     WHERE m.conversation = $2 AND m.user_id = u.id AND m.until_seq IS NULL)"
            ))
            .bind($bind(&ids))
            .bind(row.conversation.as_i64())
            .bind(seq.as_i64())
            .bind(row.sender.as_i64())
            .execute(connection)
            .await?;
            Ok(())
        }

        /// The message at `seq` mentions nobody any more.
        async fn unmention(
            connection: &mut $connection,
            row: &EffectRow,
            seq: goim_core::Seq,
        ) -> Result<(), sqlx::Error> {
            sqlx::query("DELETE FROM mentions WHERE conversation = $1 AND seq = $2")
                .bind(row.conversation.as_i64())
                .bind(seq.as_i64())
                .execute(connection)
                .await?;
            Ok(())
        }
    };
}
