//! Profiles, devices, friends: what is about people.

use goim_core::{DeviceId, UserId};
use goim_proto::{
    Call, ChangePassword, DeviceArgument, DeviceInfo, DevicePage, FoundPage, Gender, ListDevices, Profile,
    ProfileList, ProfileUpdate, Reply, SearchUsers, UserList,
};

use super::{BEN, BOT, Case, DEVICE, NOW_MS, call, reply};

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
    vec![
        call("Profiles", Call::Profiles(UserList { users: vec![BEN, BOT] })),
        call("UpdateProfile", Call::UpdateProfile(update)),
        call("UpdateProfile of one thing", Call::UpdateProfile(one)),
        call("SearchUsers", Call::SearchUsers(search)),
        call("ChangePassword", Call::ChangePassword(password)),
        call("ListDevices", Call::ListDevices(ListDevices { after: DEVICE, limit: 10 })),
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
    vec![
        reply("Profiles", Reply::Profiles(ProfileList { profiles: vec![ben, echo] })),
        reply("Found", Reply::Found(found)),
        reply("Devices", Reply::Devices(DevicePage { devices: vec![phone], more: true })),
    ]
}
