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
                let head: Option<(i64, i64, i64, i16, i64, Option<i16>, Option<bool>, Option<bool>)> = sqlx::query_as(
                    "SELECT c.head, c.count, c.rev, c.kind, c.creator, g.policy, g.muted, g.dismissed \
                     FROM conversations c LEFT JOIN group_settings g ON g.conversation = c.id WHERE c.id = $1",
                )
                .bind(load.conversation.as_i64())
                .fetch_optional(&mut *connection)
                .await?;
                let Some((head, count, rev, kind, creator, policy, muted, dismissed)) = head else {
                    return Ok(None);
                };
                let group = $crate::store::shared::rows::group_settings((policy, muted, dismissed));
                // After the revision, which a block raises: what is newer here is found stale too.
                let closed_to = if $crate::store::shared::rows::kind(kind) == goim_proto::ConversationKind::Direct {
                    Self::closed_to(&mut *connection, load.conversation).await?
                } else {
                    Default::default()
                };
                let rows: Vec<(i64, Option<i16>, bool)> = if load.members.is_empty() {
                    Vec::new()
                } else {
                    let users: Vec<i64> = load.members.iter().map(|user| user.as_i64()).collect();
                    sqlx::query_as(concat!(
                        "SELECT user_id, max(role) FILTER (WHERE until_seq IS NULL), \
                             count(*) FILTER (WHERE muted) > 0 \
                         FROM members WHERE conversation = $1 AND (until_seq IS NULL OR muted) AND user_id IN ",
                        $list!("$2"),
                        " GROUP BY user_id"
                    ))
                    .bind(load.conversation.as_i64())
                    .bind($bind(&users))
                    .fetch_all(&mut *connection)
                    .await?
                };
                let found = Self::find_ids(&mut *connection, load).await?;
                let member = |user: &goim_core::UserId| {
                    let row = rows.iter().find(|(id, ..)| *id == user.as_i64());
                    row.map(|(_, role, muted)| $crate::store::Member {
                        role: role.map($crate::store::shared::rows::role),
                        muted: *muted,
                    })
                };
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
                    members: load.members.iter().map(|user| (*user, member(user))).collect(),
                    found,
                }))
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
                let window = (after, goim_core::Seq::MAX);
                // Nobody has deleted anything for himself.
                let nobody = (goim_core::UserId::new(0), conversation);
                let (entries, _) =
                    Self::read_window(&mut *connection, nobody, window, limit, bytes_max).await?;
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
                let (low, high) = (creator.min(other).as_i64(), creator.max(other).as_i64());
                let mut connection = self.write().await?;
                let find = "SELECT conversation FROM direct_chats WHERE low = $1 AND high = $2";
                let found: Option<(i64,)> =
                    sqlx::query_as(find).bind(low).bind(high).fetch_optional(&mut *connection).await?;
                if let Some((id,)) = found {
                    return Ok(goim_core::ConversationId::from_i64(id));
                }
                let mut transaction = Self::begin(&mut connection).await?;
                let (made,): (i64,) =
                    sqlx::query_as("INSERT INTO conversations (kind, creator) VALUES (1, $1) RETURNING id")
                        .bind(creator.as_i64())
                        .fetch_one(&mut *transaction)
                        .await?;
                let taken: Option<(i64,)> = sqlx::query_as(
                    "INSERT INTO direct_chats (low, high, conversation) VALUES ($1, $2, $3) \
                     ON CONFLICT (low, high) DO NOTHING RETURNING conversation",
                )
                .bind(low)
                .bind(high)
                .bind(made)
                .fetch_optional(&mut *transaction)
                .await?;
                if let Some((id,)) = taken {
                    transaction.commit().await?;
                    return Ok(goim_core::ConversationId::from_i64(id));
                }
                // The other one was faster: his conversation is the one, ours goes.
                transaction.rollback().await?;
                let (id,): (i64,) =
                    sqlx::query_as(find).bind(low).bind(high).fetch_one(&mut *connection).await?;
                Ok(goim_core::ConversationId::from_i64(id))
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
