//! Direct chats and groups. What depends on a conversation's state is judged once more in its
//! lane, where the state is exact; what is checked here only spares the lane.

use goim_core::lane::{Found, Offer, Outcome};
use goim_core::{ClientMsgId, ConversationId, Epoch, Seq, UserId};
use goim_proto::content::{DirectOpened, GroupCreated, MemberRemoved, MembersAdded, Renamed};
use goim_proto::limits::{PULL_LIMIT_MAX, USERS_MAX};
use goim_proto::{
    Content, ConversationInfo, ConversationKind, CreateGroup, Error, ErrorCode, ListMembers, Member,
    MemberInfo, MemberPage, Members, Rename, Reply, Role, Sent, SessionInfo,
};
use tokio::sync::oneshot;

use super::accounts::check_name;
use super::answers::sent;
use super::draft::check_id;
use super::friends::check_opens_direct;
use super::{Answered, Offers, Refusal, Service, Ticket, failed, refuse};
use crate::clock::unix_ms;
use crate::store::{Effect, EntryDraft, EntryKind, NewConversation, derived_id};

/// An entry that says what happened to a conversation.
pub(super) struct Happening {
    pub(super) conversation: ConversationId,
    pub(super) client_msg_id: ClientMsgId,
    pub(super) content: Content,
    pub(super) effect: Effect,
}

impl Service {
    /// Finds or makes the direct chat with a user.
    pub(super) async fn open_direct(&self, session: &SessionInfo, other: UserId) -> Answered {
        let relation = self.relation(session, other).await?;
        if let Some(direct) = relation.direct {
            return Ok(Reply::Conversation(self.info(direct).await?));
        }
        check_opens_direct(&relation)?;
        self.check_conversation_counts(&[session.user, other]).await?;
        let conversation = self.store.direct_chat(session.user, other).await.map_err(failed)?;
        let info = self.info(conversation).await?;
        if info.head > Seq::ZERO {
            return Ok(Reply::Conversation(info));
        }
        let users = vec![(session.user, Role::Member), (other, Role::Member)];
        let opened = self.append(
            session,
            Happening {
                conversation,
                // Two may open it at once: the second is refused, for it is open already.
                client_msg_id: derived_id(unix_ms(), &[conversation.as_u64()]),
                content: Content::DirectOpened(DirectOpened { user: other }),
                effect: Effect::Join { users },
            },
        );
        let opened = opened.await;
        let info = self.info(conversation).await?;
        match opened {
            // By the other one, who was faster.
            Err(_) if info.head > Seq::ZERO => Ok(Reply::Conversation(info)),
            Err(error) => Err(error),
            Ok(_) => Ok(Reply::Conversation(info)),
        }
    }

    /// Makes a group with its first members.
    pub(super) async fn create_group(&self, session: &SessionInfo, arguments: CreateGroup) -> Answered {
        let CreateGroup { name, mut members, client_msg_id } = arguments;
        check_name(&name)?;
        check_id(client_msg_id)?;
        if let Some(made) = self.store.created(session.user, client_msg_id).await.map_err(failed)? {
            return Ok(Reply::Conversation(self.info(made).await?));
        }
        members.retain(|member| *member != session.user);
        let members = self.distinct(members).await?;
        self.check_adds(session, &members).await?;
        self.check_conversation_counts(&[&[session.user], members.as_slice()].concat()).await?;
        if members.len() >= self.limits.group_members_max {
            // (Before there is a conversation.)
            return Err(Refusal::TooManyMembers.into_error());
        }
        let new = NewConversation {
            kind: ConversationKind::Group,
            creator: session.user,
            client_msg_id,
            title: name.clone(),
        };
        let conversation = self.store.create_conversation(&new).await.map_err(failed)?;
        let mut users = vec![(session.user, Role::Owner)];
        users.extend(members.iter().map(|member| (*member, Role::Member)));
        let happening = Happening {
            conversation,
            client_msg_id,
            content: Content::GroupCreated(GroupCreated { name, members }),
            effect: Effect::Join { users },
        };
        self.append(session, happening).await?;
        Ok(Reply::Conversation(self.info(conversation).await?))
    }

    /// Adds members to a group.
    pub(super) async fn add_members(&self, session: &SessionInfo, arguments: Members) -> Answered {
        let Members { conversation, users, client_msg_id } = arguments;
        check_id(client_msg_id)?;
        if let Some(sent) = self.repeated(session, conversation, client_msg_id).await? {
            return Ok(Reply::Sent(sent));
        }
        let users = self.distinct(users).await?;
        if users.is_empty() {
            return refuse(ErrorCode::BadArgument, "name at least one user");
        }
        self.managed_group(session, conversation).await?;
        self.check_adds(session, &users).await?;
        self.check_conversation_counts(&users).await?;
        let joined = users.iter().map(|user| (*user, Role::Member)).collect();
        let happening = Happening {
            conversation,
            client_msg_id,
            content: Content::MembersAdded(MembersAdded { users }),
            effect: Effect::Join { users: joined },
        };
        self.append(session, happening).await.map(Reply::Sent)
    }

    /// Removes a member from a group.
    pub(super) async fn remove_member(&self, session: &SessionInfo, arguments: Member) -> Answered {
        let Member { conversation, user, client_msg_id } = arguments;
        check_id(client_msg_id)?;
        let happening = Happening {
            conversation,
            client_msg_id,
            content: Content::MemberRemoved(MemberRemoved { user }),
            effect: Effect::Part { user },
        };
        self.append(session, happening).await.map(Reply::Sent)
    }

    /// Takes the caller out of a group.
    pub(super) async fn leave_group(&self, session: &SessionInfo, conversation: ConversationId) -> Answered {
        let happening = Happening {
            conversation,
            client_msg_id: ClientMsgId::mint(unix_ms(), &rand::random()),
            content: Content::MemberLeft,
            effect: Effect::Part { user: session.user },
        };
        self.append(session, happening).await.map(Reply::Sent)
    }

    /// Gives a group a new name.
    pub(super) async fn rename(&self, session: &SessionInfo, arguments: Rename) -> Answered {
        let Rename { conversation, name, client_msg_id } = arguments;
        check_name(&name)?;
        check_id(client_msg_id)?;
        let happening = Happening {
            conversation,
            client_msg_id,
            content: Content::Renamed(Renamed { name: name.clone() }),
            effect: Effect::Retitle { title: name },
        };
        self.append(session, happening).await.map(Reply::Sent)
    }

    /// Lists a conversation's members, for its members.
    pub(super) async fn list_members(&self, session: &SessionInfo, arguments: ListMembers) -> Answered {
        let ListMembers { conversation, after, limit } = arguments;
        self.check_reads(session, conversation).await?;
        let limit = if limit == 0 { PULL_LIMIT_MAX } else { limit.min(PULL_LIMIT_MAX) };
        let rows = self.store.members(conversation, after, limit).await.map_err(failed)?;
        let more = rows.len() >= limit as usize;
        let members = rows.into_iter().map(|row| MemberInfo {
            user: row.user,
            role: row.role,
            since: row.since,
            muted: row.muted,
        });
        Ok(Reply::Members(MemberPage { members: members.collect(), more }))
    }

    /// Appends an entry that has to be committed.
    pub(super) async fn append(&self, session: &SessionInfo, happening: Happening) -> Result<Sent, Error> {
        sent(&self.settle(session, self.epoch(), happening).await?)
    }

    /// Offers an entry of an epoch to its lane and waits for its fate.
    pub(super) async fn settle(
        &self,
        session: &SessionInfo,
        epoch: Epoch,
        happening: Happening,
    ) -> Result<Outcome<Refusal>, Error> {
        self.check_takes_sends()?;
        let Happening { conversation, client_msg_id, content, effect } = happening;
        let (answer, answered) = oneshot::channel::<Outcome<Refusal>>();
        let entry = EntryDraft { kind: EntryKind::of(&content), body: content.encode(), effect };
        let offers = vec![Offer {
            ticket: Ticket::Call(answer),
            conversation,
            sender: session.user,
            device: session.device,
            client_msg_id,
            after: None,
            // Calls are repeated with the same id; these are few, so all of them are looked up.
            retry: true,
            epoch,
            entry,
        }];
        let outcome = self.fate(offers, answered).await?;
        self.due_now.notify_one();
        Ok(outcome)
    }

    /// Hands entries to their lanes and waits for the one that is answered here.
    pub(super) async fn fate(
        &self,
        mut offers: Offers,
        answered: oneshot::Receiver<Outcome<Refusal>>,
    ) -> Result<Outcome<Refusal>, Error> {
        while !offers.is_empty() {
            self.committer.offer(&mut offers);
            if !offers.is_empty() {
                self.committer.room().await;
            }
        }
        match answered.await {
            Ok(outcome) => Ok(outcome),
            Err(_) => refuse(ErrorCode::Unavailable, "the server is stopping"),
        }
    }

    /// What is answered to a call whose entry is there already: whatever has changed since, and would
    /// refuse it by now, it has been done.
    pub(super) async fn repeated(
        &self,
        session: &SessionInfo,
        conversation: ConversationId,
        client_msg_id: ClientMsgId,
    ) -> Result<Option<Sent>, Error> {
        let found = self.store.appended(conversation, session.user, client_msg_id).await.map_err(failed)?;
        Ok(found.map(|Found { seq, count, at_ms, .. }| Sent { seq, duplicate: true, at_ms, count }))
    }

    async fn info(&self, conversation: ConversationId) -> Result<ConversationInfo, Error> {
        match self.store.conversation(conversation).await.map_err(failed)? {
            Some(row) => {
                Ok(ConversationInfo { conversation, kind: row.kind, title: row.title, head: row.head })
            }
            None => refuse(ErrorCode::NotFound, "there is no such conversation"),
        }
    }

    /// Each user once, all of whom exist.
    async fn distinct(&self, mut users: Vec<UserId>) -> Result<Vec<UserId>, Error> {
        users.sort_unstable();
        users.dedup();
        self.check_users(&users).await?;
        Ok(users)
    }

    async fn check_users(&self, users: &[UserId]) -> Result<(), Error> {
        if users.len() > USERS_MAX {
            return refuse(ErrorCode::TooLarge, "at most 1,000 users in one call");
        }
        if users.is_empty() {
            return Ok(());
        }
        let existing = self.store.existing_users(users).await.map_err(failed)?;
        if existing.len() < users.len() {
            return refuse(ErrorCode::NotFound, "one of the users does not exist");
        }
        Ok(())
    }

    /// Refuses more conversations than each of these users may be a member of.
    pub(super) async fn check_conversation_counts(&self, users: &[UserId]) -> Result<(), Error> {
        let most = self.limits.conversations_per_user_max as u64;
        if self.store.are_in_many(users, most).await.map_err(failed)? {
            let message = "one of you would be in more conversations than this server allows";
            return refuse(ErrorCode::TooLarge, message);
        }
        Ok(())
    }

    pub(super) async fn check_reads(
        &self,
        session: &SessionInfo,
        conversation: ConversationId,
    ) -> Result<(), Error> {
        if !self.is_in(session.user, conversation).await? {
            return refuse(ErrorCode::NotMember, "you are not a member of this conversation");
        }
        Ok(())
    }

    /// Whether a user is a member now.
    pub(super) async fn is_in(&self, user: UserId, conversation: ConversationId) -> Result<bool, Error> {
        self.store.is_member(user, conversation).await.map_err(failed)
    }
}
