/// `Uploads` for both engines. `$locked` ends a select whose row waits for others who select it so.
macro_rules! uploads {
    ($store:ty, $connection:ty, $locked:literal) => {
        impl $store {
            /// Waits for whoever keeps or forgets the same content. It comes before a change of who has it:
            /// two who each forget one of two would otherwise each see the other's, and both leave it.
            async fn hold_object(connection: &mut $connection, hash: &str) -> Result<(), sqlx::Error> {
                sqlx::query(concat!("SELECT hash FROM objects WHERE hash = $1", $locked))
                    .bind(hash)
                    .fetch_optional(connection)
                    .await?;
                Ok(())
            }

            /// Forgets content that nobody has any more; its place is garbage.
            async fn drop_object(
                connection: &mut $connection,
                hash: &str,
                now_ms: u64,
            ) -> Result<(), sqlx::Error> {
                let place: Option<(String,)> = sqlx::query_as(
                    "DELETE FROM objects \
                     WHERE hash = $1 AND NOT EXISTS (SELECT 1 FROM uploads WHERE hash = $1) RETURNING place",
                )
                .bind(hash)
                .fetch_optional(&mut *connection)
                .await?;
                if let Some((place,)) = place {
                    sqlx::query("INSERT INTO garbage (place, due) VALUES ($1, $2)")
                        .bind(place)
                        .bind($crate::store::shared::rows::column(now_ms))
                        .execute(connection)
                        .await?;
                }
                Ok(())
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Uploads for $store {
            async fn begin_upload(&self, place: &str, due_ms: u64) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                sqlx::query("INSERT INTO garbage (place, due) VALUES ($1, $2)")
                    .bind(place)
                    .bind($crate::store::shared::rows::column(due_ms))
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            }

            async fn keep_upload(
                &self,
                upload: &$crate::store::NewUpload,
                user_bytes_max: u64,
            ) -> $crate::store::StoreResult<$crate::store::Keeping> {
                let $crate::store::NewUpload { object, conversation, user, at_ms } = upload;
                let conversation = conversation.map_or(0, |conversation| conversation.as_i64());
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                // His uploads one after the other: otherwise each would be the last that there is room for.
                Self::lock_user(&mut transaction, *user).await?;
                let (others,): (i64,) = sqlx::query_as(
                    "SELECT CAST(COALESCE(sum(o.bytes), 0) AS bigint) \
                     FROM uploads u JOIN objects o ON o.hash = u.hash \
                     WHERE u.user_id = $1 AND NOT (u.hash = $2 AND u.conversation = $3)",
                )
                .bind(user.as_i64())
                .bind(&object.hash)
                .bind(conversation)
                .fetch_one(&mut *transaction)
                .await?;
                if $crate::store::shared::rows::number(others).saturating_add(object.bytes) > user_bytes_max {
                    return Ok($crate::store::Keeping::TooMuch);
                }
                // Touched even if it is there, so that nobody forgets it before this is done.
                let (place,): (String,) = sqlx::query_as(
                    "INSERT INTO objects (hash, media_type, bytes, place) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (hash) DO UPDATE SET bytes = excluded.bytes RETURNING place",
                )
                .bind(&object.hash)
                .bind(&object.media_type)
                .bind($crate::store::shared::rows::column(object.bytes))
                .bind(&object.place)
                .fetch_one(&mut *transaction)
                .await?;
                sqlx::query(
                    "INSERT INTO uploads (hash, conversation, user_id, at) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (hash, conversation, user_id) DO UPDATE SET at = excluded.at",
                )
                .bind(&object.hash)
                .bind(conversation)
                .bind(user.as_i64())
                .bind($crate::store::shared::rows::column(*at_ms))
                .execute(&mut *transaction)
                .await?;
                let is_kept = place == object.place;
                if is_kept {
                    let begun = sqlx::query("DELETE FROM garbage WHERE place = $1 AND NOT claimed")
                        .bind(&place)
                        .execute(&mut *transaction)
                        .await?;
                    if begun.rows_affected() == 0 {
                        return Ok($crate::store::Keeping::TooLate);
                    }
                }
                transaction.commit().await?;
                Ok(if is_kept { $crate::store::Keeping::Kept } else { $crate::store::Keeping::Known })
            }

            async fn uploaded_bytes(&self, user: goim_core::UserId) -> $crate::store::StoreResult<u64> {
                let mut connection = self.read().await?;
                let (bytes,): (i64,) = sqlx::query_as(
                    "SELECT CAST(COALESCE(sum(o.bytes), 0) AS bigint) \
                     FROM uploads u JOIN objects o ON o.hash = u.hash WHERE u.user_id = $1",
                )
                .bind(user.as_i64())
                .fetch_one(&mut *connection)
                .await?;
                Ok($crate::store::shared::rows::number(bytes))
            }

            async fn uploaded(
                &self,
                hash: &str,
                conversation: Option<goim_core::ConversationId>,
            ) -> $crate::store::StoreResult<Option<$crate::store::StoredObject>> {
                let mut connection = self.read().await?;
                let found: Option<(String, i64, String)> = sqlx::query_as(
                    "SELECT o.media_type, o.bytes, o.place FROM objects o WHERE o.hash = $1 \
                     AND EXISTS (SELECT 1 FROM uploads u WHERE u.hash = o.hash AND u.conversation = $2)",
                )
                .bind(hash)
                .bind(conversation.map_or(0, |conversation| conversation.as_i64()))
                .fetch_optional(&mut *connection)
                .await?;
                Ok(found.map(|(media_type, bytes, place)| $crate::store::StoredObject {
                    hash: hash.to_owned(),
                    media_type,
                    bytes: $crate::store::shared::rows::number(bytes),
                    place,
                }))
            }

            async fn remove_upload(
                &self,
                hash: &str,
                conversation: goim_core::ConversationId,
                user: Option<goim_core::UserId>,
                now_ms: u64,
            ) -> $crate::store::StoreResult<bool> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                Self::hold_object(&mut transaction, hash).await?;
                let removed = sqlx::query(
                    "DELETE FROM uploads WHERE hash = $1 AND conversation = $2 AND user_id = COALESCE($3, user_id)",
                )
                .bind(hash)
                .bind(conversation.as_i64())
                .bind(user.map(goim_core::UserId::as_i64))
                .execute(&mut *transaction)
                .await?;
                if removed.rows_affected() > 0 {
                    Self::drop_object(&mut transaction, hash, now_ms).await?;
                }
                transaction.commit().await?;
                Ok(removed.rows_affected() > 0)
            }

            async fn sweep_avatars(
                &self,
                before_ms: u64,
                now_ms: u64,
                limit: u32,
            ) -> $crate::store::StoreResult<usize> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                let mut left: Vec<(String, i64)> = sqlx::query_as(
                    "SELECT hash, user_id FROM uploads u WHERE conversation = 0 AND at < $1 \
                         AND NOT EXISTS (SELECT 1 FROM users WHERE avatar <> '' AND avatar = u.hash) \
                         AND NOT EXISTS (SELECT 1 FROM group_settings WHERE avatar <> '' AND avatar = u.hash) \
                     ORDER BY at LIMIT $2",
                )
                .bind($crate::store::shared::rows::column(before_ms))
                .bind(i64::from(limit))
                .fetch_all(&mut *transaction)
                .await?;
                // One order for all who hold several.
                left.sort_unstable();
                for (hash, user) in &left {
                    Self::hold_object(&mut transaction, hash).await?;
                    // Unless it was uploaded again meanwhile.
                    sqlx::query(
                        "DELETE FROM uploads \
                         WHERE hash = $1 AND conversation = 0 AND user_id = $2 AND at < $3",
                    )
                    .bind(hash)
                    .bind(user)
                    .bind($crate::store::shared::rows::column(before_ms))
                    .execute(&mut *transaction)
                    .await?;
                    Self::drop_object(&mut transaction, hash, now_ms).await?;
                }
                transaction.commit().await?;
                Ok(left.len())
            }

            async fn claim_garbage(
                &self,
                now_ms: u64,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<String>> {
                let mut connection = self.write().await?;
                let places: Vec<(String,)> = sqlx::query_as(
                    "UPDATE garbage SET claimed = true WHERE place IN \
                         (SELECT place FROM garbage WHERE due <= $1 ORDER BY due LIMIT $2) RETURNING place",
                )
                .bind($crate::store::shared::rows::column(now_ms))
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                Ok(places.into_iter().map(|(place,)| place).collect())
            }

            async fn discard_place(&self, place: &str) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                sqlx::query("UPDATE garbage SET due = 0 WHERE place = $1")
                    .bind(place)
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            }

            async fn forget_place(&self, place: &str) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                sqlx::query("DELETE FROM garbage WHERE place = $1")
                    .bind(place)
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            }
        }
    };
}
