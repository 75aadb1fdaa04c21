//! Calls about accounts, people, friends and who is there.

use goim_client::{Audience, DeviceId, ProfileUpdate, SequenceKind, SettingsUpdate, UserId};
use goim_proto::{
    Allocate, AnswerFriend, Authenticate, Call, ChangePassword, CreateBot, DeviceArgument, FindUser,
    ListDevices, ListFriendRequests, ListUsers, LoginExternal, Refresh, RequestFriend, SearchUsers,
    SetPresence, SetRemark, UserArgument,
};
use rand::RngExt;

use super::{Row, plain, prepared};
use crate::api::seed::any;
use crate::api::world::Who::{Guest, Heavy, Newcomer, Peer};
use crate::api::world::{World, credentials};
use crate::host::{HEAVY, issuer};

/// A page as large as the server gives.
const WHOLE_PAGE: u32 = 0;
/// Numbers of a sequence at once.
const NUMBERS: u32 = 100;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    plain("Register", "Session", "one Argon2", Newcomer, |w| Call::Register(credentials(&w.name("new")))),
    plain("Login", "Session", "one Argon2", Newcomer, |_| Call::Login(credentials(HEAVY))),
    prepared("LoginExternal", "Session", "one signature, of an account that is there", Newcomer, |_| Box::pin(async {
        let token = issuer::token(HEAVY)?;
        Ok(Call::LoginExternal(LoginExternal { token, device_name: "phone".to_owned() }))
    })),
    plain("Refresh", "Session", "", Newcomer, |w| Call::Refresh(Refresh { refresh_token: w.session.refresh_token.clone() })),
    prepared("Logout", "Done", "", Guest, |w| Box::pin(async {
        w.let_in().await?;
        Ok(Call::Logout)
    })),
    prepared("Authenticate", "Authenticated", "a session that is there", Guest, |w| Box::pin(async {
        let token = w.let_in().await?.access_token.clone();
        Ok(Call::Authenticate(Authenticate { token, ..Authenticate::default() }))
    })),
    plain("CreateBot", "BotToken", "", Peer, |w| Call::CreateBot(CreateBot { name: w.name("bot") })),
    prepared("RevokeBot", "Done", "", Peer, |w| Box::pin(async {
        Ok(Call::RevokeBot(UserArgument { user: w.new_bot(Peer).await? }))
    })),
    plain("FindUser", "User", "", Heavy, |w| Call::FindUser(FindUser { name: known_name(w) })),
    plain("Profiles", "Profiles", "100 users", Heavy, |w| Call::Profiles(w.many_users())),
    plain("UpdateProfile", "Profiles", "", Heavy, |w| Call::UpdateProfile(profile(w))),
    plain("SearchUsers", "Found", "100 users, by 1 to 4 letters", Heavy, |w| Call::SearchUsers(search(w))),
    plain("ChangePassword", "Done", "two Argon2", Newcomer, |w| Call::ChangePassword(change_password(w))),
    plain("ListDevices", "Devices", "", Heavy, |_| Call::ListDevices(ListDevices { after: DeviceId::new(0), limit: WHOLE_PAGE })),
    prepared("RevokeDevice", "Done", "", Heavy, |w| Box::pin(async {
        Ok(Call::RevokeDevice(DeviceArgument { device: w.let_in().await?.info.device }))
    })),
    plain("SetPresence", "Done", "", Heavy, |w| Call::SetPresence(SetPresence { away: w.random.random() })),
    plain("Presences", "Presences", "100 users", Heavy, |w| Call::Presences(w.many_users())),
    plain("Ping", "Done", "", Heavy, |_| Call::Ping),
    plain("RequestFriend", "Done", "", Peer, |w| Call::RequestFriend(RequestFriend { user: w.stranger(), greeting: "hello".to_owned() })),
    prepared("AnswerFriend", "Done", "accepted", Heavy, |w| Box::pin(async {
        let user = w.meet(false).await?;
        w.friends = true;
        Ok(Call::AnswerFriend(AnswerFriend { user, accept: true }))
    })),
    plain("ListFriendRequests", "FriendRequests", "100 received", Heavy, |_| Call::ListFriendRequests(ListFriendRequests { sent: false, before: 0, limit: WHOLE_PAGE })),
    plain("ListFriends", "Friends", "up to 100", Heavy, |w| Call::ListFriends(friends_from_any(w))),
    plain("SetRemark", "Done", "", Heavy, |w| Call::SetRemark(SetRemark { user: w.friend(), remark: w.name("remark") })),
    prepared("DeleteFriend", "Done", "", Heavy, |w| Box::pin(async {
        let user = w.meet(true).await?;
        w.friends = false;
        Ok(Call::DeleteFriend(UserArgument { user }))
    })),
    plain("Block", "Done", "", Heavy, |w| Call::Block(UserArgument { user: w.stranger() })),
    prepared("Unblock", "Done", "", Heavy, |w| Box::pin(async {
        let user = w.stranger();
        w.ask(Heavy, Call::Block(UserArgument { user })).await?;
        Ok(Call::Unblock(UserArgument { user }))
    })),
    plain("ListBlocked", "Blocked", "", Heavy, |_| Call::ListBlocked(ListUsers { limit: WHOLE_PAGE, ..ListUsers::default() })),
    plain("UpdateSettings", "Settings", "", Peer, |w| Call::UpdateSettings(settings(w))),
    plain("Allocate", "Allocated", "100 of a dense sequence", Heavy, |_| Call::Allocate(numbers("orders", SequenceKind::Dense))),
    plain("Allocate", "Allocated", "100 of a segmented one", Heavy, |_| Call::Allocate(numbers("events", SequenceKind::Segmented))),
];

fn known_name(world: &mut World) -> String {
    let at = world.random.random_range(0..world.data.people.names.len());
    world.data.people.names[at].clone()
}

fn profile(world: &mut World) -> ProfileUpdate {
    let nickname = Some(world.name("Heavy"));
    ProfileUpdate { nickname, ..ProfileUpdate::default() }
}

fn search(world: &mut World) -> SearchUsers {
    let mut prefix = known_name(world);
    prefix.truncate(world.random.random_range(1..=4));
    SearchUsers { prefix, after: String::new(), limit: WHOLE_PAGE }
}

fn change_password(world: &mut World) -> ChangePassword {
    let [password, new_password] = world.passwords.clone();
    world.passwords.swap(0, 1);
    ChangePassword { password, new_password }
}

/// A page that begins with any of them.
fn friends_from_any(world: &mut World) -> ListUsers {
    ListUsers { after: UserId::new(world.friend().as_u64() - 1), limit: WHOLE_PAGE }
}

fn settings(world: &mut World) -> SettingsUpdate {
    let audience = any(&mut world.random, &[Audience::Friends, Audience::Everybody]);
    SettingsUpdate { direct_from: Some(audience), ..SettingsUpdate::default() }
}

fn numbers(sequence: &str, kind: SequenceKind) -> Allocate {
    Allocate { sequence: sequence.to_owned(), kind, count: NUMBERS }
}
