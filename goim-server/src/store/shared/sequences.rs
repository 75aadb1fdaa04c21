/// `Sequences` for both engines.
macro_rules! sequences {
    ($store:ty) => {
        #[async_trait::async_trait]
        impl $crate::store::Sequences for $store {
            async fn make_sequence(
                &self,
                name: &str,
                kind: goim_proto::SequenceKind,
                most: u64,
            ) -> $crate::store::StoreResult<Option<goim_proto::SequenceKind>> {
                let mut connection = self.write().await?;
                sqlx::query(
                    "INSERT INTO sequences (name, kind) \
                     SELECT $1, $2 WHERE (SELECT count(*) FROM sequences) < $3 ON CONFLICT DO NOTHING",
                )
                .bind(name)
                .bind($crate::store::shared::rows::code_column(kind.code()))
                .bind($crate::store::shared::rows::column(most))
                .execute(&mut *connection)
                .await?;
                let found: Option<(i16,)> = sqlx::query_as("SELECT kind FROM sequences WHERE name = $1")
                    .bind(name)
                    .fetch_optional(&mut *connection)
                    .await?;
                let kind = |(kind,): (i16,)| $crate::store::shared::rows::number(kind.into());
                Ok(found.map(kind).map(goim_proto::SequenceKind::from_code))
            }

            async fn allocate(&self, name: &str, n: u32) -> $crate::store::StoreResult<Option<u64>> {
                let left = goim_core::id::NUMBER_MAX - u64::from(n);
                let mut connection = self.write().await?;
                let taken: Option<(i64,)> = sqlx::query_as(
                    "UPDATE sequences SET last = last + $2 WHERE name = $1 AND kind = 1 AND last <= $3 \
                     RETURNING last",
                )
                .bind(name)
                .bind(i64::from(n))
                .bind($crate::store::shared::rows::column(left))
                .fetch_optional(&mut *connection)
                .await?;
                Ok(taken.map(|(last,)| $crate::store::shared::rows::number(last)))
            }

            async fn ceiling(&self, section: u32) -> $crate::store::StoreResult<u64> {
                let mut connection = self.read().await?;
                let found: Option<(i64,)> =
                    sqlx::query_as("SELECT ceiling FROM sequence_ceilings WHERE section = $1")
                        .bind(i64::from(section))
                        .fetch_optional(&mut *connection)
                        .await?;
                Ok(found.map_or(0, |(ceiling,)| $crate::store::shared::rows::number(ceiling)))
            }

            async fn raise_ceiling(
                &self,
                section: u32,
                from: u64,
                to: u64,
            ) -> $crate::store::StoreResult<bool> {
                let mut connection = self.write().await?;
                // No row counts as 0, and as nothing else.
                let raised = sqlx::query(
                    "INSERT INTO sequence_ceilings (section, ceiling) SELECT $1, $3 \
                     WHERE $2 = 0 OR EXISTS (SELECT 1 FROM sequence_ceilings WHERE section = $1) \
                     ON CONFLICT (section) DO UPDATE SET ceiling = excluded.ceiling \
                     WHERE sequence_ceilings.ceiling = $2",
                )
                .bind(i64::from(section))
                .bind($crate::store::shared::rows::column(from))
                .bind($crate::store::shared::rows::column(to))
                .execute(&mut *connection)
                .await?;
                Ok(raised.rows_affected() == 1)
            }
        }
    };
}
