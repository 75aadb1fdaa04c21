//! Who calls, and what they find.

use goim_core::{ConversationId, DeviceId, Seq, UserId};
use goim_proto::{
    Audience, Call, ConversationArgument, CreateBot, GroupChange, GroupInfo, JoinPolicy, Member, Reply,
    RequestFriend, Role, SetRole, SettingsUpdate, UpdateGroup, UserArgument,
};

use super::CALLERS;
use super::table::{apply, mute};
use crate::client::Http;
use crate::support::issuer::{Signer, claims};
use crate::support::{RawClient, TestServer, mint, unique};
use crate::world::{done, instance};

/// What a call may name: made anew after each call that was allowed, so that none meets what another
/// left.
pub(super) struct Scene {
    /// Of the owner, the admin, the members and the target; the removed one was in it. It takes
    /// applications, and the outsider's is open.
    pub(super) group: ConversationId,
    /// Its public number.
    pub(super) number: u64,
    /// The owner's own group, which is open.
    pub(super) lounge: ConversationId,
    /// The owner's own group, by invitation only.
    pub(super) club: ConversationId,
    /// Between the owner and the member.
    pub(super) direct: ConversationId,
    /// A plain member.
    pub(super) target: UserId,
    /// Somebody who is in no conversation, blocks the blocked one, and asked the member to be friends.
    pub(super) outsider: UserId,
    /// Somebody who chats with friends only, and has none.
    pub(super) hermit: UserId,
    pub(super) owner: UserId,
    /// Between the owner and whom he blocks.
    pub(super) closed: ConversationId,
    /// What the owner has said in the group.
    pub(super) said: Seq,
    /// What the owner has said in the direct chat.
    pub(super) told: Seq,
    /// Of the issuer that the server trusts.
    pub(super) token: String,
    /// Of none of the callers.
    pub(super) device: DeviceId,
    /// The owner's.
    pub(super) inbox: ConversationId,
}

/// Everybody who acts: bots, which need no password, all of one factory.
pub(super) struct Cast<'a> {
    pub(super) server: &'a TestServer,
    issuer: &'a Signer,
    factory: RawClient,
    owner: RawClient,
    hermit: UserId,
    /// Between the owner and whom he blocks.
    closed: ConversationId,
    lounge: ConversationId,
    club: ConversationId,
    /// The user and the token of each caller but nobody.
    callers: Vec<(UserId, String)>,
    /// Where callers bring files, if the walk is about them.
    files: Option<Http>,
}

impl<'a> Cast<'a> {
    pub(super) async fn gather(server: &'a TestServer, issuer: &'a Signer, files: Option<Http>) -> Self {
        let mut factory = RawClient::user(server.addr(), "factory").await;
        let mut callers = Vec::new();
        for name in &CALLERS[1..] {
            callers.push(Self::made(&mut factory, name).await);
        }
        let revoke = Call::RevokeBot(UserArgument { user: callers[0].0 });
        assert_eq!(factory.call(revoke).await.unwrap(), Reply::Done);
        let caller = |name: &str| &callers[at(name) - 1];
        let mut owner = instance(server, &caller("owner").1, "the scene").await;
        let mut member = instance(server, &caller("member").1, "the scene").await;
        owner.befriend(&mut member).await;
        let blocked = caller("blocked").0;
        let closed = owner.direct(blocked).await.unwrap();
        owner.call(Call::Block(UserArgument { user: blocked })).await.unwrap();
        let (lounge, club) = (owner.group(vec![]).await, owner.group(vec![]).await);
        owner.call(Call::UpdateGroup(opened(lounge, JoinPolicy::Open))).await.unwrap();
        let (hermit, token) = Self::made(&mut factory, "hermit").await;
        let friends_only =
            SettingsUpdate { direct_from: Some(Audience::Friends), ..SettingsUpdate::default() };
        instance(server, &token, "").await.call(Call::UpdateSettings(friends_only)).await.unwrap();
        Self { server, issuer, factory, owner, hermit, closed, lounge, club, callers, files }
    }

    async fn made(factory: &mut RawClient, name: &str) -> (UserId, String) {
        let made = factory.call(Call::CreateBot(CreateBot { name: unique(name) })).await.unwrap();
        let Reply::BotToken(bot) = made else { panic!("{made:?}") };
        (bot.user, bot.token)
    }

    /// A caller's token; nobody has none.
    pub(super) fn token(&self, caller: usize) -> Option<&str> {
        caller.checked_sub(1).map(|at| self.callers[at].1.as_str())
    }

    fn user(&self, name: &str) -> UserId {
        self.callers[at(name) - 1].0
    }

    pub(super) async fn scene(&mut self) -> Scene {
        let (target, _) = Self::made(&mut self.factory, "target").await;
        let (outsider, token) = Self::made(&mut self.factory, "outsider").await;
        let mut client = instance(self.server, &token, "").await;
        client.call(Call::Block(UserArgument { user: self.user("blocked") })).await.unwrap();
        let request = RequestFriend { user: self.user("member"), ..RequestFriend::default() };
        client.call(Call::RequestFriend(request)).await.unwrap();
        let [removed, muted, member, admin] =
            ["removed", "muted", "member", "admin"].map(|name| self.user(name));
        let group = self.owner.group(vec![removed, muted, member, admin, target]).await;
        let direct = self.owner.direct(member).await.unwrap();
        if self.files.is_some() {
            self.bring_files(group, direct).await;
        }
        let role = SetRole { conversation: group, user: admin, role: Role::Admin, client_msg_id: mint() };
        let gone = Member { conversation: group, user: removed, client_msg_id: mint() };
        for call in [
            Call::SetRole(role),
            Call::MuteMember(mute(group, muted)),
            Call::RemoveMember(gone),
            Call::UpdateGroup(opened(group, JoinPolicy::Approval)),
        ] {
            self.owner.call(call).await.unwrap();
        }
        client.call(Call::ApplyToGroup(apply(group))).await.unwrap();
        let info = self.owner.call(Call::GroupInfo(ConversationArgument { conversation: group })).await;
        let Ok(Reply::Group(GroupInfo { number, .. })) = info else { panic!("{info:?}") };
        let Self { hermit, closed, lounge, club, .. } = *self;
        let owner = self.user("owner");
        let said = self.owner.text(group, "hello").await.unwrap().seq;
        let told = self.owner.text(direct, "hello").await.unwrap().seq;
        let token = self.issuer.sign(&claims("walker"));
        Scene {
            group,
            number,
            lounge,
            club,
            direct,
            target,
            outsider,
            hermit,
            owner,
            closed,
            said,
            told,
            token,
            device: self.factory.session.as_ref().unwrap().device,
            inbox: self.owner.session.as_ref().unwrap().inbox,
        }
    }

    /// Everybody brings a file of his own to wherever he may, and the owner an avatar.
    async fn bring_files(&mut self, group: ConversationId, direct: ConversationId) {
        let attachments = |to: ConversationId| format!("/v1/conversations/{to}/attachments");
        self.bring("/v1/avatars", &["owner"]).await;
        self.bring(&attachments(group), &["removed", "muted", "member", "admin", "owner"]).await;
        self.bring(&attachments(direct), &["member", "owner"]).await;
        let blocked = UserArgument { user: self.user("blocked") };
        done(&mut self.owner, Call::Unblock(blocked.clone())).await;
        self.bring(&attachments(self.closed), &["blocked", "owner"]).await;
        done(&mut self.owner, Call::Block(blocked)).await;
    }

    async fn bring(&self, folder: &str, callers: &[&str]) {
        for caller in callers {
            let token = self.token(at(caller)).map(str::to_owned);
            let http = Http { token, ..self.files.clone().unwrap() };
            http.ask_bytes("POST", folder, &[], &file_of(caller)).await.ok();
        }
    }
}

/// The picture that a caller brings.
pub(super) fn file_of(caller: &str) -> Vec<u8> {
    [b"GIF89a\x01\0\x01\0", caller.as_bytes()].concat()
}

fn opened(conversation: ConversationId, policy: JoinPolicy) -> UpdateGroup {
    let change = GroupChange { policy: Some(policy), ..GroupChange::default() };
    UpdateGroup { conversation, client_msg_id: mint(), change }
}

/// A caller's column.
fn at(name: &str) -> usize {
    CALLERS.iter().position(|caller| *caller == name).unwrap()
}
