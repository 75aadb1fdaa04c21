//! Profiles, devices, friends: what is about people.

use goim_core::{DeviceId, UserId};
use goim_proto::content::{Content, FriendAnswered, FriendRequested};
use goim_proto::{
    AccountSettings, AnswerFriend, Audience, BlockedPage, Call, ChangePassword, DeviceArgument, DeviceInfo,
    DevicePage, FoundPage, Friend, FriendPage, FriendRequest, FriendRequestPage, Gender, ListDevices,
    ListFriendRequests, ListUsers, LoginExternal, Profile, ProfileList, ProfileUpdate, Reply, RequestFriend,
    RequestState, SearchUsers, SetRemark, SettingsUpdate, UserArgument, UserList, Viewers,
};

use super::{BEN, BOT, Case, DEVICE, NOW_MS, call, content, reply};

pub(super) fn calls() -> Vec<Case> {
    let update = ProfileUpdate {
        nickname: Some("Ada L.".into()),
        avatar: Some("img-9".into()),
        gender: Some(Gender::Female),
        bio: Some("counts".into()),
    };
    let one = ProfileUpdate { bio: Some(String::new()), ..ProfileUpdate::default() };
    let search = SearchUsers { prefix: "be".into(), after: "70002:ben".into(), limit: 20 };
    let password = ChangePassword { password: "correct horse".into(), new_password: "battery staple".into() };
    let external =
        LoginExternal { token: "eyJhbGciOiJFZERTQSJ9.e30.c2ln".into(), device_name: "phone".into() };
    let request = RequestFriend { user: BEN, greeting: "tea?".into() };
    let requests = ListFriendRequests { sent: true, before: 31, limit: 20 };
    let page = ListUsers { after: BEN, limit: 50 };
    let settings = SettingsUpdate {
        direct_from: Some(Audience::Everybody),
        groups_from: None,
        presence_to: Some(Viewers::Nobody),
    };
    vec![
        call("RequestFriend", Call::RequestFriend(request)),
        call("AnswerFriend", Call::AnswerFriend(AnswerFriend { user: BEN, accept: true })),
        call("ListFriendRequests", Call::ListFriendRequests(requests)),
        call("ListFriends", Call::ListFriends(page.clone())),
        call("SetRemark", Call::SetRemark(SetRemark { user: BEN, remark: "Benny".into() })),
        call("DeleteFriend", Call::DeleteFriend(UserArgument { user: BEN })),
        call("Block", Call::Block(UserArgument { user: BEN })),
        call("Unblock", Call::Unblock(UserArgument { user: BEN })),
        call("ListBlocked", Call::ListBlocked(page)),
        call("UpdateSettings", Call::UpdateSettings(settings)),
        call("Profiles", Call::Profiles(UserList { users: vec![BEN, BOT] })),
        call("UpdateProfile", Call::UpdateProfile(update)),
        call("UpdateProfile of one thing", Call::UpdateProfile(one)),
        call("SearchUsers", Call::SearchUsers(search)),
        call("ChangePassword", Call::ChangePassword(password)),
        call("ListDevices", Call::ListDevices(ListDevices { after: DEVICE, limit: 10 })),
        call("LoginExternal", Call::LoginExternal(external)),
        call("RevokeDevice", Call::RevokeDevice(DeviceArgument { device: DeviceId::new(13) })),
    ]
}

fn profile(user: UserId, name: &str) -> Profile {
    Profile {
        user,
        name: name.into(),
        nickname: "B".into(),
        avatar: "img-7".into(),
        gender: Gender::Male,
        bio: "tea".into(),
        version: 4,
        bot: false,
    }
}

pub(super) fn replies() -> Vec<Case> {
    let ben = profile(BEN, "ben");
    let echo = Profile { gender: Gender::default(), bot: true, ..profile(BOT, "echo") };
    let found = FoundPage { users: vec![ben.clone()], next: "70002:ben".into() };
    let phone = DeviceInfo { device: DEVICE, name: "phone".into(), created_ms: NOW_MS };
    let request = FriendRequest {
        number: 30,
        user: BEN,
        greeting: "tea?".into(),
        state: RequestState::Accepted,
        at_ms: NOW_MS,
    };
    let friend = Friend { user: BEN, remark: "Benny".into(), version: 4, since_ms: NOW_MS };
    vec![
        reply(
            "Settings",
            Reply::Settings(AccountSettings {
                direct_from: Audience::Friends,
                groups_from: Audience::Everybody,
                presence_to: Viewers::Nobody,
            }),
        ),
        reply(
            "FriendRequests",
            Reply::FriendRequests(FriendRequestPage { requests: vec![request], more: true }),
        ),
        reply("Friends", Reply::Friends(FriendPage { friends: vec![friend], more: true })),
        reply("Blocked", Reply::Blocked(BlockedPage { users: vec![BEN], more: true })),
        reply("Profiles", Reply::Profiles(ProfileList { profiles: vec![ben, echo] })),
        reply("Found", Reply::Found(found)),
        reply("Devices", Reply::Devices(DevicePage { devices: vec![phone], more: true })),
    ]
}

pub(super) fn contents() -> Vec<Case> {
    let requested = FriendRequested { greeting: "tea?".into() };
    vec![
        content("FriendRequested", Content::FriendRequested(requested)),
        content("FriendAnswered", Content::FriendAnswered(FriendAnswered { accepted: true })),
    ]
}
