//! What a hospital's own operators do about channels: a caller shows a certificate of this very hospital.

use std::sync::Arc;

use semblance_core::attestation::PersonRole;
use semblance_core::id::OrganisationId;
use semblance_core::time::Clock;
use semblance_ledger::listen::MemberRoots;
use semblance_ledger::tls::peer_identity;
use semblance_proto::v1;
use semblance_proto::v1::channel_admin_server::ChannelAdminServer;
use tonic::{Request, Response, Status};

use crate::node::ChannelService;
use crate::office::DeviceId;
use crate::wire::Refusal;

/// Longest name of a person.
const PERSON_MAX: usize = 200;
/// Rows of one answer.
const ROWS_MAX: u32 = 1000;

/// Serves a hospital's own operators.
pub struct ChannelAdminService {
    channels: ChannelService,
    roots: Arc<dyn MemberRoots>,
    clock: Arc<dyn Clock>,
}

impl ChannelAdminService {
    /// The service for a server that asks its clients for certificates.
    #[must_use]
    pub fn server(
        channels: ChannelService,
        roots: Arc<dyn MemberRoots>,
        clock: Arc<dyn Clock>,
    ) -> ChannelAdminServer<Self> {
        ChannelAdminServer::new(Self { channels, roots, clock })
    }

    async fn check<T>(&self, request: &Request<T>, action: &'static str) -> Result<(), Status> {
        let certificates = request.peer_certs().unwrap_or_default();
        let root = |id: &OrganisationId| self.roots.root(id);
        let peer = peer_identity(&certificates, root, self.clock.now())
            .map_err(|error| Status::unauthenticated(error.to_string()))?;
        if peer.organisation != *self.channels.organisation() {
            self.channels.deny_operator(&peer.organisation, action).await;
            return Err(Status::permission_denied("only this hospital's own certificates are taken"));
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl v1::channel_admin_server::ChannelAdmin for ChannelAdminService {
    async fn register_device(
        &self,
        request: Request<v1::RegisterDeviceRequest>,
    ) -> Result<Response<v1::RegisterDeviceResponse>, Status> {
        self.check(&request, "register-device").await?;
        let message = request.into_inner();
        let role = PersonRole::from_word(&message.role)
            .ok_or_else(|| Status::invalid_argument("role: it is `clinician` or `patient`"))?;
        check_person(&message.person)?;
        let token = self.channels.register(message.person, role).await.map_err(status)?;
        let network = self.channels.network().as_bytes().to_vec();
        Ok(Response::new(v1::RegisterDeviceResponse { token: token.0.to_vec(), network }))
    }

    async fn list_devices(
        &self,
        request: Request<v1::ListDevicesRequest>,
    ) -> Result<Response<v1::ListDevicesResponse>, Status> {
        self.check(&request, "list-devices").await?;
        let person = request.into_inner().person;
        check_person(&person)?;
        let devices = self.channels.devices_of(person).await.map_err(status)?.into_iter();
        let devices = devices.map(|(device, role, active, at)| v1::RegisteredDevice {
            device: device.as_bytes().to_vec(),
            role: role.word().to_owned(),
            active,
            at: at.millis(),
        });
        Ok(Response::new(v1::ListDevicesResponse { devices: devices.collect() }))
    }

    async fn revoke_device(
        &self,
        request: Request<v1::RevokeDeviceRequest>,
    ) -> Result<Response<v1::RevokeDeviceResponse>, Status> {
        self.check(&request, "revoke-device").await?;
        let device = request.into_inner().device.try_into();
        let device = device.map_err(|_| Status::invalid_argument("device: its name has 16 bytes"))?;
        if self.channels.revoke_device(DeviceId::from_bytes(device)).await.map_err(status)? {
            Ok(Response::new(v1::RevokeDeviceResponse {}))
        } else {
            Err(Status::not_found("device: this node has registered none of that name; list those of the person"))
        }
    }

    async fn channel_audit(
        &self,
        request: Request<v1::ChannelAuditRequest>,
    ) -> Result<Response<v1::ChannelAuditResponse>, Status> {
        self.check(&request, "audit").await?;
        let limit = request.into_inner().limit.min(ROWS_MAX) as usize;
        let rows = self.channels.audit(limit).await.map_err(status)?;
        let rows = rows.into_iter().map(|(at, actor, action, code)| v1::ChannelAuditRow {
            at: at.millis(),
            actor,
            action,
            code,
        });
        Ok(Response::new(v1::ChannelAuditResponse { rows: rows.collect() }))
    }
}

fn check_person(person: &str) -> Result<(), Status> {
    if person.is_empty() || person.len() > PERSON_MAX {
        return Err(Status::invalid_argument(format!("person: a name has 1 to {PERSON_MAX} bytes")));
    }
    Ok(())
}

fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Failed => Status::internal("the channels' office failed; the node's log says why"),
        other => Status::failed_precondition(other.word()),
    }
}
