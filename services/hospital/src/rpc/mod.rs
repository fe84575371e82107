//! The hospital's gRPC, for its own people's programs: a caller shows a certificate of this very hospital.

mod contact;
// Open to the fuzz targets alone.
#[doc(hidden)]
pub mod convert;
mod import;
mod status;

use semblance_core::limits::MESSAGE_BYTES_MAX;
use semblance_ledger::tls::ClaimedPeer;
use semblance_proto::v1;
use semblance_proto::v1::hospital_server::HospitalServer;
use tonic::{Request, Response, Status};

use crate::error::{Denied, HospitalError};
use crate::lookup::LookupReport;
use crate::service::HospitalService;
use status::status;

pub use status::CODE_KEY;

/// Serves a hospital's use cases.
pub struct HospitalRpc {
    service: HospitalService,
    /// The hospital's own root as configured, until the ledger showed one.
    root: Option<Vec<u8>>,
}

impl HospitalRpc {
    /// The service for a server that asks its clients for certificates. `root` is the hospital's own root (DER) as
    /// configured, used until the ledger has been asked once; from then on what it showed last, also after a restart.
    #[must_use]
    pub fn server(service: HospitalService, root: Option<Vec<u8>>) -> HospitalServer<Self> {
        HospitalServer::new(Self { service, root })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Who calls, as the local audit names them.
    async fn actor<T>(&self, request: &Request<T>) -> Result<String, Status> {
        let certificates = request.peer_certs().unwrap_or_default();
        let unknown = |error: &dyn std::fmt::Display| Status::unauthenticated(error.to_string());
        let claimed = ClaimedPeer::read(&certificates).map_err(|error| unknown(&error))?;
        let caller = claimed.organisation().to_string();
        if claimed.organisation() != self.service.organisation() {
            let message = "only this hospital's own certificates are taken";
            return Err(self.denied(&caller, Denied::NotAuthorised, message).await);
        }
        let root = self.own_root().await.map_err(|error| status(&error))?;
        let root = root.ok_or_else(|| Status::unavailable("the ledger has not been reached yet"))?;
        let peer = match claimed.verify(&root, self.service.now()) {
            Ok(peer) => peer,
            Err(error) => {
                let said = unknown(&error);
                self.denied(&format!("{caller}, unproven"), Denied::NotAuthorised, said.message()).await;
                return Err(said);
            }
        };
        let [one, two, three, four, ..] = peer.certificate;
        Ok(format!("{}/{one:02x}{two:02x}{three:02x}{four:02x}", peer.role))
    }

    /// Records that a caller was refused, and says so; a denial that cannot be recorded is an error of its own.
    async fn denied(&self, caller: &str, code: Denied, message: &str) -> Status {
        match self.service.refuse::<()>(caller, "call", "", code, message).await {
            Err(error) => status(&error),
            Ok(()) => Status::permission_denied(message),
        }
    }

    /// The hospital's own root: as the ledger shows it now, else as it last showed it, else as configured. Operators
    /// may work while the ledger is down.
    async fn own_root(&self) -> Result<Option<Vec<u8>>, HospitalError> {
        let id = self.service.organisation();
        let known = match self.service.member(id).await {
            Ok(Ok(member)) => Some(member.record().clone()),
            Ok(Err(_)) | Err(_) => self.service.last_known(id).await?,
        };
        Ok(known.map(|own| own.tls_root.der().to_vec()).or_else(|| self.root.clone()))
    }
}

/// Leads a look-up to its end in a task of its own: a caller that goes away leaves none half-done.
async fn whole(
    look_up: impl Future<Output = Result<LookupReport, HospitalError>> + Send + 'static,
) -> Result<Response<v1::LookUpResponse>, Status> {
    let ended = tokio::spawn(look_up).await.map_err(|_| Status::internal("the look-up ended unexpectedly"))?;
    Ok(Response::new(ended.map_err(|error| status(&error))?.into()))
}

#[tonic::async_trait]
impl v1::hospital_server::Hospital for HospitalRpc {
    type ImportStream = import::Rows;

    async fn import(
        &self,
        request: Request<tonic::Streaming<v1::ImportRequest>>,
    ) -> Result<Response<Self::ImportStream>, Status> {
        let actor = self.actor(&request).await?;
        Ok(Response::new(import::start(self.service.clone(), actor, request.into_inner()).await?))
    }

    async fn register(&self, request: Request<v1::RegisterRequest>) -> Result<Response<v1::StepResponse>, Status> {
        let actor = self.actor(&request).await?;
        let selection = convert::selection(request.into_inner().selection)?;
        let report = self.service.register(&actor, selection).await.map_err(|error| status(&error))?;
        Ok(Response::new(report.into()))
    }

    async fn consent(&self, request: Request<v1::ConsentRequest>) -> Result<Response<v1::StepResponse>, Status> {
        let actor = self.actor(&request).await?;
        let message = request.into_inner();
        let scopes = convert::scopes(&message)?;
        let terms = match convert::terms(&scopes, &message) {
            Err(HospitalError::Denied { code, message }) => {
                self.service.refuse(actor.as_str(), "consent", "", code, &message).await
            }
            other => other,
        };
        let terms = terms.map_err(|error| status(&error))?;
        let selection = convert::selection(message.selection)?;
        let report = self.service.consent(&actor, selection, terms).await.map_err(|error| status(&error))?;
        Ok(Response::new(report.into()))
    }

    async fn publish(&self, request: Request<v1::PublishRequest>) -> Result<Response<v1::StepResponse>, Status> {
        let actor = self.actor(&request).await?;
        let selection = convert::selection(request.into_inner().selection)?;
        let report = self.service.publish(&actor, selection).await.map_err(|error| status(&error))?;
        Ok(Response::new(report.into()))
    }

    async fn correct(&self, request: Request<v1::CorrectRequest>) -> Result<Response<v1::StepResponse>, Status> {
        let actor = self.actor(&request).await?;
        let selection = convert::selection(request.into_inner().selection)?;
        let report = self.service.correct(&actor, selection).await.map_err(|error| status(&error))?;
        Ok(Response::new(report.into()))
    }

    async fn withdraw(&self, request: Request<v1::WithdrawRequest>) -> Result<Response<v1::WithdrawResponse>, Status> {
        let actor = self.actor(&request).await?;
        let case = convert::case(&request.into_inner().case)?;
        let report = self.service.withdraw(&actor, &case).await.map_err(|error| status(&error))?;
        Ok(Response::new(report.into()))
    }

    async fn sign_withdrawal(
        &self,
        request: Request<v1::SignWithdrawalRequest>,
    ) -> Result<Response<v1::SignWithdrawalResponse>, Status> {
        let actor = self.actor(&request).await?;
        let case = convert::case(&request.into_inner().case)?;
        let signed = self.service.withdrawal_to_keep(&actor, &case).await;
        let (consent, source) = signed.map_err(|error| status(&error))?;
        Ok(Response::new(convert::signed_withdrawal(consent, source)))
    }

    async fn look_up(&self, request: Request<v1::LookUpRequest>) -> Result<Response<v1::LookUpResponse>, Status> {
        let actor = self.actor(&request).await?;
        let question = convert::question(request.into_inner())?;
        let service = self.service.clone();
        whole(async move { service.look_up_as(&actor, question).await }).await
    }

    async fn retry_look_up(
        &self,
        request: Request<v1::RetryLookUpRequest>,
    ) -> Result<Response<v1::LookUpResponse>, Status> {
        let actor = self.actor(&request).await?;
        let id = convert::request(&request.into_inner().request)?;
        let service = self.service.clone();
        whole(async move { service.retry(&actor, id).await }).await
    }

    async fn list_cases(
        &self,
        request: Request<v1::ListCasesRequest>,
    ) -> Result<Response<v1::ListCasesResponse>, Status> {
        self.actor(&request).await?;
        let message = request.into_inner();
        let limit = convert::limit(message.limit)?;
        let cases = self.service.cases(&message.after, limit).await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::ListCasesResponse { cases: cases.into_iter().map(Into::into).collect() }))
    }

    async fn list_look_ups(
        &self,
        request: Request<v1::ListLookUpsRequest>,
    ) -> Result<Response<v1::ListLookUpsResponse>, Status> {
        self.actor(&request).await?;
        let message = request.into_inner();
        let (skip, limit) = (convert::skip(message.skip)?, convert::limit(message.limit)?);
        let lookups = self.service.lookups(skip, limit).await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::ListLookUpsResponse { lookups: lookups.into_iter().map(Into::into).collect() }))
    }

    async fn list_receipts(
        &self,
        request: Request<v1::ListReceiptsRequest>,
    ) -> Result<Response<v1::ListReceiptsResponse>, Status> {
        self.actor(&request).await?;
        let message = request.into_inner();
        let case = if message.case.is_empty() { None } else { Some(convert::case(&message.case)?) };
        let (skip, limit) = (convert::skip(message.skip)?, convert::limit(message.limit)?);
        let receipts = self.service.receipts(case, skip, limit).await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::ListReceiptsResponse { receipts: receipts.into_iter().map(Into::into).collect() }))
    }

    async fn introduce(
        &self,
        request: Request<v1::IntroduceRequest>,
    ) -> Result<Response<v1::IntroduceResponse>, Status> {
        let actor = self.actor(&request).await?;
        contact::introduce(&self.service, &actor, request.into_inner()).await.map(Response::new)
    }

    async fn answer_introduction(
        &self,
        request: Request<v1::AnswerIntroductionRequest>,
    ) -> Result<Response<v1::AnswerIntroductionResponse>, Status> {
        let actor = self.actor(&request).await?;
        contact::answer(&self.service, &actor, request.into_inner()).await.map(Response::new)
    }

    async fn list_introductions(
        &self,
        request: Request<v1::ListIntroductionsRequest>,
    ) -> Result<Response<v1::ListIntroductionsResponse>, Status> {
        self.actor(&request).await?;
        contact::introductions(&self.service, request.into_inner()).await.map(Response::new)
    }

    async fn open_channel(
        &self,
        request: Request<v1::OpenChannelRequest>,
    ) -> Result<Response<v1::OpenChannelResponse>, Status> {
        let actor = self.actor(&request).await?;
        contact::open_channel(&self.service, &actor, request.into_inner()).await.map(Response::new)
    }

    async fn open_group(
        &self,
        request: Request<v1::OpenGroupRequest>,
    ) -> Result<Response<v1::OpenGroupResponse>, Status> {
        let actor = self.actor(&request).await?;
        contact::open_group(&self.service, &actor, request.into_inner()).await.map(Response::new)
    }

    async fn list_channels(
        &self,
        request: Request<v1::ListChannelsRequest>,
    ) -> Result<Response<v1::ListChannelsResponse>, Status> {
        self.actor(&request).await?;
        contact::channels(&self.service, request.into_inner()).await.map(Response::new)
    }

    async fn list_group_offers(
        &self,
        request: Request<v1::ListGroupOffersRequest>,
    ) -> Result<Response<v1::ListGroupOffersResponse>, Status> {
        let actor = self.actor(&request).await?;
        contact::offers(&self.service, &actor, request.into_inner()).await.map(Response::new)
    }

    async fn assign_clinician(
        &self,
        request: Request<v1::AssignClinicianRequest>,
    ) -> Result<Response<v1::AssignClinicianResponse>, Status> {
        let actor = self.actor(&request).await?;
        contact::assign(&self.service, &actor, request.into_inner()).await.map(Response::new)
    }

    async fn list_audit(
        &self,
        request: Request<v1::ListAuditRequest>,
    ) -> Result<Response<v1::ListAuditResponse>, Status> {
        self.actor(&request).await?;
        let message = request.into_inner();
        let limit = convert::limit(message.limit)?;
        let lines = self.service.audit(message.after, limit).await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::ListAuditResponse { lines: lines.into_iter().map(Into::into).collect() }))
    }

    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        self.actor(&request).await?;
        let found = self.service.status().await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::GetStatusResponse {
            hospital: found.hospital,
            cases: found.cases,
            waiting: found.waiting,
            followed: found.followed,
        }))
    }

    async fn list_sealing_keys(
        &self,
        request: Request<v1::ListSealingKeysRequest>,
    ) -> Result<Response<v1::ListSealingKeysResponse>, Status> {
        self.actor(&request).await?;
        let keys = self.service.sealing_keys().await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::ListSealingKeysResponse { keys: keys.into_iter().map(Into::into).collect() }))
    }
}
