//! What content is, by what it begins with: what a client calls it counts for nothing.

/// So much of the beginning is looked at.
pub(super) const BEGINNING_BYTES: usize = 8 << 10;

/// What browsers decode, and scripts and styles cannot be in: an avatar is one of these.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// What browsers may show where it is linked, besides pictures.
const PLAYED: [&str; 6] = ["video/mp4", "video/webm", "audio/mpeg", "audio/ogg", "audio/x-wav", "audio/m4a"];

/// What nothing more is known of.
const ANY: &str = "application/octet-stream";

/// The media type of what begins like this.
pub(super) fn media_type(beginning: &[u8]) -> &'static str {
    infer::get(beginning).map_or(ANY, |kind| kind.mime_type())
}

/// Whether it may be an avatar.
pub(super) fn is_picture(media_type: &str) -> bool {
    PICTURES.contains(&media_type)
}

/// Whether a browser may show it in place; all else it shall save.
pub(crate) fn is_shown_inline(media_type: &str) -> bool {
    is_picture(media_type) || PLAYED.contains(&media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_what_it_begins_with() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        for (beginning, expected) in [
            (&png[..], "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
            (b"GIF89a\x01\0\x01\0", "image/gif"),
            (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        ] {
            assert_eq!(media_type(beginning), expected);
            assert!(is_picture(expected) && is_shown_inline(expected));
        }
        // What could run, or hide what runs, is saved and not shown.
        for beginning in [
            &b"<!DOCTYPE html><script>alert(1)</script>"[..],
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>",
            b"<?xml version=\"1.0\"?><svg/>",
            b"%PDF-1.7",
            b"alert(1)",
            b"\x7fELF\x02\x01\x01",
            b"",
        ] {
            let media_type = media_type(beginning);
            assert!(!is_picture(media_type) && !is_shown_inline(media_type), "{media_type}");
        }
    }
}
