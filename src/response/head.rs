//! The head of an answer: its status, and what its headers tell about a failure.

use std::time::Duration;

use crate::exchange::Headers;
use crate::response::catalogue::reason;
use crate::response::retry_after::asked_wait;
use crate::response::{Cleaned, Redactor, ServerText};
use crate::timestamp::Timestamp;

/// The status of an answer, and its headers, of which nothing has been read yet.
pub struct AnswerHead<H> {
    pub status: u16,
    pub headers: H,
}

impl<H: Headers> AnswerHead<H> {
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the time at which the server says that it answered.
    pub fn date(&self) -> Option<Timestamp> {
        Timestamp::from_http_date(&self.headers.get("date")?)
    }
}

/// What an error keeps of the head of an answer.
pub struct ErrorHead {
    pub status: u16,
    pub ray_id: Option<String>,
    pub asked_wait: Option<Duration>,
    pub content_type: Option<Cleaned>,
}

impl ErrorHead {
    pub fn new<H: Headers>(head: &AnswerHead<H>, redactor: &Redactor) -> Self {
        let AnswerHead { status, headers } = head;
        Self {
            status: *status,
            ray_id: headers.get("cf-ray").filter(|ray| is_ray_id(ray, redactor)),
            asked_wait: asked_wait(headers),
            content_type: headers.get("content-type").map(|value| redactor.clean(ServerText(&value))),
        }
    }

    /// Returns the status as a message shows it.
    pub fn described(&self) -> String {
        format!("{} {}", self.status, reason(self.status))
    }
}

/// Returns whether a text is a ray id, such as `9f1c2ab34cd56ef7-AMS`, and no part of a secret, which may well look
/// like one.
fn is_ray_id(text: &str, redactor: &Redactor) -> bool {
    let (number, place) = text.split_once('-').unwrap_or((text, ""));
    let is_number = number.len() == 16 && number.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_place = place.len() <= 8 && place.bytes().all(|letter| letter.is_ascii_alphanumeric());
    is_number && is_place && !redactor.is_part_of_a_secret(number) && redactor.redact(text) == text
}

/// Returns the ray id that a page of the edge shows: `Ray ID: <strong>9f1c…</strong>`. Only the start of the body is
/// looked at.
pub fn ray_id_in_page(body: &str, redactor: &Redactor) -> Option<String> {
    let start = body.get(..body.floor_char_boundary(65_536)).unwrap_or(body);
    let (_, after) = start.split_once("Ray ID:")?;
    let words = after.split(|character: char| !character.is_ascii_alphanumeric());
    words.take(16).find(|word| is_ray_id(word, redactor)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ray_id_is_one_by_its_form_and_no_part_of_a_secret() {
        for (text, secret, expected) in [
            ("9f1c2ab34cd56ef7-AMS", "", true),
            ("9f1c2ab34cd56ef7", "other", true),
            ("9f1c2ab34cd56ef7", "9f1c2ab34cd56ef7", false),
            ("9f1c2ab34cd56ef7-AMS", "cfk_9f1c2ab34cd56ef70000", false),
            ("9f1c2ab34cd56ef7-AMS", "AMS", false),
            ("9f1c2ab34cd56ef", "", false),
            ("not-a-ray", "", false),
            ("9f1c2ab34cd56ef7-AMSTERDAM", "", false),
        ] {
            assert_eq!(is_ray_id(text, &Redactor::new([secret])), expected, "{text}");
        }
    }

    #[test]
    fn the_page_of_the_edge_shows_a_ray_id() {
        let in_page = |body: &str| ray_id_in_page(body, &Redactor::new([]));
        let page = "<p>Cloudflare Ray ID: <strong class=\"font-semibold\">9f1c2ab34cd56ef7</strong> &bull;</p>";
        assert_eq!(in_page(page).as_deref(), Some("9f1c2ab34cd56ef7"));
        assert_eq!(in_page("no ray"), None);
        assert_eq!(in_page("Ray ID: \u{fffd}"), None);
    }
}
