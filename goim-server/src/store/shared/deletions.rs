/// `Deletions` for both engines.
macro_rules! deletions {
    ($store:ty, $list:ident, $bind:path) => {
        #[async_trait::async_trait]
        impl $crate::store::Deletions for $store {
            async fn delete_for(
                &self,
                user: goim_core::UserId,
                list: &goim_proto::MessageList,
                notice: &$crate::store::Notice,
                now_ms: u64,
            ) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                if Self::read_ranges(&mut *connection, Self::PULLED, user, list.conversation)
                    .await?
                    .is_empty()
                {
                    return Err($crate::store::StoreError::NotMember);
                }
                let mut transaction = Self::begin(&mut connection).await?;
                let seqs: Vec<i64> = list.seqs.iter().map(|seq| seq.as_i64()).collect();
                let deleted = sqlx::query(concat!(
                    "INSERT INTO deletions (user_id, conversation, seq) \
                     SELECT $1, m.conversation, m.seq FROM messages m \
                     WHERE m.conversation = $2 AND m.kind < 32 AND m.seq IN ",
                    $list!("$3"),
                    " AND EXISTS (SELECT 1 FROM members b WHERE b.conversation = $2 AND b.user_id = $1 \
                         AND COALESCE(b.visible_from, b.from_seq) <= m.seq \
                         AND (b.until_seq IS NULL OR b.until_seq >= m.seq)) \
                     ON CONFLICT (user_id, conversation, seq) DO NOTHING"
                ))
                .bind(user.as_i64())
                .bind(list.conversation.as_i64())
                .bind($bind(&seqs))
                .execute(&mut *transaction)
                .await?;
                if deleted.rows_affected() > 0 {
                    Self::owe_notice(&mut transaction, user, user, notice, now_ms).await?;
                }
                transaction.commit().await?;
                Ok(())
            }

            async fn last_deletions(
                &self,
                user: goim_core::UserId,
            ) -> $crate::store::StoreResult<Vec<(goim_core::ConversationId, goim_core::Seq)>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64, i64)> = sqlx::query_as(
                    "SELECT conversation, max(seq) FROM deletions WHERE user_id = $1 GROUP BY conversation",
                )
                .bind(user.as_i64())
                .fetch_all(&mut *connection)
                .await?;
                let last = |(conversation, seq)| {
                    (goim_core::ConversationId::from_i64(conversation), goim_core::Seq::from_i64(seq))
                };
                Ok(rows.into_iter().map(last).collect())
            }
        }
    };
}
