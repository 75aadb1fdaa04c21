/// `Presences` for both engines.
macro_rules! presence {
    ($store:ty, $list:ident, $bind:path) => {
        #[async_trait::async_trait]
        impl $crate::store::Presences for $store {
            async fn note_devices(
                &self,
                devices: &[goim_core::DeviceId],
                here: bool,
                node: u64,
                now_ms: u64,
                stale_ms: u64,
            ) -> $crate::store::StoreResult<()> {
                let ids: Vec<i64> = devices.iter().map(|device| device.as_i64()).collect();
                let mut connection = self.write().await?;
                // In the order of ids, in which nodes take the rows' locks.
                sqlx::query(concat!(
                    "INSERT INTO presence (device, user_id, node, seen_at, here) \
                     SELECT d.id, d.user_id, $3, $4, $2 FROM devices d WHERE d.id IN ",
                    $list!("$1"),
                    " ORDER BY d.id ON CONFLICT (device) DO UPDATE SET node = excluded.node, \
                         seen_at = excluded.seen_at, here = excluded.here, \
                         away = presence.away AND presence.here AND presence.seen_at > $5 \
                     WHERE excluded.here OR presence.node = excluded.node"
                ))
                .bind($bind(&ids))
                .bind(here)
                .bind($crate::store::shared::rows::column(node))
                .bind($crate::store::shared::rows::column(now_ms))
                .bind($crate::store::shared::rows::column(stale_ms))
                .execute(&mut *connection)
                .await?;
                Ok(())
            }

            async fn set_away(
                &self,
                device: goim_core::DeviceId,
                away: bool,
            ) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                sqlx::query("UPDATE presence SET away = $2 WHERE device = $1 AND away <> $2")
                    .bind(device.as_i64())
                    .bind(away)
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            }

            async fn seen(
                &self,
                viewer: goim_core::UserId,
                users: &[goim_core::UserId],
                stale_ms: u64,
            ) -> $crate::store::StoreResult<Vec<$crate::store::Seen>> {
                let ids: Vec<i64> = users.iter().map(|user| user.as_i64()).collect();
                let mut connection = self.read().await?;
                let rows: Vec<(i64, bool, bool, i64)> = sqlx::query_as(concat!(
                    "SELECT u.id, \
                         EXISTS (SELECT 1 FROM presence WHERE user_id = u.id AND here AND seen_at > $3), \
                         NOT EXISTS (SELECT 1 FROM presence \
                             WHERE user_id = u.id AND here AND seen_at > $3 AND NOT away), \
                         (SELECT max(seen_at) FROM presence WHERE user_id = u.id) \
                     FROM users u WHERE u.id IN ",
                    $list!("$1"),
                    " AND EXISTS (SELECT 1 FROM presence WHERE user_id = u.id) AND (u.id = $2 OR ( \
                         NOT EXISTS (SELECT 1 FROM blocks WHERE user_id = u.id AND blocked_id = $2) \
                         AND u.presence_to IN (1, 2) AND ( \
                             EXISTS (SELECT 1 FROM friends WHERE user_id = u.id AND friend_id = $2) \
                             OR COALESCE(u.owner = $2 OR u.id = (SELECT owner FROM users WHERE id = $2), \
                                 false) \
                             OR (u.presence_to = 2 AND EXISTS (SELECT 1 FROM members his \
                                 JOIN members own ON own.conversation = his.conversation \
                                 WHERE own.user_id = $2 AND own.until_seq IS NULL \
                                     AND his.user_id = u.id AND his.until_seq IS NULL)))))"
                ))
                .bind($bind(&ids))
                .bind(viewer.as_i64())
                .bind($crate::store::shared::rows::column(stale_ms))
                .fetch_all(&mut *connection)
                .await?;
                let seen = |(user, here, all_away, last): (i64, bool, bool, i64)| $crate::store::Seen {
                    user: goim_core::UserId::from_i64(user),
                    here,
                    away: here && all_away,
                    last_ms: $crate::store::shared::rows::number(last),
                };
                Ok(rows.into_iter().map(seen).collect())
            }
        }
    };
}
