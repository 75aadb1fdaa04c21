//! Friends, requests to be friends, blocks, and what an account allows others.

use goim_core::UserId;
use goim_proto::content::{FriendAnswered, FriendRequested};
use goim_proto::limits::GREETING_BYTES_MAX;
use goim_proto::{
    AnswerFriend, Audience, BlockedPage, Content, Error, ErrorCode, FriendPage, FriendRequestPage,
    ListFriendRequests, ListUsers, Reply, RequestFriend, SessionInfo, SetRemark, SettingsUpdate, Viewers,
};

use super::accounts::check_name;
use super::profiles::{check_lines, page_limit};
use super::{Answered, Service, failed, failed_or_too_many, refuse};
use crate::clock::unix_ms;
use crate::store::{Notice, OpenLimit, Relation};

/// How long open requests and applications count: 30 days, in milliseconds.
const WAITED_MS: u64 = 30 * 24 * 3_600 * 1_000;

impl Service {
    /// Asks a user to be friends; somebody whose own request is open is accepted instead.
    pub(super) async fn request_friend(&self, session: &SessionInfo, arguments: RequestFriend) -> Answered {
        let RequestFriend { user: other, greeting } = arguments;
        check_lines(&greeting, GREETING_BYTES_MAX)?;
        let relation = self.relation(session, other).await?;
        if relation.friends {
            return Ok(Reply::Done);
        }
        if relation.blocks {
            return refuse(ErrorCode::BadArgument, "you block this user; unblock first");
        }
        if relation.is_asked {
            return self.answer_friend(session, AnswerFriend { user: other, accept: true }).await;
        }
        if relation.asked {
            return Ok(Reply::Done);
        }
        let content = Content::FriendRequested(FriendRequested { greeting: greeting.clone() });
        let notice = Notice::of(&content);
        // Whom the other one blocks must not be able to tell.
        let notice = (!relation.blocked).then_some(&notice);
        let (from, limit) = (session.user, self.open_limit());
        let asked = self.store.request_friend(from, other, &greeting, notice, limit, unix_ms()).await;
        asked.map_err(failed_or_too_many("too many of your requests are not answered; wait for some"))?;
        self.due_now.notify_one();
        Ok(Reply::Done)
    }

    /// Answers a user's request.
    pub(super) async fn answer_friend(&self, session: &SessionInfo, arguments: AnswerFriend) -> Answered {
        let AnswerFriend { user: from, accept } = arguments;
        let mut is_asked = self.relation(session, from).await?.is_asked;
        if is_asked {
            let notice = Notice::of(&Content::FriendAnswered(FriendAnswered { accepted: accept }));
            let (user, most) = (session.user, self.limits.friends_max);
            let answered = self.store.answer_friend(user, from, accept, &notice, most, unix_ms()).await;
            let refused = failed_or_too_many("one of you has as many friends as this server allows");
            is_asked = answered.map_err(refused)?;
        }
        if !is_asked {
            // Perhaps it was answered before, and so.
            if self.relation(session, from).await?.friends == accept {
                return Ok(Reply::Done);
            }
            return refuse(ErrorCode::NotFound, "this user has no open request to you");
        }
        self.due_now.notify_one();
        Ok(Reply::Done)
    }

    /// Lists requests that the caller sent or was sent.
    pub(super) async fn list_friend_requests(
        &self,
        session: &SessionInfo,
        arguments: ListFriendRequests,
    ) -> Answered {
        let ListFriendRequests { sent, before, limit } = arguments;
        let limit = page_limit(limit);
        let before = if before == 0 { u64::MAX } else { before };
        let requests = self.store.friend_requests(session.user, sent, before, limit).await.map_err(failed)?;
        let more = requests.len() >= limit as usize;
        Ok(Reply::FriendRequests(FriendRequestPage { requests, more }))
    }

    /// Lists the caller's friends.
    pub(super) async fn list_friends(&self, session: &SessionInfo, arguments: ListUsers) -> Answered {
        let limit = page_limit(arguments.limit);
        let friends = self.store.friends(session.user, arguments.after, limit).await.map_err(failed)?;
        let more = friends.len() >= limit as usize;
        Ok(Reply::Friends(FriendPage { friends, more }))
    }

    /// Notes what the caller calls a friend.
    pub(super) async fn set_remark(&self, session: &SessionInfo, arguments: SetRemark) -> Answered {
        let SetRemark { user: friend, remark } = arguments;
        if !remark.is_empty() {
            check_name(&remark)?;
        }
        if !self.store.set_remark(session.user, friend, &remark).await.map_err(failed)? {
            return refuse(ErrorCode::NotFound, "you have no such friend");
        }
        Ok(Reply::Done)
    }

    /// Ends a friendship.
    pub(super) async fn delete_friend(&self, session: &SessionInfo, friend: UserId) -> Answered {
        self.store.delete_friend(session.user, friend).await.map_err(failed)?;
        Ok(Reply::Done)
    }

    /// Takes no direct messages from a user any more, or takes them again.
    pub(super) async fn set_block(&self, session: &SessionInfo, other: UserId, block: bool) -> Answered {
        let relation = self.relation(session, other).await?;
        if relation.blocks == block {
            return Ok(Reply::Done);
        }
        let noted = self.store.set_block(session.user, other, block, self.limits.friends_max).await;
        noted.map_err(failed_or_too_many("you block as many users as this server allows"))?;
        Ok(Reply::Done)
    }

    /// Lists whom the caller blocks.
    pub(super) async fn list_blocked(&self, session: &SessionInfo, arguments: ListUsers) -> Answered {
        let limit = page_limit(arguments.limit);
        let users = self.store.blocked(session.user, arguments.after, limit).await.map_err(failed)?;
        let more = users.len() >= limit as usize;
        Ok(Reply::Blocked(BlockedPage { users, more }))
    }

    /// Changes what the caller's account allows others.
    pub(super) async fn update_settings(&self, session: &SessionInfo, update: SettingsUpdate) -> Answered {
        let SettingsUpdate { direct_from, groups_from, presence_to } = update;
        if [direct_from, groups_from].into_iter().flatten().any(|one| matches!(one, Audience::Unknown(_))) {
            return refuse(ErrorCode::BadArgument, "allow it to friends (1) or to everybody (2)");
        }
        if matches!(presence_to, Some(Viewers::Unknown(_))) {
            return refuse(
                ErrorCode::BadArgument,
                "let friends (1), fellow members too (2) or nobody (3) see whether you are there",
            );
        }
        match self.store.update_settings(session.user, &update).await.map_err(failed)? {
            Some(settings) => Ok(Reply::Settings(settings)),
            None => refuse(ErrorCode::NotFound, "there is no such user any more"),
        }
    }

    /// Refuses to add users to a group some of whom do not take that from the caller.
    pub(super) async fn check_adds(&self, session: &SessionInfo, users: &[UserId]) -> Result<(), Error> {
        if self.store.keeps_out_of_groups(session.user, users).await.map_err(failed)? {
            // One sentence for those who chose their audience and those who block: a block is not told.
            let message = "one of the users is not added to groups by you; let the user join or apply";
            return refuse(ErrorCode::Forbidden, message);
        }
        Ok(())
    }

    /// How much of a user's may wait for an answer. What is old is not waited for any longer: some are never
    /// answered, and count against nobody for ever.
    pub(super) fn open_limit(&self) -> OpenLimit {
        let after_ms = unix_ms().saturating_sub(WAITED_MS);
        OpenLimit { most: self.limits.open_requests_max, after_ms }
    }

    /// How the caller stands to somebody else.
    pub(super) async fn relation(&self, session: &SessionInfo, other: UserId) -> Result<Relation, Error> {
        if other == session.user {
            return refuse(ErrorCode::BadArgument, "this takes somebody else");
        }
        match self.store.relation(session.user, other).await.map_err(failed)? {
            Some(relation) => Ok(relation),
            None => refuse(ErrorCode::NotFound, "there is no such user"),
        }
    }
}

/// Whether a user may open a direct chat with somebody to whom he stands like this.
pub(super) fn check_opens_direct(relation: &Relation) -> Result<(), Error> {
    if relation.blocks {
        return refuse(ErrorCode::Forbidden, "you block this user; unblock first");
    }
    let open = relation.friends || relation.owns || relation.direct_from == Audience::Everybody;
    if relation.blocked || !open {
        // One sentence for both: a block is not told.
        return refuse(
            ErrorCode::Forbidden,
            "this user chats with friends only; send a friend request first",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strangers() -> Relation {
        Relation {
            friends: false,
            blocks: false,
            blocked: false,
            asked: false,
            is_asked: false,
            owns: false,
            direct_from: Audience::Friends,
            direct: None,
        }
    }

    #[test]
    fn a_direct_chat_is_opened_by_friends_owners_and_whom_the_settings_allow() {
        let code = |relation: Relation| check_opens_direct(&relation).map_err(|error| error.code);
        assert_eq!(code(strangers()), Err(ErrorCode::Forbidden));
        assert_eq!(code(Relation { asked: true, is_asked: true, ..strangers() }), Err(ErrorCode::Forbidden));
        for open in [
            Relation { friends: true, ..strangers() },
            Relation { owns: true, ..strangers() },
            Relation { direct_from: Audience::Everybody, ..strangers() },
        ] {
            assert_eq!(code(open), Ok(()));
            assert_eq!(code(Relation { blocks: true, ..open }), Err(ErrorCode::Forbidden));
            let told = check_opens_direct(&Relation { blocked: true, ..open }).unwrap_err();
            assert_eq!(told, check_opens_direct(&strangers()).unwrap_err(), "a block is not told");
        }
    }
}
