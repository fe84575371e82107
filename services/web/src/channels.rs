//! The calls of channel clients, the same for a browser and the command line.
//!
//! `POST /channels/v1/call` takes a call in the layout `device call` and answers in the layout `answer to a call`, both
//! `application/octet-stream`. A refusal has a status and its stable word in the header `semblance-code`.
//! `GET /channels/v1/queue` is a stream of server-sent events: each has the place in the device's queue as its id and
//! an item, in the layout `item`, as base64; `Last-Event-ID` says where to go on. Every request shows the device's
//! token as `Authorization: Bearer`, base64url without padding.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use futures::stream::{Stream, unfold};
use semblance_channels::limits::CALL_BYTES_MAX;
use semblance_channels::node::ChannelService;
use semblance_channels::office::{Device, Queued, Token};
use semblance_channels::wire::{DeviceCall, Refusal};
use semblance_core::record::Record;

/// Header of a refusal's stable word.
pub const CODE_HEADER: HeaderName = HeaderName::from_static("semblance-code");
/// Where calls go.
pub const CALL: &str = "/channels/v1/call";
/// Where the queue is.
pub const QUEUE: &str = "/channels/v1/queue";

/// How long a stream waits for its bell before it looks by itself.
const PATIENCE: Duration = Duration::from_secs(15);
/// Items read from the queue at once.
const PAGE: usize = 64;

/// The routes for channel clients.
pub fn routes(channels: ChannelService) -> Router {
    Router::new()
        .route(CALL, post(call))
        .route(QUEUE, get(queue))
        .layer(DefaultBodyLimit::max(CALL_BYTES_MAX))
        .with_state(channels)
}

async fn call(State(channels): State<ChannelService>, headers: HeaderMap, body: Bytes) -> Result<Response, Refused> {
    let device = authenticate(&channels, &headers).await?;
    let call = DeviceCall::decode(&body).map_err(|_| Refused(Refusal::Malformed))?;
    // In a task of its own: a device that goes away leaves nothing half-done.
    let answered = tokio::spawn(async move { channels.ask(&device, call).await });
    let answer = answered.await.map_err(|_| Refused(Refusal::Failed))?.map_err(Refused)?;
    let headers = [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, answer.encode()).into_response())
}

async fn queue(State(channels): State<ChannelService>, headers: HeaderMap) -> Result<Response, Refused> {
    let device = authenticate(&channels, &headers).await?;
    let after = match headers.get("last-event-id") {
        Some(id) => id.to_str().ok().and_then(|id| id.parse().ok()).ok_or(Refused(Refusal::Malformed))?,
        None => 0,
    };
    let stream = Sse::new(events(channels, device, after)).keep_alive(KeepAlive::default());
    Ok(([(CACHE_CONTROL, "no-store")], stream).into_response())
}

async fn authenticate(channels: &ChannelService, headers: &HeaderMap) -> Result<Device, Refused> {
    let token = headers.get(AUTHORIZATION).and_then(token_of).ok_or(Refused(Refusal::NotAuthorised))?;
    channels.authenticate(token).await.map_err(Refused)
}

fn token_of(value: &HeaderValue) -> Option<Token> {
    let text = value.to_str().ok()?.strip_prefix("Bearer ")?;
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Token)
}

/// The device's queue from a place on, for as long as it listens.
fn events(channels: ChannelService, device: Device, after: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    let bell = channels.bell(device.device);
    unfold((channels, device, bell, after, VecDeque::<Queued>::new()), |state| async move {
        let (channels, device, bell, mut after, mut waiting) = state;
        loop {
            if let Some(next) = waiting.pop_front() {
                after = next.position;
                let event = Event::default().id(after.to_string()).data(BASE64.encode(&next.item.encode()));
                return Some((Ok(event), (channels, device, bell, after, waiting)));
            }
            // Listen before looking, or what comes in between is heard too late.
            let mut rung = std::pin::pin!(bell.notified());
            rung.as_mut().enable();
            match channels.queue(&device, after, PAGE).await {
                Ok(found) if !found.is_empty() => waiting.extend(found),
                Ok(_) => {
                    let _ = tokio::time::timeout(PATIENCE, rung).await;
                }
                Err(_) => return None,
            }
        }
    })
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
