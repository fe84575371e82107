//! The calls of channel clients, the same for a browser and the command line.
//!
//! `POST /channels/v1/call` takes a call in the layout `device call` and answers in the layout `answer to a call`, both
//! `application/octet-stream`. A refusal has a status and its stable word in the header `semblance-code`.
//! `GET /channels/v1/queue` is a stream of server-sent events: each has the place in the device's queue as its id and
//! an item, in the layout `item`, as base64; `Last-Event-ID` says where to go on. The comment `all told` says that nothing
//! more waits at this moment. A stream ends when the server stops, when the device's token is taken away, and when the
//! device begins too many others. Every request shows the token as `Authorization: Bearer`, base64url without padding.

mod streams;

use std::sync::Arc;

use axum::body::{Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use data_encoding::BASE64URL_NOPAD;
use semblance_channels::limits::CALL_BYTES_MAX;
use semblance_channels::node::ChannelService;
use semblance_channels::office::{Device, Token};
use semblance_channels::wire::{DeviceCall, Refusal};
use semblance_core::record::Record;

use self::streams::{Listener, Streams};
use crate::bounds::Bounds;
use crate::listen::Stop;

/// Header of a refusal's stable word.
pub const CODE_HEADER: HeaderName = HeaderName::from_static("semblance-code");
/// Where calls go.
pub const CALL: &str = "/channels/v1/call";
/// Where the queue is.
pub const QUEUE: &str = "/channels/v1/queue";

/// The comment in a queue's stream which says that nothing more waits at this moment.
pub const ALL_TOLD: &str = "all told";

/// The routes for channel clients.
pub fn routes(channels: ChannelService) -> Router {
    routes_within(channels, Bounds::default())
}

/// As [`routes`], within other bounds.
pub(crate) fn routes_within(channels: ChannelService, bounds: Bounds) -> Router {
    Router::new()
        .route(CALL, post(call))
        .route(QUEUE, get(queue))
        .layer(DefaultBodyLimit::max(CALL_BYTES_MAX))
        .with_state(Served { channels, streams: Arc::default(), bounds })
}

/// What the routes work with.
#[derive(Clone)]
struct Served {
    channels: ChannelService,
    streams: Arc<Streams>,
    bounds: Bounds,
}

async fn call(caller: Caller, State(served): State<Served>, request: Request) -> Result<Response, Refused> {
    let body = body(request, &served.bounds).await?;
    let Ok(call) = DeviceCall::decode(&body) else {
        return Err(Refused(served.channels.deny_malformed(&caller.device).await));
    };
    // In a task of its own: a device that goes away leaves nothing half-done.
    let answered = tokio::spawn(async move { served.channels.ask(&caller.device, call).await });
    let answer = answered.await.map_err(|_| Refused(Refusal::Failed))?.map_err(Refused)?;
    let headers = [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, answer.encode()).into_response())
}

/// The whole body, if it is neither too large nor too slow.
async fn body(request: Request, bounds: &Bounds) -> Result<Bytes, Refused> {
    if request.body().size_hint().lower() > CALL_BYTES_MAX as u64 {
        return Err(Refused(Refusal::TooLarge));
    }
    match tokio::time::timeout(bounds.body, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Refused(Refusal::TooLarge)),
        Ok(Err(_)) => Err(Refused(Refusal::Malformed)),
        // As what passes, because the same call may come faster next time.
        Err(_) => Err(Refused(Refusal::Failed)),
    }
}

async fn queue(
    caller: Caller,
    State(served): State<Served>,
    Extension(Stop(stop)): Extension<Stop>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let after = match headers.get("last-event-id") {
        Some(id) => id.to_str().ok().and_then(|id| id.parse().ok()).ok_or(Refused(Refusal::Malformed))?,
        None => 0,
    };
    let listener = Listener::new(served.channels, caller, after, (&served.streams, &stop), &served.bounds);
    let stream = Sse::new(listener.events()).keep_alive(KeepAlive::default());
    Ok(([(CACHE_CONTROL, "no-store")], stream).into_response())
}

/// Whose device asks, and what it showed. An argument that is made from a request's header alone: of a stranger's request
/// nothing more is read.
struct Caller {
    device: Device,
    token: Token,
}

impl FromRequestParts<Served> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Refused> {
        let Some(token) = parts.headers.get(AUTHORIZATION).and_then(token_of) else {
            return Err(Refused(served.channels.deny_stranger().await));
        };
        let device = served.channels.authenticate(token.clone()).await.map_err(Refused)?;
        Ok(Self { device, token })
    }
}

fn token_of(value: &HeaderValue) -> Option<Token> {
    let text = value.to_str().ok()?.strip_prefix("Bearer ")?;
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Token)
}

/// A refusal on its way to a device.
struct Refused(Refusal);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self.0 {
            Refusal::NotAuthorised => StatusCode::UNAUTHORIZED,
            Refusal::NotMember | Refusal::Ended | Refusal::Unproven => StatusCode::FORBIDDEN,
            Refusal::UnknownChannel => StatusCode::NOT_FOUND,
            Refusal::ChannelExists | Refusal::WrongEpoch | Refusal::MustCommit | Refusal::NotHub => {
                StatusCode::CONFLICT
            }
            Refusal::Malformed | Refusal::Invalid => StatusCode::BAD_REQUEST,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooMany | Refusal::Full | Refusal::NoKeyPackage => StatusCode::TOO_MANY_REQUESTS,
            Refusal::HubAway | Refusal::Failed => StatusCode::SERVICE_UNAVAILABLE,
        };
        let word = HeaderValue::from_static(self.0.word());
        (status, [(CODE_HEADER, word)], self.0.word()).into_response()
    }
}
