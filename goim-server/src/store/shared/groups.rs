/// `Groups` for both engines.
macro_rules! groups {
    ($store:ty) => {
        #[async_trait::async_trait]
        impl $crate::store::Groups for $store {
            async fn group(
                &self,
                conversation: goim_core::ConversationId,
                user: goim_core::UserId,
            ) -> $crate::store::StoreResult<Option<goim_proto::GroupInfo>> {
                let mut connection = self.read().await?;
                let row = sqlx::query_as(
                    "SELECT c.id, c.title, g.avatar, g.announcement, g.policy, g.history, g.muted, g.dismissed, \
                         COALESCE((SELECT min(m.user_id) FROM members m WHERE m.conversation = c.id \
                             AND m.until_seq IS NULL AND m.role < 3 AND m.role = 1), 0), \
                         g.members, \
                         (SELECT m.role FROM members m WHERE m.conversation = c.id \
                             AND m.user_id = $2 AND m.until_seq IS NULL) \
                     FROM conversations c JOIN group_settings g ON g.conversation = c.id \
                     WHERE c.id = $1 AND c.head > 0",
                )
                .bind(conversation.as_i64())
                .bind(user.as_i64())
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map($crate::store::shared::rows::group))
            }

            async fn applies(
                &self,
                conversation: goim_core::ConversationId,
                user: goim_core::UserId,
            ) -> $crate::store::StoreResult<bool> {
                let mut connection = self.read().await?;
                let (applies,): (bool,) = sqlx::query_as(
                    "SELECT EXISTS (SELECT 1 FROM group_applications \
                     WHERE conversation = $1 AND user_id = $2 AND state = 1)",
                )
                .bind(conversation.as_i64())
                .bind(user.as_i64())
                .fetch_one(&mut *connection)
                .await?;
                Ok(applies)
            }

            async fn apply_to_group(
                &self,
                conversation: goim_core::ConversationId,
                user: goim_core::UserId,
                comment: &str,
                notice: &$crate::store::Notice,
                limit: $crate::store::OpenLimit,
                now_ms: u64,
            ) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                Self::lock_user(&mut transaction, user).await?;
                Self::raise_revision(&mut transaction, conversation).await?;
                sqlx::query(
                    "DELETE FROM group_applications WHERE conversation = $1 AND user_id = $2 AND state <> 1",
                )
                .bind(conversation.as_i64())
                .bind(user.as_i64())
                .execute(&mut *transaction)
                .await?;
                let kept = sqlx::query(
                    "INSERT INTO group_applications (conversation, user_id, comment, at) \
                     SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM members \
                         WHERE conversation = $1 AND user_id = $2 AND until_seq IS NULL) \
                     AND NOT EXISTS (SELECT 1 FROM group_settings WHERE conversation = $1 AND dismissed) \
                     ON CONFLICT (conversation, user_id) DO NOTHING",
                )
                .bind(conversation.as_i64())
                .bind(user.as_i64())
                .bind(comment)
                .bind($crate::store::shared::rows::column(now_ms))
                .execute(&mut *transaction)
                .await?;
                if kept.rows_affected() == 0 {
                    // Nothing has changed, and the revision stays.
                    return Ok(());
                }
                let open = "SELECT count(*) FROM group_applications WHERE user_id = $1 AND state = 1 AND at > $2";
                Self::check_open(&mut transaction, open, user, limit).await?;
                // The owner and as many admins as one transaction may well write rows for.
                sqlx::query(
                    "INSERT INTO due (user_id, kind, conversation, seq, sender, at, body) \
                     SELECT user_id, $2, 0, 0, $3, $4, $5 FROM members \
                     WHERE conversation = $1 AND until_seq IS NULL AND role < 3 AND NOT EXISTS \
                         (SELECT 1 FROM blocks WHERE blocks.user_id = members.user_id AND blocked_id = $3) \
                     ORDER BY role, user_id LIMIT 64",
                )
                .bind(conversation.as_i64())
                .bind(notice.kind.0)
                .bind(user.as_i64())
                .bind($crate::store::shared::rows::column(now_ms))
                .bind(notice.body.as_ref())
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(())
            }

            async fn reject_application(
                &self,
                conversation: goim_core::ConversationId,
                user: goim_core::UserId,
                by: goim_core::UserId,
                notice: &$crate::store::Notice,
                now_ms: u64,
            ) -> $crate::store::StoreResult<bool> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                Self::raise_revision(&mut transaction, conversation).await?;
                let rejected = sqlx::query(
                    "UPDATE group_applications SET state = 3 \
                     WHERE conversation = $1 AND user_id = $2 AND state = 1",
                )
                .bind(conversation.as_i64())
                .bind(user.as_i64())
                .execute(&mut *transaction)
                .await?;
                if rejected.rows_affected() == 0 {
                    return Ok(false);
                }
                Self::owe_notice(&mut transaction, user, by, notice, now_ms).await?;
                transaction.commit().await?;
                Ok(true)
            }

            async fn applications(
                &self,
                which: $crate::store::Applications,
                before: u64,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<goim_proto::Application>> {
                let (sql, of) = match which {
                    $crate::store::Applications::To(conversation) => (
                        "SELECT id, conversation, user_id, comment, state, at FROM group_applications \
                         WHERE conversation = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
                        conversation.as_i64(),
                    ),
                    $crate::store::Applications::Of(user) => (
                        "SELECT id, conversation, user_id, comment, state, at FROM group_applications \
                         WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
                        user.as_i64(),
                    ),
                };
                let mut connection = self.read().await?;
                let rows = sqlx::query_as(sql)
                    .bind(of)
                    .bind($crate::store::shared::rows::column(before))
                    .bind(i64::from(limit))
                    .fetch_all(&mut *connection)
                    .await?;
                Ok(rows.into_iter().map($crate::store::shared::rows::application).collect())
            }
        }
    };
}
