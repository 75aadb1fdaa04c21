/// `Profiles` for both engines. `$locked` ends a select whose row must not change before the commit.
macro_rules! profiles {
    ($store:ty, $list:ident, $bind:path, $locked:literal) => {
        #[async_trait::async_trait]
        impl $crate::store::Profiles for $store {
            async fn profiles(
                &self,
                users: &[goim_core::UserId],
            ) -> $crate::store::StoreResult<Vec<goim_proto::Profile>> {
                let ids: Vec<i64> = users.iter().map(|user| user.as_i64()).collect();
                let mut connection = self.read().await?;
                let rows = sqlx::query_as(concat!(
                    "SELECT id, name, nickname, avatar, gender, bio, version, owner IS NOT NULL \
                     FROM users WHERE id IN ",
                    $list!("$1"),
                    " ORDER BY id"
                ))
                .bind($bind(&ids))
                .fetch_all(&mut *connection)
                .await?;
                Ok(rows.into_iter().map($crate::store::shared::rows::profile).collect())
            }

            async fn update_profile(
                &self,
                user: goim_core::UserId,
                update: &goim_proto::ProfileUpdate,
            ) -> $crate::store::StoreResult<Option<$crate::store::UpdatedProfile>> {
                let mut connection = self.write().await?;
                let row = sqlx::query_as(
                    "UPDATE users SET nickname = COALESCE($2, nickname), avatar = COALESCE($3, avatar), \
                         gender = COALESCE($4, gender), bio = COALESCE($5, bio), version = version + 1 \
                     WHERE id = $1 AND NOT (COALESCE($2, nickname) = nickname \
                         AND COALESCE($3, avatar) = avatar AND COALESCE($4, gender) = gender \
                         AND COALESCE($5, bio) = bio) \
                     RETURNING id, name, nickname, avatar, gender, bio, version, owner IS NOT NULL",
                )
                .bind(user.as_i64())
                .bind(update.nickname.as_deref())
                .bind(update.avatar.as_deref())
                .bind(update.gender.map(|gender| $crate::store::shared::rows::code_column(gender.code())))
                .bind(update.bio.as_deref())
                .fetch_optional(&mut *connection)
                .await?;
                drop(connection);
                if let Some(row) = row {
                    let profile = $crate::store::shared::rows::profile(row);
                    return Ok(Some($crate::store::UpdatedProfile { profile, changed: true }));
                }
                let unchanged = self.profiles(&[user]).await?.pop();
                Ok(unchanged.map(|profile| $crate::store::UpdatedProfile { profile, changed: false }))
            }

            async fn friends_to_tell(
                &self,
                user: goim_core::UserId,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<goim_core::UserId>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64,)> = sqlx::query_as(
                    "SELECT friend_id FROM friends WHERE user_id = $1 \
                     AND NOT EXISTS (SELECT 1 FROM blocks \
                         WHERE blocks.user_id = $1 AND blocked_id = friend_id) \
                     AND NOT EXISTS (SELECT 1 FROM blocks \
                         WHERE blocks.user_id = friend_id AND blocked_id = $1) \
                     ORDER BY friend_id LIMIT $2",
                )
                .bind(user.as_i64())
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                Ok(rows.into_iter().map(|(id,)| goim_core::UserId::from_i64(id)).collect())
            }

            async fn search_users(
                &self,
                prefix: &str,
                after: &$crate::store::SearchKey,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<(String, goim_proto::Profile)>> {
                // Each half is a range of its index, of which no more is read than fits a page. The place
                // alone bounds it below: beside a second bound PostgreSQL begins at the lower one.
                let first = (prefix.to_owned(), goim_core::UserId::default());
                let after = after.max(&first);
                let mut connection = self.read().await?;
                let keys: Vec<(String, i64)> = sqlx::query_as(
                    "SELECT key, id FROM ( \
                         SELECT * FROM (SELECT name_key AS key, id FROM users \
                             WHERE name_key <= $1 AND (name_key, id) > ($2, $3) \
                             ORDER BY name_key, id LIMIT $4) a \
                         UNION SELECT * FROM (SELECT nickname_key AS key, id FROM users \
                             WHERE nickname_key <= $1 AND (nickname_key, id) > ($2, $3) \
                             ORDER BY nickname_key, id LIMIT $4) b) found \
                     ORDER BY key, id LIMIT $4",
                )
                .bind($crate::store::shared::rows::prefix_end(prefix))
                .bind(&after.0)
                .bind(after.1.as_i64())
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                drop(connection);
                let ids: Vec<_> = keys.iter().map(|(_, id)| goim_core::UserId::from_i64(*id)).collect();
                let profiles = self.profiles(&ids).await?;
                let found = |(key, id): (String, i64)| {
                    let of = profiles.iter().find(|profile| profile.user.as_i64() == id)?;
                    Some((key, of.clone()))
                };
                Ok(keys.into_iter().filter_map(found).collect())
            }

            async fn login_device(
                &self,
                user: goim_core::UserId,
                password_hash: &str,
                name: &str,
                now_ms: u64,
            ) -> $crate::store::StoreResult<Option<goim_core::DeviceId>> {
                let mut connection = self.write().await?;
                let made: Option<(i64,)> = sqlx::query_as(concat!(
                    "INSERT INTO devices (user_id, name, created_at) \
                     SELECT id, $3, $4 FROM users WHERE id = $1 AND password_hash = $2",
                    $locked,
                    " RETURNING id"
                ))
                .bind(user.as_i64())
                .bind(password_hash)
                .bind(name)
                .bind($crate::store::shared::rows::column(now_ms))
                .fetch_optional(&mut *connection)
                .await?;
                Ok(made.map(|(id,)| goim_core::DeviceId::from_i64(id)))
            }

            async fn change_password(
                &self,
                user: goim_core::UserId,
                device: goim_core::DeviceId,
                old: &str,
                new: &str,
            ) -> $crate::store::StoreResult<bool> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                // The user's row first: whoever logs in by the old password waits for it, or is waited for.
                let changed =
                    sqlx::query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
                        .bind(user.as_i64())
                        .bind(old)
                        .bind(new)
                        .execute(&mut *transaction)
                        .await?;
                if changed.rows_affected() == 0 {
                    return Ok(false);
                }
                // Then devices before tokens, as whoever revokes one device does.
                for sql in [
                    "UPDATE devices SET revoked = true WHERE user_id = $1 AND id <> $2 AND NOT revoked",
                    "DELETE FROM refresh_tokens WHERE device IN \
                         (SELECT id FROM devices WHERE user_id = $1 AND id <> $2)",
                ] {
                    sqlx::query(sql)
                        .bind(user.as_i64())
                        .bind(device.as_i64())
                        .execute(&mut *transaction)
                        .await?;
                }
                transaction.commit().await?;
                Ok(true)
            }

            async fn devices(
                &self,
                user: goim_core::UserId,
                after: goim_core::DeviceId,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<goim_proto::DeviceInfo>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64, String, i64)> = sqlx::query_as(
                    "SELECT id, name, created_at FROM devices \
                     WHERE user_id = $1 AND id > $2 AND NOT revoked ORDER BY id LIMIT $3",
                )
                .bind(user.as_i64())
                .bind(after.as_i64())
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                let device = |(device, name, created)| goim_proto::DeviceInfo {
                    device: goim_core::DeviceId::from_i64(device),
                    name,
                    created_ms: $crate::store::shared::rows::number(created),
                };
                Ok(rows.into_iter().map(device).collect())
            }
        }
    };
}
