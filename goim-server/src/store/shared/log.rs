/// The methods of `Log` that both engines say in the same words, as inherent ones.
macro_rules! log {
    ($store:ty, $connection:ty, $list:ident, $bind:path) => {
        impl $store {
            async fn load_state(
                &self,
                load: &$crate::store::Load,
            ) -> $crate::store::StoreResult<Option<$crate::store::LoadedState>> {
                let mut connection = self.read().await?;
                // The head before everything else: a state newer than its head is found stale by
                // the append, an older one would not be.
                let head: Option<(i64, i64, i64, i16, i64, Option<i16>, Option<bool>, Option<bool>, Option<i64>)> = sqlx::query_as(
                    "SELECT c.head, c.count, c.rev, c.kind, c.creator, g.policy, g.muted, g.dismissed, g.members \
                     FROM conversations c LEFT JOIN group_settings g ON g.conversation = c.id WHERE c.id = $1",
                )
                .bind(load.conversation.as_i64())
                .fetch_optional(&mut *connection)
                .await?;
                let Some((head, count, rev, kind, creator, policy, muted, dismissed, size)) = head else {
                    return Ok(None);
                };
                let group = $crate::store::shared::rows::group_settings((policy, muted, dismissed, size));
                // After the revision, which blocks and applications raise: what is newer here is found
                // stale too.
                let closed_to = if $crate::store::shared::rows::kind(kind) == goim_proto::ConversationKind::Direct {
                    Self::closed_to(&mut *connection, load.conversation).await?
                } else {
                    Default::default()
                };
                let rows: Vec<$crate::store::shared::rows::FoldMemberColumns> = if load.members.is_empty() {
                    Vec::new()
                } else {
                    let users: Vec<i64> = load.members.iter().map(|user| user.as_i64()).collect();
                    sqlx::query_as(concat!(
                        "SELECT u.id, max(m.role) FILTER (WHERE m.until_seq IS NULL), \
                             count(*) FILTER (WHERE m.muted) > 0, count(m.user_id), \
                             EXISTS (SELECT 1 FROM group_applications a \
                                 WHERE a.conversation = $1 AND a.user_id = u.id AND a.state = 1) \
                         FROM ",
                        $list!("$2"),
                        " u LEFT JOIN members m ON m.conversation = $1 AND m.user_id = u.id GROUP BY u.id"
                    ))
                    .bind(load.conversation.as_i64())
                    .bind($bind(&users))
                    .fetch_all(&mut *connection)
                    .await?
                };
                let found = Self::find_ids(&mut *connection, load).await?;
                Ok(Some($crate::store::LoadedState {
                    head: goim_core::Seq::from_i64(head),
                    count: $crate::store::shared::rows::number(count),
                    rev: $crate::store::shared::rows::number(rev),
                    settings: $crate::store::Settings {
                        kind: $crate::store::shared::rows::kind(kind),
                        creator: goim_core::UserId::from_i64(creator),
                        opened: head > 0,
                        closed_to,
                        group,
                        changes: $crate::store::Changes::since(goim_core::Seq::from_i64(head)),
                    },
                    members: rows.into_iter().map($crate::store::shared::rows::fold_member).collect(),
                    found,
                }))
            }

            /// Says that the fold changes without an entry. It comes before the change: it takes the
            /// lock that an append takes first, so that each sees the other's change or waits for it.
            async fn raise_revision(
                connection: &mut $connection,
                conversation: goim_core::ConversationId,
            ) -> Result<(), sqlx::Error> {
                sqlx::query("UPDATE conversations SET rev = rev + 1 WHERE id = $1")
                    .bind(conversation.as_i64())
                    .execute(connection)
                    .await?;
                Ok(())
            }

            async fn find_direct(
                connection: &mut $connection,
                one: goim_core::UserId,
                other: goim_core::UserId,
            ) -> Result<Option<goim_core::ConversationId>, sqlx::Error> {
                let row: Option<(i64,)> =
                    sqlx::query_as("SELECT conversation FROM direct_chats WHERE low = $1 AND high = $2")
                        .bind(one.min(other).as_i64())
                        .bind(one.max(other).as_i64())
                        .fetch_optional(connection)
                        .await?;
                Ok(row.map(|(id,)| goim_core::ConversationId::from_i64(id)))
            }

            /// Lets those wait for each other who add to what a user may have so many of: each counts what
            /// the one before has left. An update that changes nothing is a lock in both engines. Whoever
            /// locks two begins with the lesser id.
            async fn lock_user(
                connection: &mut $connection,
                user: goim_core::UserId,
            ) -> Result<(), sqlx::Error> {
                sqlx::query("UPDATE users SET version = version WHERE id = $1")
                    .bind(user.as_i64())
                    .execute(connection)
                    .await?;
                Ok(())
            }

            /// Lets a block wait for who makes the direct chat of the two, and the other way round: it
            /// either raises that one's revision, or is there when a lane first looks.
            async fn lock_pair(
                connection: &mut $connection,
                one: goim_core::UserId,
                other: goim_core::UserId,
            ) -> Result<(), sqlx::Error> {
                Self::lock_user(connection, one.min(other)).await
            }

            /// Who of the two in a direct chat is blocked by the other.
            async fn closed_to(
                connection: &mut $connection,
                conversation: goim_core::ConversationId,
            ) -> $crate::store::StoreResult<[goim_core::UserId; 2]> {
                let rows: Vec<(i64,)> = sqlx::query_as(
                    "SELECT b.blocked_id FROM direct_chats d \
                     JOIN blocks b ON b.user_id = d.low AND b.blocked_id = d.high WHERE d.conversation = $1 \
                     UNION ALL SELECT b.blocked_id FROM direct_chats d \
                     JOIN blocks b ON b.user_id = d.high AND b.blocked_id = d.low WHERE d.conversation = $1",
                )
                .bind(conversation.as_i64())
                .fetch_all(connection)
                .await?;
                let user = |at: usize| rows.get(at).map_or(0, |(user,): &(i64,)| *user);
                Ok([user(0), user(1)].map(goim_core::UserId::from_i64))
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Log for $store {
            async fn entries(
                &self,
                conversation: goim_core::ConversationId,
                after: goim_core::Seq,
                limit: u32,
                bytes_max: usize,
            ) -> $crate::store::StoreResult<Vec<$crate::store::StoredEntry>> {
                let mut connection = self.read().await?;
                // Without an end: what retention took must not hide what is behind it.
                let window = [(after, goim_core::Seq::MAX)];
                // Nobody has deleted anything for himself.
                let nobody = goim_core::UserId::new(0);
                let mut entries = Vec::new();
                Self::read_windows(
                    &mut *connection,
                    Self::ENTRIES,
                    (nobody, conversation),
                    &window,
                    limit,
                    bytes_max,
                    &mut entries,
                )
                .await?;
                Ok(entries)
            }

            async fn heads(
                &self,
                conversations: &[goim_core::ConversationId],
            ) -> $crate::store::StoreResult<Vec<$crate::store::Head>> {
                let mut connection = self.read().await?;
                let (epoch,): (i64,) =
                    sqlx::query_as("SELECT epoch FROM meta").fetch_one(&mut *connection).await?;
                // It may have changed under a connection that lives: see `new_epoch`.
                self.gate.saw(goim_core::Epoch::from_i64(epoch))?;
                self.gate.check()?;
                let ids = $crate::store::shared::rows::conversations(conversations);
                let rows: Vec<(i64, i64)> =
                    sqlx::query_as(concat!("SELECT id, head FROM conversations WHERE id IN ", $list!("$1")))
                        .bind($bind(&ids))
                        .fetch_all(&mut *connection)
                        .await?;
                let heads = rows.into_iter().map(|(id, head)| $crate::store::Head {
                    conversation: goim_core::ConversationId::from_i64(id),
                    head: goim_core::Seq::from_i64(head),
                });
                Ok(heads.collect())
            }

            async fn appended(
                &self,
                conversation: goim_core::ConversationId,
                sender: goim_core::UserId,
                client_msg_id: goim_core::ClientMsgId,
            ) -> $crate::store::StoreResult<Option<goim_core::lane::Found>> {
                let mut connection = self.read().await?;
                let row: Option<(i64, i64, i64)> = sqlx::query_as(
                    "SELECT seq, count, at FROM messages \
                     WHERE conversation = $1 AND sender = $2 AND client_msg_id = $3",
                )
                .bind(conversation.as_i64())
                .bind(sender.as_i64())
                .bind(client_msg_id.as_uuid())
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map(|(seq, count, at)| goim_core::lane::Found {
                    sender,
                    client_msg_id,
                    seq: goim_core::Seq::from_i64(seq),
                    count: $crate::store::shared::rows::number(count),
                    at_ms: $crate::store::shared::rows::number(at),
                }))
            }

            async fn created(
                &self,
                creator: goim_core::UserId,
                client_msg_id: goim_core::ClientMsgId,
            ) -> $crate::store::StoreResult<Option<goim_core::ConversationId>> {
                let mut connection = self.read().await?;
                let row: Option<(i64,)> = sqlx::query_as(
                    "SELECT id FROM conversations WHERE creator = $1 AND client_msg_id = $2 AND head > 0",
                )
                .bind(creator.as_i64())
                .bind(client_msg_id.as_uuid())
                .fetch_optional(&mut *connection)
                .await?;
                Ok(row.map(|(id,)| goim_core::ConversationId::from_i64(id)))
            }

            async fn create_conversation(
                &self,
                new: &$crate::store::NewConversation,
            ) -> $crate::store::StoreResult<goim_core::ConversationId> {
                let mut connection = self.write().await?;
                let made: Option<(i64,)> = sqlx::query_as(
                    "INSERT INTO conversations (kind, creator, client_msg_id, title) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (creator, client_msg_id) DO NOTHING RETURNING id",
                )
                .bind($crate::store::shared::rows::kind_column(new.kind))
                .bind(new.creator.as_i64())
                .bind(new.client_msg_id.as_uuid())
                .bind(&new.title)
                .fetch_optional(&mut *connection)
                .await?;
                let id = match made {
                    Some((id,)) => id,
                    None => {
                        let (id,): (i64,) = sqlx::query_as(
                            "SELECT id FROM conversations WHERE creator = $1 AND client_msg_id = $2",
                        )
                        .bind(new.creator.as_i64())
                        .bind(new.client_msg_id.as_uuid())
                        .fetch_one(&mut *connection)
                        .await?;
                        id
                    }
                };
                if new.kind == goim_proto::ConversationKind::Group {
                    // Before its first entry, so every opened group has them.
                    sqlx::query(
                        "INSERT INTO group_settings (conversation) VALUES ($1) \
                         ON CONFLICT (conversation) DO NOTHING",
                    )
                    .bind(id)
                    .execute(&mut *connection)
                    .await?;
                }
                Ok(goim_core::ConversationId::from_i64(id))
            }

            async fn direct_chat(
                &self,
                creator: goim_core::UserId,
                other: goim_core::UserId,
            ) -> $crate::store::StoreResult<goim_core::ConversationId> {
                let mut connection = self.write().await?;
                if let Some(direct) = Self::find_direct(&mut connection, creator, other).await? {
                    return Ok(direct);
                }
                let mut transaction = Self::begin(&mut connection).await?;
                Self::lock_pair(&mut transaction, creator, other).await?;
                let (made,): (i64,) =
                    sqlx::query_as("INSERT INTO conversations (kind, creator) VALUES (1, $1) RETURNING id")
                        .bind(creator.as_i64())
                        .fetch_one(&mut *transaction)
                        .await?;
                let taken: Option<(i64,)> = sqlx::query_as(
                    "INSERT INTO direct_chats (low, high, conversation) VALUES ($1, $2, $3) \
                     ON CONFLICT (low, high) DO NOTHING RETURNING conversation",
                )
                .bind(creator.min(other).as_i64())
                .bind(creator.max(other).as_i64())
                .bind(made)
                .fetch_optional(&mut *transaction)
                .await?;
                if let Some((id,)) = taken {
                    transaction.commit().await?;
                    return Ok(goim_core::ConversationId::from_i64(id));
                }
                // The other one was faster: his conversation is the one, ours goes.
                transaction.rollback().await?;
                let direct = Self::find_direct(&mut connection, creator, other).await?;
                Ok(direct.ok_or(sqlx::Error::RowNotFound)?)
            }

            async fn conversation(
                &self,
                conversation: goim_core::ConversationId,
            ) -> $crate::store::StoreResult<Option<$crate::store::ConversationRow>> {
                let mut connection = self.read().await?;
                let row: Option<(i16, String, i64)> =
                    sqlx::query_as("SELECT kind, title, head FROM conversations WHERE id = $1")
                        .bind(conversation.as_i64())
                        .fetch_optional(&mut *connection)
                        .await?;
                Ok(row.map(|(kind, title, head)| $crate::store::ConversationRow {
                    conversation,
                    kind: $crate::store::shared::rows::kind(kind),
                    title,
                    head: goim_core::Seq::from_i64(head),
                }))
            }

            async fn due(&self, limit: u32) -> $crate::store::StoreResult<Vec<$crate::store::DueRow>> {
                let mut connection = self.read().await?;
                let rows: Vec<(i64, i64, i64, i16, i64, i64, i64, i64, Option<Vec<u8>>)> = sqlx::query_as(
                    "SELECT d.id, u.inbox, d.user_id, d.kind, d.conversation, d.seq, d.sender, d.at, d.body \
                     FROM due d JOIN users u ON u.id = d.user_id ORDER BY d.id LIMIT $1",
                )
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
                let row = |(id, inbox, user, kind, conversation, seq, sender, at, body): (_, _, _, _, _, _, _, _, Option<Vec<u8>>)| $crate::store::DueRow {
                    id,
                    inbox: goim_core::ConversationId::from_i64(inbox),
                    user: goim_core::UserId::from_i64(user),
                    kind: $crate::store::EntryKind(kind),
                    conversation: goim_core::ConversationId::from_i64(conversation),
                    seq: goim_core::Seq::from_i64(seq),
                    sender: goim_core::UserId::from_i64(sender),
                    at_ms: $crate::store::shared::rows::number(at),
                    body: body.map(bytes::Bytes::from),
                };
                Ok(rows.into_iter().map(row).collect())
            }

            async fn due_done(&self, ids: &[i64]) -> $crate::store::StoreResult<()> {
                let mut connection = self.write().await?;
                sqlx::query(concat!("DELETE FROM due WHERE id IN ", $list!("$1")))
                    .bind($bind(ids))
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            }
        }
    };
}
