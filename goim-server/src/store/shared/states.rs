/// Where the conversations of the user `$1` stand for the device `$2`, which is what its tables say within
/// some bounds, and what else is given of them.
///
/// Tables are put one behind the other and grouped, where a join would say it in fewer words: a planner
/// that takes a reader of thousands of conversations for one of few joins them by looking through all for
/// each, and one that knows better reads the whole log to find a few places in it. This has one way to go.
macro_rules! reader_states {
    ($bounds:literal, $given:expr, $handled:literal, $of:literal, $marked:literal, $which:literal) => {
        concat!(
            "SELECT g.conversation, c.kind, CASE WHEN g.since > 0 THEN c.head ELSE g.until END, \
             CASE WHEN g.since > 0 THEN c.count ELSE COALESCE((SELECT e.count FROM messages e \
                 WHERE e.conversation = g.conversation AND e.seq = g.until), c.count) END, g.handled, \
             CASE WHEN ",
            $marked,
            " THEN COALESCE((SELECT r.seq FROM read_markers r \
                 WHERE r.user_id = $1 AND r.conversation = g.conversation), 0) ELSE 0 END, g.since \
             FROM (SELECT conversation, max(since) AS since, max(until) AS until, ",
            $handled,
            " AS handled FROM ( \
                 SELECT conversation, CASE WHEN until_seq IS NULL THEN from_seq ELSE 0 END AS since, \
                     COALESCE(until_seq, 0) AS until, CAST(-1 AS bigint) AS given, \
                     CAST(0 AS bigint) AS handled FROM members WHERE user_id = $1 AND ",
            $bounds,
            " UNION ALL SELECT conversation, -1, CAST(0 AS bigint), CAST(-1 AS bigint), seq \
                 FROM offsets WHERE device = $2 AND ",
            $bounds,
            " UNION ALL ",
            $given,
            ") t GROUP BY conversation HAVING max(since) >= 0 ",
            $of,
            ") g JOIN conversations c ON c.id = g.conversation ",
            $which,
            "ORDER BY g.conversation"
        )
    };
}

/// `ReaderStates` for both engines.
macro_rules! states {
    ($store:ty, $list:ident, $windows:ident, $bind:path) => {
        impl $store {
            const STATES: &str = concat!(
                reader_states!(
                    "conversation > $3",
                    concat!(
                        "SELECT behind, -1, CAST(0 AS bigint), until, CAST(0 AS bigint) FROM ",
                        $windows!("$5", "$6"),
                        " w"
                    ),
                    "CASE WHEN max(given) >= 0 THEN max(given) ELSE max(handled) END",
                    "",
                    "CASE WHEN g.since > 0 THEN c.head ELSE g.until END > g.handled",
                    "WHERE CASE WHEN g.since > 0 THEN c.head ELSE g.until END > g.handled OR (g.since > 0 AND $7) "
                ),
                " LIMIT $4"
            );
            const STATES_OF: &str = reader_states!(
                "conversation BETWEEN $4 AND $5",
                concat!(
                    "SELECT id, -1, CAST(0 AS bigint), CAST(0 AS bigint), CAST(0 AS bigint) FROM ",
                    $list!("$3"),
                    " i"
                ),
                "max(handled)",
                "AND max(given) >= 0",
                "true",
                ""
            );
        }

        #[async_trait::async_trait]
        impl $crate::store::ReaderStates for $store {
            async fn member_of(
                &self,
                user: goim_core::UserId,
            ) -> $crate::store::StoreResult<Vec<goim_core::ConversationId>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64,)> = sqlx::query_as(
                    "SELECT conversation FROM members WHERE user_id = $1 AND until_seq IS NULL",
                )
                .bind(user.as_i64())
                .fetch_all(&mut *connection)
                .await?;
                Ok(rows.into_iter().map(|(id,)| goim_core::ConversationId::from_i64(id)).collect())
            }

            async fn memberships(
                &self,
                user: goim_core::UserId,
            ) -> $crate::store::StoreResult<Vec<$crate::store::Membership>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
                    "SELECT m.conversation, m.from_seq, c.head FROM members m \
                     JOIN conversations c ON c.id = m.conversation \
                     WHERE m.user_id = $1 AND m.until_seq IS NULL ORDER BY m.conversation",
                )
                .bind(user.as_i64())
                .fetch_all(&mut *connection)
                .await?;
                let membership = |(conversation, from, head)| $crate::store::Membership {
                    conversation: goim_core::ConversationId::from_i64(conversation),
                    from: goim_core::Seq::from_i64(from),
                    head: goim_core::Seq::from_i64(head),
                };
                Ok(rows.into_iter().map(membership).collect())
            }

            async fn reader_states(
                &self,
                user: goim_core::UserId,
                device: goim_core::DeviceId,
                own: &[goim_proto::Position],
                after: goim_core::ConversationId,
                which: $crate::store::Which,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<$crate::store::ReaderState>> {
                let within: Vec<i64> = own.iter().map(|own| own.conversation.as_i64()).collect();
                let at: Vec<i64> = own.iter().map(|own| own.seq.as_i64()).collect();
                let mut connection = self.read().await?;
                let rows: Vec<$crate::store::shared::rows::StateColumns> = sqlx::query_as(Self::STATES)
                    .bind(user.as_i64())
                    .bind(device.as_i64())
                    .bind(after.as_i64())
                    .bind(i64::from(limit))
                    .bind($bind(&within))
                    .bind($bind(&at))
                    .bind(which == $crate::store::Which::All)
                    .fetch_all(&mut *connection)
                    .await?;
                Ok(rows.into_iter().map($crate::store::shared::rows::state).collect())
            }

            async fn reader_states_of(
                &self,
                user: goim_core::UserId,
                device: goim_core::DeviceId,
                conversations: &[goim_core::ConversationId],
            ) -> $crate::store::StoreResult<Vec<$crate::store::ReaderState>> {
                let ids = $crate::store::shared::rows::conversations(conversations);
                let mut connection = self.read().await?;
                let rows: Vec<$crate::store::shared::rows::StateColumns> = sqlx::query_as(Self::STATES_OF)
                    .bind(user.as_i64())
                    .bind(device.as_i64())
                    .bind($bind(&ids))
                    .bind(ids.iter().min())
                    .bind(ids.iter().max())
                    .fetch_all(&mut *connection)
                    .await?;
                Ok(rows.into_iter().map($crate::store::shared::rows::state).collect())
            }
        }
    };
}
