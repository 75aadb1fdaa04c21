//! Every call but sends: who may make it, who does it, and how the answer goes back.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "calls are dispatched in steps, each of which takes its own"
)]

use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use goim_core::Epoch;
use goim_proto::{Call, Error, ErrorCode, Reply, ReplyTo, ServerFrame, SessionInfo, encode_frame};

use super::{Answered, Service, refuse};
use crate::access::{Connection, Outgoing};

/// Answers longer than this go on a stream of their own, so that an ack never waits behind them.
const CONTROL_REPLY_BYTES_MAX: usize = 8 << 10;

impl Service {
    /// Answers a call; not any more on a connection that ends: it may be of another epoch.
    pub(crate) async fn serve(
        &self,
        connection: &Arc<Connection>,
        quic: &quinn::Connection,
        id: u64,
        call: Call,
    ) {
        if connection.has_ended() {
            return;
        }
        // Closed never.
        let turn = async || connection.large_replies.acquire().await.ok();
        let (frame, turn) = match call {
            // The page is held from here on, so that it waits for its turn before it is read.
            Call::Pull(_) | Call::History(_) | Call::ListConversations(_) | Call::SearchMessages(_) => {
                let turn = turn().await;
                (self.large_call(connection, id, call).await, turn)
            }
            call => {
                // So is what a sync looks at.
                let held = if matches!(call, Call::Sync(_)) { turn().await } else { None };
                match self.call(connection, quic, call).await.and_then(|reply| encoded(id, reply)) {
                    Ok(frame) if frame.len() > CONTROL_REPLY_BYTES_MAX && held.is_none() => {
                        (Ok(frame), turn().await)
                    }
                    frame => (frame, held),
                }
            }
        };
        match frame {
            Ok(frame) if frame.len() > CONTROL_REPLY_BYTES_MAX => write_beside(connection, quic, frame).await,
            Ok(frame) => connection.answer(Outgoing::Frame(frame)),
            Err(error) => {
                self.metrics.calls_failed_total.add(1);
                connection.answer(Outgoing::reply(id, Reply::Error(error)));
            }
        }
        drop(turn);
    }

    async fn call(&self, connection: &Arc<Connection>, quic: &quinn::Connection, call: Call) -> Answered {
        match call {
            Call::Register(_) | Call::Login(_) | Call::LoginExternal(_) | Call::Refresh(_) => {
                self.account_call(quic.remote_address().ip(), call).await
            }
            Call::Authenticate(arguments) => {
                let session = self.authenticate(connection, &arguments).await?;
                Ok(Reply::Authenticated(session))
            }
            Call::Ping => Ok(Reply::Done),
            Call::Unknown(_) => refuse(ErrorCode::UnknownCall, "this server does not know the call"),
            call => {
                let session = self.session_of(connection)?;
                if let Call::Sync(arguments) = call {
                    let known = self.listen(connection, &session, &arguments).await?;
                    return self.sync_page(&session, connection.epoch(), arguments, known).await;
                }
                self.session_call(&session, connection.epoch(), call).await
            }
        }
    }

    pub(super) async fn account_call(&self, address: IpAddr, call: Call) -> Answered {
        self.logins.pay(self.clock.now(), address)?;
        match call {
            Call::Register(arguments) => self.register(arguments).await,
            Call::Login(arguments) => self.login(address, arguments).await,
            Call::LoginExternal(arguments) => self.login_external(arguments).await,
            Call::Refresh(arguments) => self.refresh(&arguments.refresh_token).await,
            _ => unknown(),
        }
    }

    /// Answers what needs a session and no connection, in an epoch.
    pub(super) async fn session_call(&self, session: &SessionInfo, epoch: Epoch, call: Call) -> Answered {
        match call {
            Call::OpenDirect(arguments) => self.open_direct(session, arguments.user).await,
            Call::CreateGroup(arguments) => self.create_group(session, arguments).await,
            Call::AddMembers(arguments) => self.add_members(session, arguments).await,
            Call::RemoveMember(arguments) => self.remove_member(session, arguments).await,
            Call::Leave(arguments) => self.leave_group(session, arguments.conversation).await,
            Call::Rename(arguments) => self.rename(session, arguments).await,
            Call::ListMembers(arguments) => self.list_members(session, arguments).await,
            Call::GroupInfo(arguments) => self.group_info(session, arguments.conversation).await,
            Call::FindGroup(arguments) => self.find_group(session, arguments.number).await,
            Call::UpdateGroup(arguments) => self.update_group(session, arguments).await,
            Call::SetRole(arguments) => self.set_role(session, arguments).await,
            Call::MuteMember(arguments) => self.mute_member(session, arguments).await,
            Call::TransferGroup(arguments) => self.transfer_group(session, arguments).await,
            Call::DismissGroup(arguments) => self.dismiss_group(session, arguments).await,
            Call::JoinGroup(arguments) => self.join_group(session, arguments).await,
            Call::ApplyToGroup(arguments) => self.apply_to_group(session, arguments).await,
            Call::AnswerApplication(arguments) => self.answer_application(session, arguments).await,
            Call::ListApplications(arguments) => self.list_applications(session, arguments).await,
            Call::Sync(arguments) => self.sync(session, epoch, arguments).await,
            Call::Heads(arguments) => self.heads(session, epoch, arguments).await,
            Call::Commit(arguments) => self.commit(session, arguments).await,
            Call::Edit(arguments) => self.edit(session, arguments).await,
            Call::Recall(arguments) => self.recall(session, arguments).await,
            Call::React(arguments) => self.react(session, arguments).await,
            Call::DeleteForMe(list) => self.delete_for_me(session, list).await,
            Call::Readers(position) => self.readers(session, position).await,
            Call::Receipt(arguments) => self.receipt(session, arguments.conversation).await,
            Call::MarkRead(position) => self.mark_read(session, position).await,
            Call::UpdateConversation(update) => self.update_conversation(session, update).await,
            Call::Typing(arguments) => self.typing(session, epoch, arguments.conversation).await,
            call => self.people_call(session, call).await,
        }
    }

    async fn people_call(&self, session: &SessionInfo, call: Call) -> Answered {
        match call {
            Call::Logout => self.logout(session).await,
            Call::CreateBot(arguments) => self.create_bot(session, &arguments.name).await,
            Call::RevokeBot(arguments) => self.revoke_bot(session, arguments.user).await,
            Call::FindUser(arguments) => self.find_user(&arguments.name).await,
            Call::Profiles(arguments) => self.profiles(&arguments.users).await,
            Call::UpdateProfile(update) => self.update_profile(session, update).await,
            Call::SearchUsers(arguments) => self.search_users(arguments).await,
            Call::ChangePassword(arguments) => self.change_password(session, arguments).await,
            Call::ListDevices(arguments) => self.list_devices(session, arguments).await,
            Call::RevokeDevice(arguments) => self.revoke_device(session, arguments.device).await,
            Call::RequestFriend(arguments) => self.request_friend(session, arguments).await,
            Call::AnswerFriend(arguments) => self.answer_friend(session, arguments).await,
            Call::ListFriendRequests(arguments) => self.list_friend_requests(session, arguments).await,
            Call::ListFriends(arguments) => self.list_friends(session, arguments).await,
            Call::SetRemark(arguments) => self.set_remark(session, arguments).await,
            Call::DeleteFriend(arguments) => self.delete_friend(session, arguments.user).await,
            Call::Block(arguments) => self.set_block(session, arguments.user, true).await,
            Call::Unblock(arguments) => self.set_block(session, arguments.user, false).await,
            Call::ListBlocked(arguments) => self.list_blocked(session, arguments).await,
            Call::UpdateSettings(update) => self.update_settings(session, update).await,
            Call::SetPresence(arguments) => self.set_presence(session, arguments.away).await,
            Call::Presences(list) => self.presences(session, list).await,
            Call::Allocate(arguments) => self.allocate(session, arguments).await,
            _ => unknown(),
        }
    }

    async fn large_call(&self, connection: &Arc<Connection>, id: u64, call: Call) -> Result<Bytes, Error> {
        let session = self.session_of(connection)?;
        match call {
            Call::Pull(arguments) => self.pull(connection, &session, id, arguments).await,
            Call::History(arguments) => encoded(id, self.history(&session, arguments).await?),
            Call::ListConversations(arguments) => {
                encoded(id, self.list_conversations(&session, arguments).await?)
            }
            Call::SearchMessages(arguments) => encoded(id, self.search_messages(&session, arguments).await?),
            _ => Ok(unknown().map(|reply| encoded(id, reply))??),
        }
    }
}

/// Writes a large answer to a stream of its own.
async fn write_beside(connection: &Connection, quic: &quinn::Connection, frame: Bytes) {
    if connection.has_ended() {
        return;
    }
    // Whoever does not read it gets no further large ones; nothing else waits.
    if let Ok(mut stream) = quic.open_uni().await
        && stream.write_chunk(frame).await.is_ok()
    {
        let _ = stream.finish();
    }
}

/// A reply as a frame.
pub(super) fn encoded(id: u64, reply: Reply) -> Result<Bytes, Error> {
    let mut frame = BytesMut::new();
    let reply = ServerFrame::Reply(ReplyTo { id, reply });
    match encode_frame(&reply, &mut frame) {
        Ok(()) => Ok(frame.freeze()),
        Err(_) => refuse(ErrorCode::TooLarge, "the answer exceeds a frame; ask for less"),
    }
}

fn unknown() -> Answered {
    refuse(ErrorCode::UnknownCall, "this server does not know the call")
}
