//! What messages hold, and what is done to them.

use goim_core::Seq;
use goim_proto::content::{
    Blank, BlankReason, Content, Edited, EncodedContent, FileContent, ImageContent, Reacted, Recalled,
    References, TextContent,
};
use goim_proto::{
    Call, ConversationArgument, ConversationItem, ConversationKind, ConversationPage, ConversationUpdate,
    Edit, FoundMessage, ListConversations, MessageForm, MessageList, MessagePage, React, Reactions,
    ReaderList, Recall, Receipt, Reply, SearchMessages,
};

use super::{ADA, BEN, BOT, Case, GROUP, NOW_MS, at, call, content, entry, id, reply};

pub(super) fn calls() -> Vec<Case> {
    let (conversation, seq) = (GROUP, Seq::new(5));
    let edit = Edit { conversation, seq, client_msg_id: id(18), body: Content::text("hello all").encode() };
    let recall = Recall { conversation, seq, client_msg_id: id(19) };
    let react = React { conversation, seq, emoji: "🍵".into(), set: true, client_msg_id: id(20) };
    vec![
        call("Edit", Call::Edit(edit)),
        call("Recall", Call::Recall(recall)),
        call("React", Call::React(react)),
        call("DeleteForMe", Call::DeleteForMe(deleted())),
        call("Readers", Call::Readers(at(conversation, 5))),
        call("Receipt", Call::Receipt(ConversationArgument { conversation })),
        call("ListConversations", Call::ListConversations(ListConversations { after: GROUP, limit: 50 })),
        call("UpdateConversation", Call::UpdateConversation(update())),
        call("SearchMessages", Call::SearchMessages(search())),
    ]
}

fn deleted() -> MessageList {
    MessageList { conversation: GROUP, seqs: vec![Seq::new(3), Seq::new(5)] }
}

fn update() -> ConversationUpdate {
    ConversationUpdate { conversation: GROUP, muted: Some(true), pinned: None, hidden: Some(false) }
}

fn search() -> SearchMessages {
    let before = format!("{}:{GROUP}:12", NOW_MS + 9);
    SearchMessages { query: "green te".into(), conversation: GROUP, before, limit: 20 }
}

fn found() -> MessagePage {
    let found = |seq| FoundMessage { conversation: GROUP, entry: entry(seq, BEN, 9, &Content::text("tea")) };
    MessagePage { messages: vec![found(12), found(11)], next: search().before }
}

fn listed() -> Vec<ConversationItem> {
    let first = ConversationItem {
        conversation: GROUP,
        kind: ConversationKind::Group,
        title: "tea".into(),
        avatar: "up-83".into(),
        peer: BEN,
        head: Seq::new(12),
        offset: Seq::new(11),
        read_marker: Seq::new(8),
        unread: 3,
        mentioned: 1,
        last: Some(entry(12, BEN, 9, &Content::text("yes"))),
        muted: true,
        pinned: false,
        hidden: true,
    };
    let next = ConversationItem { pinned: true, hidden: false, ..first.clone() };
    vec![first, next]
}

pub(super) fn replies() -> Vec<Case> {
    let readers = ReaderList { read: vec![ADA, BOT], unread: vec![BEN] };
    let receipt = Receipt { delivered: Seq::new(6), read: Seq::new(5) };
    let page = ConversationPage { items: listed(), more: true };
    vec![
        reply("Readers", Reply::Readers(readers)),
        reply("Receipt", Reply::Receipt(receipt)),
        reply("Conversations", Reply::Conversations(page)),
        reply("FoundMessages", Reply::FoundMessages(found())),
    ]
}

pub(super) fn forms() -> Vec<MessageForm> {
    let tea = Reactions { emoji: "🍵".into(), count: 2, own: true };
    vec![MessageForm { seq: Seq::new(3), edited_at_ms: NOW_MS + 30, reactions: vec![tea] }]
}

pub(super) fn contents() -> Vec<Case> {
    let answer = References { reply_to: Seq::new(3), mentions_all: false, mentions: vec![BEN, BOT] };
    let to_all = References { reply_to: Seq::ZERO, mentions_all: true, mentions: vec![] };
    let image = ImageContent {
        key: "up-81".into(),
        name: "tea.png".into(),
        media_type: "image/png".into(),
        size: 70_000,
        width: 640,
        height: 480,
        references: Some(answer.clone()),
    };
    let file = FileContent {
        key: "up-82".into(),
        name: "menu.pdf".into(),
        media_type: "application/pdf".into(),
        size: 9_000,
        references: None,
    };
    let text = |references| Content::Text(TextContent { text: "yes".into(), references: Some(references) });
    vec![
        content("Text that answers and mentions", text(answer)),
        content("Text to all", text(to_all)),
        content("Image", Content::Image(image)),
        content("File", Content::File(file)),
        content("Blank", Content::Blank(Blank { reason: BlankReason::Recalled })),
        content("DeletedForMe", Content::DeletedForMe(deleted())),
        content("ConversationUpdated", Content::ConversationUpdated(update())),
        content(
            "Edited",
            Content::Edited(Edited { seq: Seq::new(5), body: EncodedContent(Content::text("bye").encode()) }),
        ),
        content("Recalled", Content::Recalled(Recalled { seq: Seq::new(5) })),
        content("Reacted", Content::Reacted(Reacted { seq: Seq::new(5), emoji: "🍵".into(), set: true })),
    ]
}
