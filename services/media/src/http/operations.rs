//! Description of the HTTP API of media.

use barrage_openapi::Method::{Delete, Get, Head, Patch, Post};
use barrage_openapi::{Access, Body, Operation, Server};
use barrage_protocol::Code;
use barrage_protocol::media::{AvatarAnswer, ReferenceAnswer, ReferenceRequest};
use barrage_token::AddressQuery;

use super::known::{KnownAnswer, KnownRequest};
use super::reviews::{DecideMedia, MediaReviews};
use super::view::UploadView;

const UPLOADS: &str = "/v1/uploads";
const UPLOAD: &str = "/v1/uploads/{upload}";

/// Describes the HTTP API of media. Its listeners are those of `media.listen`.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let sender = |id, method, path, summary| {
        Operation::new(id, method, path, summary).by(Server::Media, Access::Sender)
    };
    vec![
        sender("upload_create", Post, UPLOADS, "Creates an upload by tus 1.0, or joins parts.")
            .answer(201, "The upload; its URL is in `Location`.", Body::Empty)
            .refuses(&[Code::TooLarge, Code::Conflict, Code::NotFound]),
        sender("upload_offset", Head, UPLOAD, "Returns where an upload continues, in `Upload-Offset`.")
            .answer(200, "The header fields of tus.", Body::Empty)
            .refuses(&[Code::NotFound, Code::UploadExpired]),
        sender("upload_show", Get, UPLOAD, "Returns what became of an upload: its check and its addresses.")
            .answers::<UploadView>(200, "The upload.")
            .refuses(&[Code::NotFound, Code::UploadExpired]),
        sender("upload_append", Patch, UPLOAD, "Adds bytes to an upload at its offset.")
            .body_of("application/offset+octet-stream")
            .answer(204, "The bytes are written; `Upload-Offset` has the new offset.", Body::Empty)
            .refuses(&[
                Code::NotFound,
                Code::UploadExpired,
                Code::Conflict,
                Code::DigestMismatch,
                Code::Draining,
            ]),
        sender("upload_end", Delete, UPLOAD, "Ends an upload and removes its bytes.")
            .answer(204, "The upload is gone.", Body::Empty)
            .refuses(&[Code::NotFound, Code::UploadExpired, Code::Conflict]),
        sender(
            "upload_know",
            Post,
            "/v1/uploads/known",
            "Uploads a file without its bytes, by a proof of having it.",
        )
        .body::<KnownRequest>()
        .answers::<KnownAnswer>(200, "The challenge, or the medium."),
        sender(
            "media_refer",
            Post,
            "/v1/media/references",
            "Signs a reference to a medium for one message of the caller.",
        )
        .body::<ReferenceRequest>()
        .answers::<ReferenceAnswer>(200, "The reference, and the medium with addresses.")
        .refuses(&[Code::NotFound]),
        sender(
            "avatar_set",
            Post,
            "/v1/media/avatars",
            "Makes a picture that the caller has uploaded the caller's avatar.",
        )
        .body::<ReferenceRequest>()
        .answers::<AvatarAnswer>(200, "The avatar id for tokens, and the address of the picture.")
        .refuses(&[Code::NotFound]),
        sender("avatar_remove", Delete, "/v1/media/avatars", "Takes the caller's avatar away.").answer(
            204,
            "The caller has no avatar.",
            Body::Empty,
        ),
        Operation::new(
            "avatar_read",
            Get,
            "/v1/avatars/{digest}",
            "Returns the picture of an avatar, at most 96 pixels wide and high.",
        )
        .by(Server::Media, Access::Open)
        .answer(200, "The picture.", Body::Media("image/webp"))
        .answer(206, "The bytes of the range.", Body::Media("image/webp"))
        .answer(304, "The client has the picture as it is.", Body::Empty)
        .refuses(&[Code::NotFound]),
        Operation::new(
            "media_read",
            Get,
            "/v1/media/{digest}/{variant}",
            "Returns a medium or a range of it.",
        )
        .by(Server::Media, Access::Open)
        .query::<AddressQuery>()
        .answer(200, "The bytes of the variant.", Body::Media("application/octet-stream"))
        .answer(206, "The bytes of the range.", Body::Media("application/octet-stream"))
        .answer(304, "The client has the variant as it is.", Body::Empty)
        .refuses(&[Code::NotFound]),
        Operation::admin(
            Server::Media,
            "review_list_media",
            Get,
            "/v1/admin/media/reviews",
            "Returns media that wait for a moderator, the oldest first.",
        )
        .answers::<MediaReviews>(200, "What waits, with addresses to look at it."),
        Operation::admin(
            Server::Media,
            "review_decide_media",
            Post,
            "/v1/admin/media/reviews/{digest}",
            "Decides about a medium that waits. The first decision counts.",
        )
        .body::<DecideMedia>()
        .answer(204, "The decision counts.", Body::Empty)
        .refuses(&[Code::NotFound]),
        Operation::admin(
            Server::Media,
            "review_lift_media",
            Delete,
            "/v1/admin/media/denials/{digest}",
            "Lifts the denial of a medium, so that its file may be uploaded again.",
        )
        .answer(204, "The file may be uploaded; a moderator is asked again.", Body::Empty)
        .refuses(&[Code::NotFound]),
    ]
}
