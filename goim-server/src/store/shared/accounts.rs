/// `Accounts` for both engines. `$locked` ends a select whose row must not change before the commit.
macro_rules! accounts {
    ($store:ty, $connection:ty, $list:ident, $bind:path, $locked:literal) => {
        impl $store {
            async fn find_user(
                connection: &mut $connection,
                sql: &'static str,
                name: Option<&str>,
                id: i64,
            ) -> $crate::store::StoreResult<Option<$crate::store::UserRow>> {
                let query = sqlx::query_as(sql);
                let query = if let Some(name) = name { query.bind(name) } else { query.bind(id) };
                let row: Option<(i64, String, i64, Option<String>, Option<i64>)> =
                    query.fetch_optional(connection).await?;
                Ok(row.map(|(user, name, inbox, password_hash, owner)| $crate::store::UserRow {
                    user: goim_core::UserId::from_i64(user),
                    name,
                    inbox: goim_core::ConversationId::from_i64(inbox),
                    password_hash,
                    owner: owner.map(goim_core::UserId::from_i64),
                }))
            }

            /// Makes a user with his inbox, and returns both, or `None` if the name is taken.
            async fn insert_user(
                connection: &mut $connection,
                name: &str,
                password_hash: Option<&str>,
                owner: Option<goim_core::UserId>,
                now_ms: u64,
            ) -> Result<Option<(i64, i64)>, sqlx::Error> {
                let user: Option<(i64,)> = sqlx::query_as(
                    "INSERT INTO users (name, password_hash, owner, inbox, created_at, direct_from) \
                     VALUES ($1, $2, $3, 0, $4, CASE WHEN $3 IS NULL THEN 1 ELSE 2 END) \
                     ON CONFLICT (name) DO NOTHING RETURNING id",
                )
                .bind(name)
                .bind(password_hash)
                .bind(owner.map(|owner| owner.as_i64()))
                .bind($crate::store::shared::rows::column(now_ms))
                .fetch_optional(&mut *connection)
                .await?;
                let Some((user,)) = user else { return Ok(None) };
                let (inbox,): (i64,) =
                    sqlx::query_as("INSERT INTO conversations (kind, creator) VALUES (3, $1) RETURNING id")
                        .bind(user)
                        .fetch_one(&mut *connection)
                        .await?;
                sqlx::query("UPDATE users SET inbox = $2 WHERE id = $1")
                    .bind(user)
                    .bind(inbox)
                    .execute(&mut *connection)
                    .await?;
                // He reads his inbox from its first entry on; nobody has to let him in.
                sqlx::query(
                    "INSERT INTO members (conversation, user_id, from_seq, role) VALUES ($1, $2, 1, 3)",
                )
                .bind(inbox)
                .bind(user)
                .execute(&mut *connection)
                .await?;
                Ok(Some((user, inbox)))
            }

            fn device_row((device, user, inbox, revoked): (i64, i64, i64, bool)) -> $crate::store::DeviceRow {
                $crate::store::DeviceRow {
                    device: goim_core::DeviceId::from_i64(device),
                    user: goim_core::UserId::from_i64(user),
                    inbox: goim_core::ConversationId::from_i64(inbox),
                    revoked,
                }
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Accounts for $store {
            async fn create_user(
                &self,
                name: &str,
                password_hash: Option<&str>,
                owner: Option<$crate::store::BotOwner>,
                now_ms: u64,
            ) -> $crate::store::StoreResult<Option<$crate::store::UserRow>> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                if let Some(owner) = owner {
                    Self::lock_user(&mut transaction, owner.user).await?;
                }
                let of = owner.map(|owner| owner.user);
                let made = Self::insert_user(&mut transaction, name, password_hash, of, now_ms).await?;
                let Some((user, inbox)) = made else { return Ok(None) };
                if let Some(owner) = owner {
                    let bots = "SELECT count(*) FROM users WHERE owner = $1";
                    if Self::count(&mut transaction, bots, owner.user).await? > owner.bots_max {
                        return Err($crate::store::StoreError::TooMany);
                    }
                }
                transaction.commit().await?;
                Ok(Some($crate::store::UserRow {
                    user: goim_core::UserId::from_i64(user),
                    name: name.to_owned(),
                    inbox: goim_core::ConversationId::from_i64(inbox),
                    password_hash: password_hash.map(str::to_owned),
                    owner: of,
                }))
            }

            async fn user_by_name(
                &self,
                name: &str,
            ) -> $crate::store::StoreResult<Option<$crate::store::UserRow>> {
                let sql = "SELECT id, name, inbox, password_hash, owner FROM users WHERE name = $1";
                Self::find_user(&mut *self.read().await?, sql, Some(name), 0).await
            }

            async fn user(
                &self,
                user: goim_core::UserId,
            ) -> $crate::store::StoreResult<Option<$crate::store::UserRow>> {
                let sql = "SELECT id, name, inbox, password_hash, owner FROM users WHERE id = $1";
                Self::find_user(&mut *self.read().await?, sql, None, user.as_i64()).await
            }

            async fn existing_users(
                &self,
                users: &[goim_core::UserId],
            ) -> $crate::store::StoreResult<Vec<goim_core::UserId>> {
                let ids: Vec<i64> = users.iter().map(|user| user.as_i64()).collect();
                let mut connection = self.read().await?;
                let rows: Vec<(i64,)> =
                    sqlx::query_as(concat!("SELECT id FROM users WHERE id IN ", $list!("$1")))
                        .bind($bind(&ids))
                        .fetch_all(&mut *connection)
                        .await?;
                Ok(rows.into_iter().map(|(id,)| goim_core::UserId::from_i64(id)).collect())
            }

            async fn create_device(
                &self,
                user: goim_core::UserId,
                name: &str,
                now_ms: u64,
            ) -> $crate::store::StoreResult<goim_core::DeviceId> {
                let mut connection = self.write().await?;
                let (id,): (i64,) = sqlx::query_as(
                    "INSERT INTO devices (user_id, name, created_at) VALUES ($1, $2, $3) RETURNING id",
                )
                .bind(user.as_i64())
                .bind(name)
                .bind($crate::store::shared::rows::column(now_ms))
                .fetch_one(&mut *connection)
                .await?;
                Ok(goim_core::DeviceId::from_i64(id))
            }

            async fn bot_device(
                &self,
                token_hash: &[u8],
                instance: &str,
                now_ms: u64,
            ) -> $crate::store::StoreResult<Option<$crate::store::DeviceRow>> {
                let mut connection = self.write().await?;
                // The no-op update makes the row come back when it is there already.
                let row: Option<(i64, i64, i64, bool)> = sqlx::query_as(concat!(
                    "INSERT INTO devices (user_id, name, instance, created_at) \
                     SELECT user_id, $2, $2, $3 FROM bot_tokens WHERE hash = $1",
                    $locked,
                    " ON CONFLICT (user_id, instance) DO UPDATE SET name = excluded.name \
                     RETURNING id, user_id, (SELECT inbox FROM users u WHERE u.id = user_id), revoked"
                ))
                .bind(token_hash)
                .bind(instance)
                .bind($crate::store::shared::rows::column(now_ms))
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map(Self::device_row))
            }

            async fn device(
                &self,
                device: goim_core::DeviceId,
            ) -> $crate::store::StoreResult<Option<$crate::store::DeviceRow>> {
                let mut connection = self.read().await?;
                let row: Option<(i64, i64, i64, bool)> = sqlx::query_as(
                    "SELECT d.id, d.user_id, u.inbox, d.revoked FROM devices d \
                     JOIN users u ON u.id = d.user_id WHERE d.id = $1",
                )
                .bind(device.as_i64())
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map(Self::device_row))
            }

            async fn revoke_device(&self, device: goim_core::DeviceId) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                for sql in [
                    "UPDATE devices SET revoked = true WHERE id = $1",
                    "DELETE FROM refresh_tokens WHERE device = $1",
                ] {
                    sqlx::query(sql).bind(device.as_i64()).execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok(())
            }

            async fn revoked_devices(
                &self,
                devices: &[goim_core::DeviceId],
            ) -> $crate::store::StoreResult<Vec<goim_core::DeviceId>> {
                let ids: Vec<i64> = devices.iter().map(|device| device.as_i64()).collect();
                let mut connection = self.read().await?;
                let good: Vec<(i64,)> = sqlx::query_as(concat!(
                    "SELECT id FROM devices WHERE NOT revoked AND id IN ",
                    $list!("$1")
                ))
                .bind($bind(&ids))
                .fetch_all(&mut *connection)
                .await?;
                let good: std::collections::HashSet<i64> = good.into_iter().map(|(id,)| id).collect();
                Ok(devices.iter().filter(|device| !good.contains(&device.as_i64())).copied().collect())
            }

            async fn put_refresh_token(
                &self,
                hash: &[u8],
                device: goim_core::DeviceId,
                expires_ms: u64,
            ) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                sqlx::query("INSERT INTO refresh_tokens (hash, device, expires_at) VALUES ($1, $2, $3)")
                    .bind(hash)
                    .bind(device.as_i64())
                    .bind($crate::store::shared::rows::column(expires_ms))
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            }

            async fn take_refresh_token(
                &self,
                hash: &[u8],
                now_ms: u64,
            ) -> $crate::store::StoreResult<Option<$crate::store::DeviceRow>> {
                let taken: Option<(i64, i64)> = {
                    let mut connection = self.write().await?;
                    sqlx::query_as("DELETE FROM refresh_tokens WHERE hash = $1 RETURNING device, expires_at")
                        .bind(hash)
                        .fetch_optional(&mut *connection)
                        .await?
                };
                match taken {
                    Some((device, expires)) if $crate::store::shared::rows::number(expires) > now_ms => {
                        let device = self.device(goim_core::DeviceId::from_i64(device)).await?;
                        Ok(device.filter(|device| !device.revoked))
                    }
                    _ => Ok(None),
                }
            }

            async fn put_bot_token(
                &self,
                hash: &[u8],
                bot: goim_core::UserId,
            ) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                sqlx::query("INSERT INTO bot_tokens (hash, user_id) VALUES ($1, $2)")
                    .bind(hash)
                    .bind(bot.as_i64())
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            }

            async fn revoke_bot(&self, bot: goim_core::UserId) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                for sql in [
                    "DELETE FROM bot_tokens WHERE user_id = $1",
                    "UPDATE devices SET revoked = true WHERE user_id = $1",
                ] {
                    sqlx::query(sql).bind(bot.as_i64()).execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok(())
            }
        }
    };
}
