//! What messages hold, and what is done to them.

use goim_core::Seq;
use goim_proto::content::{Content, FileContent, ImageContent, References, TextContent};

use super::{BEN, BOT, Case, content};

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
    ]
}
