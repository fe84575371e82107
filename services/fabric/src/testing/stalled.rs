//! A server whose answers may begin and not go on.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tonic::codec::{Codec, EncodeBody, SingleMessageCompressionOverride};
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic_prost::ProstCodec;

use super::{Fault, State};

#[derive(Clone)]
pub(super) struct Stalled<S> {
    pub(super) inner: S,
    pub(super) state: Arc<State>,
}

impl<S: NamedService> NamedService for Stalled<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Stalled<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let stalls = self.state.has(&Fault::Stall);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(if stalls { answer.map(|_| silence()) } else { answer })
        })
    }
}

/// A body in which no message ever comes.
fn silence() -> Body {
    let (messages, encoder) =
        (tokio_stream::pending::<Result<(), Status>>(), ProstCodec::<(), ()>::default().encoder());
    Body::new(EncodeBody::new_server(encoder, messages, None, SingleMessageCompressionOverride::default(), None))
}
