/// `Receipts` for both engines.
macro_rules! receipts {
    ($store:ty) => {
        #[async_trait::async_trait]
        impl $crate::store::Receipts for $store {
            async fn readers_of(
                &self,
                conversation: goim_core::ConversationId,
                seq: goim_core::Seq,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<(goim_core::UserId, Option<bool>)>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64, bool, bool)> = sqlx::query_as(
                    "SELECT m.user_id, COALESCE(m.visible_from, m.from_seq) <= $2, \
                     EXISTS (SELECT 1 FROM read_markers r WHERE r.user_id = m.user_id \
                         AND r.conversation = $1 AND r.seq >= $2) \
                     FROM members m WHERE m.conversation = $1 AND m.until_seq IS NULL \
                     ORDER BY m.user_id LIMIT $3",
                )
                .bind(conversation.as_i64())
                .bind(seq.as_i64())
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                let reader = |(user, may, has)| (goim_core::UserId::from_i64(user), Some(has).filter(|_| may));
                Ok(rows.into_iter().map(reader).collect())
            }

            async fn receipt(
                &self,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
            ) -> $crate::store::StoreResult<Option<goim_proto::Receipt>> {
                let mut connection = self.read().await?;
                let row: Option<(i64, i64)> = sqlx::query_as(
                    "WITH d AS (SELECT CASE WHEN low = $1 THEN high ELSE low END AS other \
                         FROM direct_chats WHERE conversation = $2 AND $1 IN (low, high)) \
                     SELECT COALESCE((SELECT max(o.seq) FROM devices v JOIN offsets o \
                             ON o.device = v.id AND o.conversation = $2 WHERE v.user_id = d.other), 0), \
                         COALESCE((SELECT r.seq FROM read_markers r \
                             WHERE r.user_id = d.other AND r.conversation = $2), 0) FROM d",
                )
                .bind(user.as_i64())
                .bind(conversation.as_i64())
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map(|(delivered, read)| goim_proto::Receipt {
                    delivered: goim_core::Seq::from_i64(delivered),
                    read: goim_core::Seq::from_i64(read),
                }))
            }
        }
    };
}
