/// `Identities` for both engines.
macro_rules! identities {
    ($store:ty) => {
        #[async_trait::async_trait]
        impl $crate::store::Identities for $store {
            async fn external_user(
                &self,
                identity: $crate::store::ExternalIdentity<'_>,
            ) -> $crate::store::StoreResult<Option<goim_core::UserId>> {
                let mut connection = self.read().await?;
                let row: Option<(i64,)> = sqlx::query_as(
                    "SELECT user_id FROM external_identities WHERE issuer = $1 AND subject = $2",
                )
                .bind(identity.issuer)
                .bind(identity.subject)
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map(|(user,)| goim_core::UserId::from_i64(user)))
            }

            async fn create_external_user(
                &self,
                identity: $crate::store::ExternalIdentity<'_>,
                name: &str,
                nickname: &str,
                now_ms: u64,
            ) -> $crate::store::StoreResult<Option<goim_core::UserId>> {
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                let made = Self::insert_user(&mut transaction, name, None, None, now_ms).await?;
                let Some((user, _)) = made else { return Ok(None) };
                sqlx::query("UPDATE users SET nickname = $2 WHERE id = $1")
                    .bind(user)
                    .bind(nickname)
                    .execute(&mut *transaction)
                    .await?;
                // Waits for whoever does so at the same time, and takes everything back if he was first.
                let bound = sqlx::query(
                    "INSERT INTO external_identities (issuer, subject, user_id) VALUES ($1, $2, $3) \
                     ON CONFLICT (issuer, subject) DO NOTHING",
                )
                .bind(identity.issuer)
                .bind(identity.subject)
                .bind(user)
                .execute(&mut *transaction)
                .await?;
                if bound.rows_affected() == 1 {
                    transaction.commit().await?;
                    return Ok(Some(goim_core::UserId::from_i64(user)));
                }
                transaction.rollback().await?;
                drop(connection);
                self.external_user(identity).await
            }
        }
    };
}
