/// Writes what a batch's entries do to the fold's tables, in the transaction of their append.
macro_rules! effects {
    ($connection:ty, $list:ident, $bind:path) => {
        pub(super) async fn apply_effects(
            connection: &mut $connection,
            batch: &$crate::store::EntryBatch,
            stale: &[goim_core::ConversationId],
        ) -> Result<(), sqlx::Error> {
            for row in batch.rows.iter().filter(|row| !stale.contains(&row.conversation)) {
                match &row.entry.effect {
                    $crate::store::Effect::None => {}
                    $crate::store::Effect::Join { users } => join(connection, row, users).await?,
                    $crate::store::Effect::Part { user } => part(connection, row, *user).await?,
                    $crate::store::Effect::Retitle { title } => {
                        sqlx::query("UPDATE conversations SET title = $2 WHERE id = $1")
                            .bind(row.conversation.as_i64())
                            .bind(title)
                            .execute(&mut *connection)
                            .await?;
                    }
                }
            }
            Ok(())
        }

        type EffectRow = goim_core::lane::Row<$crate::store::EntryDraft>;

        async fn join(
            connection: &mut $connection,
            row: &EffectRow,
            users: &[(goim_core::UserId, goim_proto::Role)],
        ) -> Result<(), sqlx::Error> {
            use goim_proto::Role;
            for role in [Role::Owner, Role::Admin, Role::Member] {
                let of_role = users.iter().filter(|(_, r)| *r == role);
                let ids: Vec<i64> = of_role.map(|(user, _)| user.as_i64()).collect();
                if ids.is_empty() {
                    continue;
                }
                sqlx::query(concat!(
                    "INSERT INTO members (conversation, user_id, from_seq, role) SELECT $2, u.id, $3, $4 FROM ",
                    $list!("$1"),
                    " u"
                ))
                .bind($bind(&ids))
                .bind(row.conversation.as_i64())
                .bind(row.seq.as_i64())
                .bind($crate::store::shared::rows::role_column(role))
                .execute(&mut *connection)
                .await?;
                owe(connection, row, &ids, ADDED_TO).await?;
            }
            Ok(())
        }

        async fn part(
            connection: &mut $connection,
            row: &EffectRow,
            user: goim_core::UserId,
        ) -> Result<(), sqlx::Error> {
            sqlx::query(
                "UPDATE members SET until_seq = $3 WHERE conversation = $1 AND user_id = $2 AND until_seq IS NULL",
            )
            .bind(row.conversation.as_i64())
            .bind(user.as_i64())
            .bind(row.seq.as_i64())
            .execute(&mut *connection)
            .await?;
            owe(connection, row, &[user.as_i64()], REMOVED_FROM).await
        }

        /// The content codes of what inboxes are owed.
        const ADDED_TO: i16 = 64;
        const REMOVED_FROM: i16 = 65;

        async fn owe(
            connection: &mut $connection,
            row: &EffectRow,
            users: &[i64],
            kind: i16,
        ) -> Result<(), sqlx::Error> {
            sqlx::query(concat!(
                "INSERT INTO due (user_id, kind, conversation, seq, sender, at) SELECT u.id, $2, $3, $4, $5, $6 FROM ",
                $list!("$1"),
                " u"
            ))
            .bind($bind(users))
            .bind(kind)
            .bind(row.conversation.as_i64())
            .bind(row.seq.as_i64())
            .bind(row.sender.as_i64())
            .bind($crate::store::shared::rows::column(row.at_ms))
            .execute(&mut *connection)
            .await?;
            Ok(())
        }
    };
}
