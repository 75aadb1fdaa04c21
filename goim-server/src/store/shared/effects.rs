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
                    $crate::store::Effect::Mention { users } => mention(connection, row, row.seq, users).await?,
                    $crate::store::Effect::Join { users } => join(connection, row, users).await?,
                    $crate::store::Effect::Admit { user } => {
                        join(connection, row, &[(*user, goim_proto::Role::Member)]).await?;
                    }
                    $crate::store::Effect::Part { user } => part(connection, row, *user).await?,
                    $crate::store::Effect::SetRole { user, role } => {
                        set_role(connection, row, *user, *role).await?;
                    }
                    $crate::store::Effect::SetMuted { user, muted } => {
                        set_muted(connection, row, *user, *muted).await?;
                    }
                    $crate::store::Effect::Transfer { to } => {
                        set_role(connection, row, row.sender, goim_proto::Role::Admin).await?;
                        set_role(connection, row, *to, goim_proto::Role::Owner).await?;
                    }
                    $crate::store::Effect::Change(change) => change_group(connection, row, change).await?,
                    $crate::store::Effect::Dismiss => dismiss(connection, row).await?,
                    $crate::store::Effect::OnMessage { target, act } => {
                        act_on_message(connection, row, target.seq, act).await?;
                    }
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
            let joined = i64::try_from(users.len()).unwrap_or(i64::MAX);
            add_to_count(connection, row, joined).await?;
            for role in [Role::Owner, Role::Admin, Role::Member] {
                let of_role = users.iter().filter(|(_, r)| *r == role);
                let ids: Vec<i64> = of_role.map(|(user, _)| user.as_i64()).collect();
                if ids.is_empty() {
                    continue;
                }
                sqlx::query(concat!(
                    "INSERT INTO members (conversation, user_id, from_seq, role, muted, visible_from) \
                     SELECT $2, u.id, $3, $4, EXISTS (SELECT 1 FROM members m \
                         WHERE m.conversation = $2 AND m.user_id = u.id AND m.muted), \
                     CASE WHEN EXISTS (SELECT 1 FROM group_settings \
                         WHERE conversation = $2 AND history = 2) THEN 1 END FROM ",
                    $list!("$1"),
                    " u"
                ))
                .bind($bind(&ids))
                .bind(row.conversation.as_i64())
                .bind(row.seq.as_i64())
                .bind($crate::store::shared::rows::role_column(role))
                .execute(&mut *connection)
                .await?;
                // What was said before he came in is behind him.
                sqlx::query(concat!(
                    "INSERT INTO read_markers (user_id, conversation, seq, count) SELECT u.id, $2, 0, $3 FROM ",
                    $list!("$1"),
                    " u WHERE true ON CONFLICT (user_id, conversation) DO UPDATE SET count = excluded.count \
                     WHERE read_markers.count < excluded.count"
                ))
                .bind($bind(&ids))
                .bind(row.conversation.as_i64())
                .bind($crate::store::shared::rows::column(row.count))
                .execute(&mut *connection)
                .await?;
                owe(connection, row, &ids, ADDED_TO).await?;
                // Whatever lets an applicant in accepts his application.
                sqlx::query(concat!(
                    "UPDATE group_applications SET state = 2 WHERE conversation = $2 AND state = 1 \
                     AND user_id IN ",
                    $list!("$1")
                ))
                .bind($bind(&ids))
                .bind(row.conversation.as_i64())
                .execute(&mut *connection)
                .await?;
            }
            Ok(())
        }

        /// Direct chats have no such count, nor any of a group's settings.
        async fn add_to_count(
            connection: &mut $connection,
            row: &EffectRow,
            members: i64,
        ) -> Result<(), sqlx::Error> {
            sqlx::query("UPDATE group_settings SET members = members + $2 WHERE conversation = $1")
                .bind(row.conversation.as_i64())
                .bind(members)
                .execute(connection)
                .await?;
            Ok(())
        }

        async fn dismiss(connection: &mut $connection, row: &EffectRow) -> Result<(), sqlx::Error> {
            for sql in [
                "UPDATE group_settings SET dismissed = true WHERE conversation = $1",
                "UPDATE group_applications SET state = 3 WHERE conversation = $1 AND state = 1",
            ] {
                sqlx::query(sql).bind(row.conversation.as_i64()).execute(&mut *connection).await?;
            }
            Ok(())
        }

        async fn set_role(
            connection: &mut $connection,
            row: &EffectRow,
            user: goim_core::UserId,
            role: goim_proto::Role,
        ) -> Result<(), sqlx::Error> {
            sqlx::query(
                "UPDATE members SET role = $3 WHERE conversation = $1 AND user_id = $2 AND until_seq IS NULL",
            )
            .bind(row.conversation.as_i64())
            .bind(user.as_i64())
            .bind($crate::store::shared::rows::role_column(role))
            .execute(connection)
            .await?;
            Ok(())
        }

        async fn set_muted(
            connection: &mut $connection,
            row: &EffectRow,
            user: goim_core::UserId,
            muted: bool,
        ) -> Result<(), sqlx::Error> {
            // In all ranges that he had: who comes back is muted if he is in any of them.
            sqlx::query("UPDATE members SET muted = $3 WHERE conversation = $1 AND user_id = $2")
                .bind(row.conversation.as_i64())
                .bind(user.as_i64())
                .bind(muted)
                .execute(connection)
                .await?;
            Ok(())
        }

        async fn change_group(
            connection: &mut $connection,
            row: &EffectRow,
            change: &goim_proto::GroupChange,
        ) -> Result<(), sqlx::Error> {
            sqlx::query(
                "UPDATE group_settings SET avatar = COALESCE($2, avatar), \
                     announcement = COALESCE($3, announcement), policy = COALESCE($4, policy), \
                     history = COALESCE($5, history), muted = COALESCE($6, muted) WHERE conversation = $1",
            )
            .bind(row.conversation.as_i64())
            .bind(change.avatar.as_deref())
            .bind(change.announcement.as_deref())
            .bind(change.policy.map(|policy| $crate::store::shared::rows::code_column(policy.code())))
            .bind(change.history.map(|history| $crate::store::shared::rows::code_column(history.code())))
            .bind(change.muted)
            .execute(connection)
            .await?;
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
            add_to_count(connection, row, -1).await?;
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
