//! The routes of the role, and the layers around them.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, head, post};
use barrage_http::AllowedOrigins;

use super::{avatars, create, known, media, references, tus, uploads};
use crate::media::Media;

/// Returns the public routes. Pages of `origins` may use them.
pub(crate) fn router(media: &Arc<Media>, origins: &AllowedOrigins) -> Router {
    let bytes_max = media.config.upload_bytes_max;
    let uploads = Router::new()
        .route("/v1/uploads", post(create::handle))
        .route(
            "/v1/uploads/{upload}",
            head(uploads::offset)
                .get(uploads::show)
                .post(uploads::overridden)
                .patch(uploads::append)
                .delete(uploads::terminate),
        )
        .layer(from_fn(tus::add_version));
    Router::new()
        .route("/v1/uploads/known", post(known::handle))
        .route("/v1/media/references", post(references::handle))
        .route("/v1/media/avatars", post(avatars::set).delete(avatars::remove))
        .route("/v1/avatars/{digest}", get(avatars::show))
        .merge(uploads)
        .with_state(Arc::clone(media))
        .merge(signed_router(media))
        .fallback(barrage_http::error::not_found)
        .method_not_allowed_fallback(barrage_http::error::method_not_allowed)
        .layer(origins.layer_with(&tus::METHODS, &tus::REQUEST_FIELDS, &tus::ANSWER_FIELDS))
        .layer(from_fn(move |request, next| tus::options(bytes_max, request, next)))
}

/// Returns the route of signed addresses alone, which the admin listener has too: the console shows media that wait, and
/// its policy allows images of its own origin.
pub(crate) fn signed_router(media: &Arc<Media>) -> Router {
    Router::new().route("/v1/media/{digest}/{variant}", get(media::handle)).with_state(Arc::clone(media))
}
