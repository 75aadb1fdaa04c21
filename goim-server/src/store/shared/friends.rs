/// `Friends` for both engines.
macro_rules! friends {
    ($store:ty, $connection:ty, $list:ident, $bind:path) => {
        impl $store {
            /// A number that a statement counts for a user.
            async fn count(
                connection: &mut $connection,
                sql: &'static str,
                user: goim_core::UserId,
            ) -> Result<u64, sqlx::Error> {
                let (count,): (i64,) = sqlx::query_as(sql).bind(user.as_i64()).fetch_one(connection).await?;
                Ok($crate::store::shared::rows::number(count))
            }

            /// Refuses a user who has more open than he may, as a statement counts it that is given the user
            /// and the time that counts.
            async fn check_open(
                connection: &mut $connection,
                sql: &'static str,
                user: goim_core::UserId,
                limit: $crate::store::OpenLimit,
            ) -> $crate::store::StoreResult<()> {
                let (count,): (i64,) = sqlx::query_as(sql)
                    .bind(user.as_i64())
                    .bind($crate::store::shared::rows::column(limit.after_ms))
                    .fetch_one(connection)
                    .await?;
                if $crate::store::shared::rows::number(count) > limit.most {
                    return Err($crate::store::StoreError::TooMany);
                }
                Ok(())
            }

            /// Owes a notice to a user's inbox.
            async fn owe_notice(
                connection: &mut $connection,
                to: goim_core::UserId,
                sender: goim_core::UserId,
                notice: &$crate::store::Notice,
                now_ms: u64,
            ) -> Result<(), sqlx::Error> {
                sqlx::query(
                    "INSERT INTO due (user_id, kind, conversation, seq, sender, at, body) \
                     VALUES ($1, $2, 0, 0, $3, $4, $5)",
                )
                .bind(to.as_i64())
                .bind(notice.kind.0)
                .bind(sender.as_i64())
                .bind($crate::store::shared::rows::column(now_ms))
                .bind(notice.body.as_ref())
                .execute(connection)
                .await?;
                Ok(())
            }

            /// Makes two users friends; whether they were not yet. The lesser id comes first, so that two who
            /// accept each other at once do not wait for each other in a circle.
            async fn befriend(
                connection: &mut $connection,
                one: goim_core::UserId,
                other: goim_core::UserId,
                now_ms: u64,
            ) -> Result<bool, sqlx::Error> {
                let made = sqlx::query(
                    "INSERT INTO friends (user_id, friend_id, since) VALUES ($1, $2, $3), ($2, $1, $3) \
                     ON CONFLICT (user_id, friend_id) DO NOTHING",
                )
                .bind(one.min(other).as_i64())
                .bind(one.max(other).as_i64())
                .bind($crate::store::shared::rows::column(now_ms))
                .execute(connection)
                .await?;
                Ok(made.rows_affected() > 0)
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Friends for $store {
            async fn relation(
                &self,
                user: goim_core::UserId,
                other: goim_core::UserId,
            ) -> $crate::store::StoreResult<Option<$crate::store::Relation>> {
                let mut connection = self.read().await?;
                let row = sqlx::query_as(
                    "SELECT EXISTS (SELECT 1 FROM friends WHERE user_id = $1 AND friend_id = $2), \
                         EXISTS (SELECT 1 FROM blocks WHERE user_id = $1 AND blocked_id = $2), \
                         EXISTS (SELECT 1 FROM blocks WHERE user_id = $2 AND blocked_id = $1), \
                         EXISTS (SELECT 1 FROM friend_requests \
                             WHERE from_user = $1 AND to_user = $2 AND state = 1), \
                         EXISTS (SELECT 1 FROM friend_requests \
                             WHERE from_user = $2 AND to_user = $1 AND state = 1), \
                         COALESCE(u.owner = $1 OR u.id = (SELECT owner FROM users WHERE id = $1), false), \
                         u.direct_from, \
                         (SELECT d.conversation FROM direct_chats d JOIN conversations c ON c.id = d.conversation \
                             WHERE d.low = $3 AND d.high = $4 AND c.head > 0) \
                     FROM users u WHERE u.id = $2",
                )
                .bind(user.as_i64())
                .bind(other.as_i64())
                .bind(user.min(other).as_i64())
                .bind(user.max(other).as_i64())
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map($crate::store::shared::rows::relation))
            }

            async fn keeps_out_of_groups(
                &self,
                user: goim_core::UserId,
                added: &[goim_core::UserId],
            ) -> $crate::store::StoreResult<bool> {
                let ids: Vec<i64> = added.iter().map(|user| user.as_i64()).collect();
                let mut connection = self.read().await?;
                let (refused,): (bool,) = sqlx::query_as(concat!(
                    "SELECT EXISTS (SELECT 1 FROM ",
                    $list!("$1"),
                    " i JOIN users u ON u.id = i.id WHERE \
                         EXISTS (SELECT 1 FROM blocks WHERE user_id = u.id AND blocked_id = $2) \
                         OR (u.groups_from <> 2 \
                             AND NOT EXISTS (SELECT 1 FROM friends WHERE user_id = u.id AND friend_id = $2) \
                             AND NOT COALESCE(u.owner = $2 OR u.id = (SELECT owner FROM users WHERE id = $2), \
                                 false)))"
                ))
                .bind($bind(&ids))
                .bind(user.as_i64())
                .fetch_one(&mut *connection)
                .await?;
                Ok(refused)
            }

            async fn request_friend(
                &self,
                from: goim_core::UserId,
                to: goim_core::UserId,
                greeting: &str,
                notice: Option<&$crate::store::Notice>,
                limit: $crate::store::OpenLimit,
                now_ms: u64,
            ) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                // Whoever makes the two friends holds this lock too.
                Self::lock_user(&mut transaction, from).await?;
                sqlx::query("DELETE FROM friend_requests WHERE from_user = $1 AND to_user = $2 AND state <> 1")
                    .bind(from.as_i64())
                    .bind(to.as_i64())
                    .execute(&mut *transaction)
                    .await?;
                let kept = sqlx::query(
                    "INSERT INTO friend_requests (from_user, to_user, greeting, at) \
                     SELECT $1, $2, $3, $4 WHERE NOT EXISTS \
                         (SELECT 1 FROM friends WHERE user_id = $1 AND friend_id = $2) \
                     ON CONFLICT (from_user, to_user) DO NOTHING",
                )
                .bind(from.as_i64())
                .bind(to.as_i64())
                .bind(greeting)
                .bind($crate::store::shared::rows::column(now_ms))
                .execute(&mut *transaction)
                .await?;
                if kept.rows_affected() == 0 {
                    return Ok(());
                }
                let open = "SELECT count(*) FROM friend_requests WHERE from_user = $1 AND state = 1 AND at > $2";
                Self::check_open(&mut transaction, open, from, limit).await?;
                if let Some(notice) = notice {
                    Self::owe_notice(&mut transaction, to, from, notice, now_ms).await?;
                }
                transaction.commit().await?;
                Ok(())
            }

            async fn answer_friend(
                &self,
                user: goim_core::UserId,
                from: goim_core::UserId,
                accept: bool,
                notice: &$crate::store::Notice,
                friends_max: u64,
                now_ms: u64,
            ) -> $crate::store::StoreResult<bool> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                let both = [user.min(from), user.max(from)];
                if accept {
                    for one in both {
                        Self::lock_user(&mut transaction, one).await?;
                    }
                }
                // Both ways in one statement: in two, those who accept each other at once could each
                // hold what the other one waits for.
                let sql = if accept {
                    "UPDATE friend_requests SET state = 2 WHERE state = 1 AND \
                         ((from_user = $1 AND to_user = $2) OR (from_user = $2 AND to_user = $1)) \
                     RETURNING from_user"
                } else {
                    "UPDATE friend_requests SET state = 3 WHERE state = 1 AND from_user = $1 AND to_user = $2 \
                     RETURNING from_user"
                };
                let answered: Vec<(i64,)> = sqlx::query_as(sql)
                    .bind(from.as_i64())
                    .bind(user.as_i64())
                    .fetch_all(&mut *transaction)
                    .await?;
                if !answered.contains(&(from.as_i64(),)) {
                    return Ok(false);
                }
                if accept && Self::befriend(&mut transaction, user, from, now_ms).await? {
                    for one in both {
                        let friends = "SELECT count(*) FROM friends WHERE user_id = $1";
                        if Self::count(&mut transaction, friends, one).await? > friends_max {
                            return Err($crate::store::StoreError::TooMany);
                        }
                    }
                }
                Self::owe_notice(&mut transaction, from, user, notice, now_ms).await?;
                transaction.commit().await?;
                Ok(true)
            }

            async fn friend_requests(
                &self,
                user: goim_core::UserId,
                sent: bool,
                before: u64,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<goim_proto::FriendRequest>> {
                let sql = if sent {
                    "SELECT id, to_user, greeting, state, at FROM friend_requests \
                     WHERE from_user = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
                } else {
                    "SELECT id, from_user, greeting, state, at FROM friend_requests \
                     WHERE to_user = $1 AND id < $2 AND NOT EXISTS \
                         (SELECT 1 FROM blocks WHERE user_id = $1 AND blocked_id = from_user) \
                     ORDER BY id DESC LIMIT $3"
                };
                let mut connection = self.read().await?;
                let rows = sqlx::query_as(sql)
                    .bind(user.as_i64())
                    .bind($crate::store::shared::rows::column(before))
                    .bind(i64::from(limit))
                    .fetch_all(&mut *connection)
                    .await?;
                Ok(rows.into_iter().map($crate::store::shared::rows::friend_request).collect())
            }

            async fn friends(
                &self,
                user: goim_core::UserId,
                after: goim_core::UserId,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<goim_proto::Friend>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64, String, i64, i64)> = sqlx::query_as(
                    "SELECT f.friend_id, f.remark, u.version, f.since \
                     FROM friends f JOIN users u ON u.id = f.friend_id \
                     WHERE f.user_id = $1 AND f.friend_id > $2 ORDER BY f.friend_id LIMIT $3",
                )
                .bind(user.as_i64())
                .bind(after.as_i64())
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                let friend = |(user, remark, version, since)| goim_proto::Friend {
                    user: goim_core::UserId::from_i64(user),
                    remark,
                    version: $crate::store::shared::rows::number(version),
                    since_ms: $crate::store::shared::rows::number(since),
                };
                Ok(rows.into_iter().map(friend).collect())
            }

            async fn set_remark(
                &self,
                user: goim_core::UserId,
                friend: goim_core::UserId,
                remark: &str,
            ) -> $crate::store::StoreResult<bool> {
                let mut connection = self.write().await?;
                let noted = sqlx::query("UPDATE friends SET remark = $3 WHERE user_id = $1 AND friend_id = $2")
                    .bind(user.as_i64())
                    .bind(friend.as_i64())
                    .bind(remark)
                    .execute(&mut *connection)
                    .await?;
                Ok(noted.rows_affected() > 0)
            }

            async fn delete_friend(
                &self,
                user: goim_core::UserId,
                friend: goim_core::UserId,
            ) -> $crate::store::StoreResult<bool> {
                let mut connection = self.write().await?;
                let deleted = sqlx::query(
                    "DELETE FROM friends WHERE (user_id = $1 AND friend_id = $2) \
                     OR (user_id = $2 AND friend_id = $1)",
                )
                .bind(user.as_i64())
                .bind(friend.as_i64())
                .execute(&mut *connection)
                .await?;
                Ok(deleted.rows_affected() > 0)
            }

            async fn set_block(
                &self,
                user: goim_core::UserId,
                other: goim_core::UserId,
                block: bool,
                blocks_max: u64,
            ) -> $crate::store::StoreResult<()> {
                let sql = if block {
                    "INSERT INTO blocks (user_id, blocked_id) VALUES ($1, $2) \
                     ON CONFLICT (user_id, blocked_id) DO NOTHING"
                } else {
                    "DELETE FROM blocks WHERE user_id = $1 AND blocked_id = $2"
                };
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                Self::lock_pair(&mut transaction, user, other).await?;
                Self::lock_user(&mut transaction, user).await?;
                let changed = sqlx::query(sql)
                    .bind(user.as_i64())
                    .bind(other.as_i64())
                    .execute(&mut *transaction)
                    .await?;
                let blocks = "SELECT count(*) FROM blocks WHERE user_id = $1";
                let more = block && changed.rows_affected() > 0;
                if more && Self::count(&mut transaction, blocks, user).await? > blocks_max {
                    return Err($crate::store::StoreError::TooMany);
                }
                if changed.rows_affected() > 0
                    && let Some(direct) = Self::find_direct(&mut transaction, user, other).await?
                {
                    Self::raise_revision(&mut transaction, direct).await?;
                }
                transaction.commit().await?;
                Ok(())
            }

            async fn blocked(
                &self,
                user: goim_core::UserId,
                after: goim_core::UserId,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<goim_core::UserId>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64,)> = sqlx::query_as(
                    "SELECT blocked_id FROM blocks WHERE user_id = $1 AND blocked_id > $2 \
                     ORDER BY blocked_id LIMIT $3",
                )
                .bind(user.as_i64())
                .bind(after.as_i64())
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                Ok(rows.into_iter().map(|(id,)| goim_core::UserId::from_i64(id)).collect())
            }

            async fn update_settings(
                &self,
                user: goim_core::UserId,
                update: &goim_proto::SettingsUpdate,
            ) -> $crate::store::StoreResult<Option<goim_proto::AccountSettings>> {
                let mut connection = self.write().await?;
                let column = |audience: goim_proto::Audience| {
                    $crate::store::shared::rows::code_column(audience.code())
                };
                let row: Option<(i16, i16, i16)> = sqlx::query_as(
                    "UPDATE users SET direct_from = COALESCE($2, direct_from), \
                         groups_from = COALESCE($3, groups_from), \
                         presence_to = COALESCE($4, presence_to) WHERE id = $1 \
                     RETURNING direct_from, groups_from, presence_to",
                )
                .bind(user.as_i64())
                .bind(update.direct_from.map(column))
                .bind(update.groups_from.map(column))
                .bind(
                    update
                        .presence_to
                        .map(|viewers| $crate::store::shared::rows::code_column(viewers.code())),
                )
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map(|(direct_from, groups_from, presence_to)| goim_proto::AccountSettings {
                    direct_from: $crate::store::shared::rows::audience(direct_from),
                    groups_from: $crate::store::shared::rows::audience(groups_from),
                    presence_to: $crate::store::shared::rows::viewers(presence_to),
                }))
            }
        }
    };
}
