/// Reads from windows of the log of the conversation `$1`, of which `$2` and `$3` are the ends; `$6` stands
/// in for what the user `$5` has deleted for himself.
macro_rules! window_entries {
    ($window_rows:ident, $body:literal, $forms:literal, $which:literal, $order:literal) => {
        concat!(
            "SELECT m.seq, m.sender, m.client_msg_id, m.at, m.count, CASE WHEN d.seq IS NULL THEN ",
            $body,
            " ELSE $6 END FROM ",
            $window_rows!($which, $order),
            " LEFT JOIN deletions d \
                 ON d.user_id = $5 AND d.conversation = m.conversation AND d.seq = m.seq ",
            $forms,
            " ORDER BY m.seq ",
            $order,
            " LIMIT $4"
        )
    };
}

/// `Readers` for both engines, but for the bulk commit of offsets.
macro_rules! readers {
    ($store:ty, $connection:ty, $list:ident, $window_rows:ident, $bind:path) => {
        impl $store {
            /// Everything in some windows of a log, oldest first.
            const ENTRIES: &str = window_entries!($window_rows, "m.body", "", "", "");
            /// The messages in some windows of a log in their current form, newest first.
            const MESSAGES: &str = window_entries!(
                $window_rows,
                "COALESCE(f.body, m.body)",
                "LEFT JOIN message_forms f ON f.conversation = m.conversation AND f.seq = m.seq",
                "AND m.kind < 32",
                "DESC"
            );
            /// What a member may be handed of the conversation `$1`.
            const PULLED: &str = "SELECT from_seq, until_seq FROM members \
                 WHERE conversation = $1 AND user_id = $2 ORDER BY from_seq";
            /// What he may scroll back to.
            const SHOWN: &str = "SELECT COALESCE(visible_from, from_seq), until_seq FROM members \
                 WHERE conversation = $1 AND user_id = $2 ORDER BY from_seq";

            /// Adds entries from windows of a log, as a user sees it, until there are `limit`, or all
            /// bodies together would have more than `bytes_max` bytes; whether it was for the bytes.
            async fn read_windows(
                connection: &mut $connection,
                sql: &'static str,
                (user, conversation): (goim_core::UserId, goim_core::ConversationId),
                windows: &[(goim_core::Seq, goim_core::Seq)],
                limit: u32,
                bytes_max: usize,
                entries: &mut Vec<$crate::store::StoredEntry>,
            ) -> $crate::store::StoreResult<bool> {
                use futures_util::TryStreamExt as _;
                let ends = |end: fn(&(goim_core::Seq, goim_core::Seq)) -> goim_core::Seq| {
                    $bind(&windows.iter().map(|window| end(window).as_i64()).collect::<Vec<i64>>())
                };
                let have = i64::try_from(entries.len()).unwrap_or(i64::MAX);
                let mut rows = sqlx::query_as(sql)
                    .bind(conversation.as_i64())
                    .bind(ends(|(behind, _)| *behind))
                    .bind(ends(|(_, until)| *until))
                    .bind(i64::from(limit).saturating_sub(have))
                    .bind(user.as_i64())
                    .bind($crate::store::deleted_body().to_vec())
                    .fetch(connection);
                let mut bytes: usize = entries.iter().map(|entry| entry.body.len()).sum();
                while let Some(columns) = rows.try_next().await? {
                    let entry = $crate::store::shared::rows::entry(columns);
                    bytes += entry.body.len();
                    if bytes > bytes_max && !entries.is_empty() {
                        return Ok(true);
                    }
                    entries.push(entry);
                }
                Ok(false)
            }

            async fn read_ranges(
                connection: &mut $connection,
                sql: &'static str,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
            ) -> $crate::store::StoreResult<Vec<$crate::store::Range>> {
                let rows: Vec<(i64, Option<i64>)> = sqlx::query_as(sql)
                    .bind(conversation.as_i64())
                    .bind(user.as_i64())
                    .fetch_all(connection)
                    .await?;
                Ok(rows.into_iter().map($crate::store::shared::rows::range).collect())
            }

            /// How far a reader may look, and where. The head comes first: whoever is in when the
            /// ranges are read was in at that head, so what is read up to it is his, though he may
            /// be put out before it is read.
            async fn read_view(
                connection: &mut $connection,
                sql: &'static str,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
            ) -> $crate::store::StoreResult<(goim_core::Seq, Vec<$crate::store::Range>)> {
                let head: Option<(i64,)> = sqlx::query_as("SELECT head FROM conversations WHERE id = $1")
                    .bind(conversation.as_i64())
                    .fetch_optional(&mut *connection)
                    .await?;
                let ranges = Self::read_ranges(connection, sql, user, conversation).await?;
                match head {
                    Some((head,)) if !ranges.is_empty() => {
                        Ok((goim_core::Seq::from_i64(head), $crate::store::ranges::merged(ranges.into_iter())))
                    }
                    _ => Err($crate::store::StoreError::NotMember),
                }
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Readers for $store {
            async fn ranges(
                &self,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
            ) -> $crate::store::StoreResult<Vec<$crate::store::Range>> {
                let mut connection = self.read().await?;
                Self::read_ranges(&mut *connection, Self::PULLED, user, conversation).await
            }

            async fn is_member(
                &self,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
            ) -> $crate::store::StoreResult<bool> {
                let mut connection = self.read().await?;
                let (is_member,): (bool,) = sqlx::query_as(
                    "SELECT EXISTS (SELECT 1 FROM members \
                     WHERE conversation = $1 AND user_id = $2 AND until_seq IS NULL)",
                )
                .bind(conversation.as_i64())
                .bind(user.as_i64())
                .fetch_one(&mut *connection)
                .await?;
                Ok(is_member)
            }

            async fn pull(
                &self,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
                after: goim_core::Seq,
                limit: u32,
                bytes_max: usize,
            ) -> Result<$crate::store::Page, $crate::store::StoreError> {
                let mut connection = self.read().await?;
                let (head, ranges) =
                    Self::read_view(&mut *connection, Self::PULLED, user, conversation).await?;
                let windows = $crate::store::ranges::first_of(&ranges, head, after, limit.into());
                let mut entries = Vec::new();
                let cut = Self::read_windows(
                    &mut *connection,
                    Self::ENTRIES,
                    (user, conversation),
                    &windows,
                    limit,
                    bytes_max,
                    &mut entries,
                )
                .await?;
                let end = if cut { entries.last().map(|entry| entry.seq) } else { windows.last().map(|(_, end)| *end) };
                let end = end.unwrap_or(after);
                let more = $crate::store::ranges::windows(&ranges, head, end).next().is_some();
                Ok($crate::store::ranges::page(&ranges, head, after, entries, more.then_some(end)))
            }

            async fn history(
                &self,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
                before: goim_core::Seq,
                limit: u32,
                bytes_max: usize,
            ) -> Result<Vec<$crate::store::StoredEntry>, $crate::store::StoreError> {
                let mut connection = self.read().await?;
                let (head, ranges) =
                    Self::read_view(&mut *connection, Self::SHOWN, user, conversation).await?;
                let (mut entries, mut before, mut seqs) = (Vec::new(), before, u64::from(limit));
                // Not every entry is a message: twice as many are looked through each time, so that a
                // page takes few statements however its messages and the reader's ranges lie.
                while entries.len() < limit as usize {
                    let windows = $crate::store::ranges::last_of(&ranges, head, before, seqs);
                    let Some((oldest, _)) = windows.last() else { break };
                    let cut = Self::read_windows(
                        &mut *connection,
                        Self::MESSAGES,
                        (user, conversation),
                        &windows,
                        limit,
                        bytes_max,
                        &mut entries,
                    )
                    .await?;
                    if cut {
                        break;
                    }
                    (before, seqs) = (oldest.next(), seqs.saturating_mul(2));
                }
                Ok(entries)
            }

            async fn are_in_many(
                &self,
                users: &[goim_core::UserId],
                most: u64,
            ) -> $crate::store::StoreResult<bool> {
                let ids: Vec<i64> = users.iter().map(|user| user.as_i64()).collect();
                let mut connection = self.read().await?;
                let (are,): (bool,) = sqlx::query_as(concat!(
                    // Each by himself: a planner would rather look through everybody's.
                    "SELECT EXISTS (SELECT 1 FROM ",
                    $list!("$1"),
                    " u WHERE (SELECT count(*) FROM members m \
                         WHERE m.user_id = u.id AND m.until_seq IS NULL) >= $2)"
                ))
                .bind($bind(&ids))
                .bind($crate::store::shared::rows::column(most))
                .fetch_one(&mut *connection)
                .await?;
                Ok(are)
            }

            async fn start_device(
                &self,
                user: goim_core::UserId,
                device: goim_core::DeviceId,
                start: goim_proto::Start,
            ) -> $crate::store::StoreResult<()> {
                let mut connection = self.read().await?;
                let started: Option<(bool,)> = sqlx::query_as("SELECT started FROM devices WHERE id = $1")
                    .bind(device.as_i64())
                    .fetch_optional(&mut *connection)
                    .await?;
                drop(connection);
                if started == Some((true,)) {
                    return Ok(());
                }
                let mut connection = self.write().await?;
                let mut transaction = Self::begin(&mut connection).await?;
                let first: Option<(i64,)> =
                    sqlx::query_as("UPDATE devices SET started = true WHERE id = $1 AND NOT started RETURNING id")
                        .bind(device.as_i64())
                        .fetch_optional(&mut *transaction)
                        .await?;
                if first.is_some() {
                    // An inbox (kind 3) starts at its head in any case.
                    sqlx::query(
                        "INSERT INTO offsets (device, conversation, seq) \
                         SELECT $1, m.conversation, max(COALESCE(m.until_seq, c.head)) \
                         FROM members m JOIN conversations c ON c.id = m.conversation \
                         WHERE m.user_id = $2 AND (c.kind = 3 OR $3) GROUP BY m.conversation \
                         ON CONFLICT (device, conversation) DO NOTHING",
                    )
                    .bind(device.as_i64())
                    .bind(user.as_i64())
                    .bind(start != goim_proto::Start::Beginning)
                    .execute(&mut *transaction)
                    .await?;
                }
                transaction.commit().await?;
                Ok(())
            }

            async fn commit_offsets(
                &self,
                offsets: &[$crate::store::OffsetCommit],
            ) -> $crate::store::StoreResult<Vec<$crate::store::OffsetRefusal>> {
                if offsets.is_empty() {
                    return Ok(Vec::new());
                }
                self.commit_offsets_in_bulk(offsets).await
            }

            async fn mark_read(
                &self,
                user: goim_core::UserId,
                conversation: goim_core::ConversationId,
                seq: goim_core::Seq,
            ) -> Result<Option<goim_core::Seq>, $crate::store::StoreError> {
                let mut connection = self.write().await?;
                let moved: Option<(i64,)> = sqlx::query_as(
                    "INSERT INTO read_markers (user_id, conversation, seq, count) \
                     SELECT $1, $2, r.seq, COALESCE((SELECT e.count FROM messages e \
                         WHERE e.conversation = $2 AND e.seq <= r.seq ORDER BY e.seq DESC LIMIT 1), 0) \
                     FROM (SELECT CASE WHEN h.head < $3 THEN h.head ELSE $3 END AS seq FROM \
                         (SELECT max(COALESCE(m.until_seq, c.head)) AS head \
                          FROM members m JOIN conversations c ON c.id = m.conversation \
                          WHERE m.conversation = $2 AND m.user_id = $1) h WHERE h.head IS NOT NULL) r WHERE true \
                     ON CONFLICT (user_id, conversation) DO UPDATE SET seq = excluded.seq, \
                         count = CASE WHEN read_markers.count < excluded.count THEN excluded.count \
                             ELSE read_markers.count END \
                     WHERE read_markers.seq < excluded.seq RETURNING seq",
                )
                .bind(user.as_i64())
                .bind(conversation.as_i64())
                .bind(seq.as_i64())
                .fetch_optional(&mut *connection)
                .await?;
                if moved.is_none() && Self::read_ranges(&mut *connection, Self::PULLED, user, conversation).await?.is_empty() {
                    return Err($crate::store::StoreError::NotMember);
                }
                Ok(moved.map(|(seq,)| goim_core::Seq::from_i64(seq)))
            }

            async fn members(
                &self,
                conversation: goim_core::ConversationId,
                after: goim_core::UserId,
                limit: u32,
            ) -> $crate::store::StoreResult<Vec<$crate::store::MemberRow>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64, i16, i64, bool)> = sqlx::query_as(
                    "SELECT user_id, role, from_seq, muted FROM members \
                     WHERE conversation = $1 AND until_seq IS NULL AND user_id > $2 ORDER BY user_id LIMIT $3",
                )
                .bind(conversation.as_i64())
                .bind(after.as_i64())
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                let member = |(user, role, since, muted)| $crate::store::MemberRow {
                    user: goim_core::UserId::from_i64(user),
                    role: $crate::store::shared::rows::role(role),
                    since: goim_core::Seq::from_i64(since),
                    muted,
                };
                Ok(rows.into_iter().map(member).collect())
            }
        }
    };
}
