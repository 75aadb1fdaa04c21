/// `Messages` for both engines, and what entries do to messages.
macro_rules! messages {
    ($store:ty, $connection:ty, $list:ident, $bind:path) => {
        #[async_trait::async_trait]
        impl $crate::store::Messages for $store {
            async fn target(
                &self,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
                seq: goim_core::Seq,
                emoji: &str,
            ) -> $crate::store::StoreResult<Option<$crate::store::TargetRow>> {
                let mut connection = self.read().await?;
                let row: Option<$crate::store::shared::rows::TargetColumns> = sqlx::query_as(
                    "SELECT c.head, m.sender, m.kind, m.at, \
                     EXISTS (SELECT 1 FROM members b WHERE b.conversation = $1 AND b.user_id = $3 \
                         AND COALESCE(b.visible_from, b.from_seq) <= $2 \
                         AND (b.until_seq IS NULL OR b.until_seq >= $2)), \
                     EXISTS (SELECT 1 FROM message_forms f \
                         WHERE f.conversation = $1 AND f.seq = $2 AND f.recalled), \
                     (SELECT count(*) FROM message_edits e WHERE e.conversation = $1 AND e.target = $2), \
                     (SELECT count(*) FROM reaction_counts r WHERE r.conversation = $1 AND r.seq = $2), \
                     EXISTS (SELECT 1 FROM reaction_counts r \
                         WHERE r.conversation = $1 AND r.seq = $2 AND r.emoji = $4) \
                     FROM conversations c JOIN messages m ON m.conversation = c.id WHERE c.id = $1 AND m.seq = $2",
                )
                .bind(conversation.as_i64())
                .bind(seq.as_i64())
                .bind(user.as_i64())
                .bind(emoji)
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map($crate::store::shared::rows::target))
            }

            async fn forms(
                &self,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
                seqs: &[goim_core::Seq],
            ) -> $crate::store::StoreResult<Vec<goim_proto::MessageForm>> {
                if seqs.is_empty() {
                    return Ok(Vec::new());
                }
                let mut connection = self.read().await?;
                let seqs: Vec<i64> = seqs.iter().map(|seq| seq.as_i64()).collect();
                let edited: Vec<(i64, i64)> = sqlx::query_as(concat!(
                    "SELECT seq, edited_at FROM message_forms \
                     WHERE conversation = $1 AND edited_at IS NOT NULL AND seq IN ",
                    $list!("$2")
                ))
                .bind(conversation.as_i64())
                .bind($bind(&seqs))
                .fetch_all(&mut *connection)
                .await?;
                let reactions: Vec<(i64, String, i64, bool)> = sqlx::query_as(concat!(
                    "SELECT c.seq, c.emoji, c.count, EXISTS (SELECT 1 FROM reactions r \
                         WHERE r.conversation = $1 AND r.seq = c.seq AND r.emoji = c.emoji AND r.user_id = $3) \
                     FROM reaction_counts c WHERE c.conversation = $1 AND c.seq IN ",
                    $list!("$2"),
                    " ORDER BY c.seq, c.count DESC, c.emoji"
                ))
                .bind(conversation.as_i64())
                .bind($bind(&seqs))
                .bind(user.as_i64())
                .fetch_all(&mut *connection)
                .await?;
                Ok($crate::store::shared::rows::forms(edited, reactions))
            }
        }

        /// What an entry does to the message that it names.
        async fn act_on_message(
            connection: &mut $connection,
            row: &EffectRow,
            target: goim_core::Seq,
            act: &$crate::store::MessageAct,
        ) -> Result<(), sqlx::Error> {
            if !matches!(act, $crate::store::MessageAct::React { .. }) {
                unindex(connection, row, target).await?;
            }
            match act {
                $crate::store::MessageAct::Edit { body, mentions } => {
                    edit(connection, row, target, body).await?;
                    unmention(connection, row, target).await?;
                    if mentions.is_empty() { Ok(()) } else { mention(connection, row, target, mentions).await }
                }
                $crate::store::MessageAct::Recall => recall(connection, row, target).await,
                $crate::store::MessageAct::React { emoji, set: true, .. } => {
                    react(connection, row, target, emoji).await
                }
                $crate::store::MessageAct::React { emoji, set: false, .. } => {
                    unreact(connection, row, target, emoji).await
                }
            }
        }

        /// Nobody finds the message by what it said.
        async fn unindex(
            connection: &mut $connection,
            row: &EffectRow,
            target: goim_core::Seq,
        ) -> Result<(), sqlx::Error> {
            hold_index(connection, row.conversation.as_i64()).await?;
            sqlx::query("DELETE FROM message_words WHERE conversation = $1 AND seq = $2")
                .bind(row.conversation.as_i64())
                .bind(target.as_i64())
                .execute(connection)
                .await?;
            Ok(())
        }

        async fn edit(
            connection: &mut $connection,
            row: &EffectRow,
            target: goim_core::Seq,
            body: &[u8],
        ) -> Result<(), sqlx::Error> {
            sqlx::query(
                "INSERT INTO message_forms (conversation, seq, body, edited_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (conversation, seq) DO UPDATE \
                 SET body = excluded.body, edited_at = excluded.edited_at",
            )
            .bind(row.conversation.as_i64())
            .bind(target.as_i64())
            .bind(body)
            .bind($crate::store::shared::rows::column(row.at_ms))
            .execute(&mut *connection)
            .await?;
            sqlx::query("INSERT INTO message_edits (conversation, target, seq) VALUES ($1, $2, $3)")
                .bind(row.conversation.as_i64())
                .bind(target.as_i64())
                .bind(row.seq.as_i64())
                .execute(&mut *connection)
                .await?;
            Ok(())
        }

        async fn recall(
            connection: &mut $connection,
            row: &EffectRow,
            target: goim_core::Seq,
        ) -> Result<(), sqlx::Error> {
            let edits = "UPDATE messages SET body = $3 WHERE conversation = $1 AND seq IN \
                 (SELECT seq FROM message_edits WHERE conversation = $1 AND target = $2)";
            let message = "UPDATE messages SET body = $3 WHERE conversation = $1 AND seq = $2";
            let blanks = [
                (edits, $crate::store::recalled_edit(target)),
                (message, $crate::store::recalled_body()),
            ];
            for (blank, body) in blanks {
                sqlx::query(blank)
                    .bind(row.conversation.as_i64())
                    .bind(target.as_i64())
                    .bind(body.as_ref())
                    .execute(&mut *connection)
                    .await?;
            }
            for forget in [
                "DELETE FROM message_edits WHERE conversation = $1 AND target = $2",
                "DELETE FROM mentions WHERE conversation = $1 AND seq = $2",
                "DELETE FROM reactions WHERE conversation = $1 AND seq = $2",
                "DELETE FROM reaction_counts WHERE conversation = $1 AND seq = $2",
                "INSERT INTO message_forms (conversation, seq, recalled) VALUES ($1, $2, true) \
                 ON CONFLICT (conversation, seq) DO UPDATE SET body = NULL, edited_at = NULL, recalled = true",
            ] {
                sqlx::query(forget)
                    .bind(row.conversation.as_i64())
                    .bind(target.as_i64())
                    .execute(&mut *connection)
                    .await?;
            }
            Ok(())
        }

        async fn react(
            connection: &mut $connection,
            row: &EffectRow,
            target: goim_core::Seq,
            emoji: &str,
        ) -> Result<(), sqlx::Error> {
            let set = "INSERT INTO reactions (conversation, seq, emoji, user_id) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (conversation, seq, emoji, user_id) DO NOTHING";
            let count = "INSERT INTO reaction_counts (conversation, seq, emoji, count) VALUES ($1, $2, $3, 1) \
                 ON CONFLICT (conversation, seq, emoji) DO UPDATE SET count = reaction_counts.count + 1";
            let changed = change_reaction(connection, row, target, emoji, set).await?;
            if changed {
                count_reaction(connection, row, target, emoji, count).await?;
            }
            Ok(())
        }

        async fn unreact(
            connection: &mut $connection,
            row: &EffectRow,
            target: goim_core::Seq,
            emoji: &str,
        ) -> Result<(), sqlx::Error> {
            let unset = "DELETE FROM reactions \
                 WHERE conversation = $1 AND seq = $2 AND emoji = $3 AND user_id = $4";
            let changed = change_reaction(connection, row, target, emoji, unset).await?;
            if changed {
                for count in [
                    "UPDATE reaction_counts SET count = count - 1 \
                     WHERE conversation = $1 AND seq = $2 AND emoji = $3",
                    "DELETE FROM reaction_counts \
                     WHERE conversation = $1 AND seq = $2 AND emoji = $3 AND count = 0",
                ] {
                    count_reaction(connection, row, target, emoji, count).await?;
                }
            }
            Ok(())
        }

        /// Whether that changed anything.
        async fn change_reaction(
            connection: &mut $connection,
            row: &EffectRow,
            target: goim_core::Seq,
            emoji: &str,
            statement: &'static str,
        ) -> Result<bool, sqlx::Error> {
            let changed = sqlx::query(statement)
                .bind(row.conversation.as_i64())
                .bind(target.as_i64())
                .bind(emoji)
                .bind(row.sender.as_i64())
                .execute(connection)
                .await?;
            Ok(changed.rows_affected() > 0)
        }

        async fn count_reaction(
            connection: &mut $connection,
            row: &EffectRow,
            target: goim_core::Seq,
            emoji: &str,
            statement: &'static str,
        ) -> Result<(), sqlx::Error> {
            sqlx::query(statement)
                .bind(row.conversation.as_i64())
                .bind(target.as_i64())
                .bind(emoji)
                .execute(connection)
                .await?;
            Ok(())
        }
    };
}
