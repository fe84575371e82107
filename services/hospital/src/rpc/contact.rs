//! Introductions, channels and symptom groups over the wire.

use semblance_core::id::{ChannelId, IntroductionId};
use semblance_core::introduction::{DeclineReason, Parties, Reason};
use semblance_core::limits::{ANSWER_MAX, TOPIC_TERMS_MAX};
use semblance_core::term::TermId;
use semblance_proto::v1;
use tonic::Status;

use super::convert;
use super::status::{malformed, status};
use crate::channel::{ChannelSummary, Charter};
use crate::introduction::{IntroductionSummary, PartiesSummary, Reply, Wish};
use crate::service::HospitalService;

pub(super) async fn introduce(
    service: &HospitalService,
    actor: &str,
    message: v1::IntroduceRequest,
) -> Result<v1::IntroduceResponse, Status> {
    let lookup = convert::request(&message.lookup)?;
    let rank = rank(message.rank)?;
    let wish = wish(&message)?;
    let proposed = if service.asked_here(lookup).await.map_err(|error| status(&error))? {
        service.introduce_match(actor, lookup, rank, wish).await
    } else {
        service.introduce_found(actor, lookup, rank, wish).await
    };
    Ok(v1::IntroduceResponse { introduction: Some(proposed.map_err(|error| status(&error))?.into()) })
}

pub(super) async fn answer(
    service: &HospitalService,
    actor: &str,
    message: v1::AnswerIntroductionRequest,
) -> Result<v1::AnswerIntroductionResponse, Status> {
    let id = introduction(&message.introduction)?;
    let answered = service.answer_introduction(actor, id, reply(message.reply)?).await;
    Ok(v1::AnswerIntroductionResponse { introduction: Some(answered.map_err(|error| status(&error))?.into()) })
}

pub(super) async fn introductions(
    service: &HospitalService,
    message: v1::ListIntroductionsRequest,
) -> Result<v1::ListIntroductionsResponse, Status> {
    let (skip, limit) = (convert::skip(message.skip)?, convert::limit(message.limit)?);
    let rows = service.introductions(skip, limit).await.map_err(|error| status(&error))?;
    Ok(v1::ListIntroductionsResponse { introductions: rows.into_iter().map(Into::into).collect() })
}

pub(super) async fn open_channel(
    service: &HospitalService,
    actor: &str,
    message: v1::OpenChannelRequest,
) -> Result<v1::OpenChannelResponse, Status> {
    let id = introduction(&message.introduction)?;
    let charter = service.open_channel(actor, id).await.map_err(|error| status(&error))?;
    Ok(v1::OpenChannelResponse { channel: Some(charter.into()) })
}

pub(super) async fn open_group(
    service: &HospitalService,
    actor: &str,
    message: v1::OpenGroupRequest,
) -> Result<v1::OpenGroupResponse, Status> {
    let (case, symptoms) = (convert::case(&message.case)?, symptoms(&message.symptoms)?);
    let charter = service.open_group(actor, &case, &symptoms).await.map_err(|error| status(&error))?;
    Ok(v1::OpenGroupResponse { channel: Some(charter.into()) })
}

pub(super) async fn channels(
    service: &HospitalService,
    message: v1::ListChannelsRequest,
) -> Result<v1::ListChannelsResponse, Status> {
    let (skip, limit) = (convert::skip(message.skip)?, convert::limit(message.limit)?);
    let rows = service.channels(skip, limit).await.map_err(|error| status(&error))?;
    Ok(v1::ListChannelsResponse { channels: rows.into_iter().map(Into::into).collect() })
}

pub(super) async fn offers(
    service: &HospitalService,
    actor: &str,
    message: v1::ListGroupOffersRequest,
) -> Result<v1::ListGroupOffersResponse, Status> {
    let id: ChannelId =
        message.channel.parse().map_err(|_| malformed("channel", "the 32 hexadecimal digits of a channel"))?;
    let offers = service.offers(actor, id).await.map_err(|error| status(&error))?;
    Ok(v1::ListGroupOffersResponse {
        channel: offers.channel.to_string(),
        band: offers.band.word().to_owned(),
        cases: offers.cases.iter().map(ToString::to_string).collect(),
    })
}

pub(super) async fn assign(
    service: &HospitalService,
    actor: &str,
    message: v1::AssignClinicianRequest,
) -> Result<v1::AssignClinicianResponse, Status> {
    let case = convert::case(&message.case)?;
    let assigned = service.assign_clinician(actor, &case, &message.clinician).await;
    assigned.map(|()| v1::AssignClinicianResponse {}).map_err(|error| status(&error))
}

fn introduction(text: &str) -> Result<IntroductionId, Status> {
    text.parse().map_err(|_| malformed("introduction", "the 32 hexadecimal digits of an introduction"))
}

fn rank(rank: u32) -> Result<u8, Status> {
    let small = u8::try_from(rank).ok().filter(|rank| (1..=ANSWER_MAX).contains(&usize::from(*rank)));
    small.ok_or_else(|| malformed("rank", "a place of an answer, 1 to 10"))
}

fn parties(message: Option<v1::Parties>) -> Result<Parties, Status> {
    match message {
        Some(v1::Parties { clinicians, patient }) if clinicians || patient => Ok(Parties { clinicians, patient }),
        _ => Err(malformed("parties", "clinicians, the patient or both")),
    }
}

fn wish(message: &v1::IntroduceRequest) -> Result<Wish, Status> {
    let reason = match message.reason() {
        v1::IntroductionReason::CompareCases => Reason::Compare,
        v1::IntroductionReason::Care => Reason::Care,
        v1::IntroductionReason::Families => Reason::Families,
        v1::IntroductionReason::Study => Reason::Study,
        v1::IntroductionReason::Unspecified => return Err(malformed("reason", "a coded reason")),
    };
    Ok(Wish { parties: parties(message.parties)?, reason })
}

fn reply(message: Option<v1::answer_introduction_request::Reply>) -> Result<Reply, Status> {
    use v1::answer_introduction_request::Reply as Message;
    let declined = match message {
        Some(Message::Accept(accepted)) => return Ok(Reply::Accept(parties(Some(accepted))?)),
        Some(Message::Decline(reason)) => v1::DeclineReason::try_from(reason).unwrap_or_default(),
        None => v1::DeclineReason::Unspecified,
    };
    Ok(Reply::Decline(match declined {
        v1::DeclineReason::NotSimilar => DeclineReason::NotSimilar,
        v1::DeclineReason::PatientDeclined => DeclineReason::PatientDeclined,
        v1::DeclineReason::NoConsent => DeclineReason::NoConsent,
        v1::DeclineReason::Other => DeclineReason::Other,
        v1::DeclineReason::Unspecified => return Err(malformed("reply", "who takes part, or a coded reason")),
    }))
}

fn symptoms(texts: &[String]) -> Result<Vec<TermId>, Status> {
    let wrong = || malformed("symptoms", "2 to 16 HPO ids, as HP:0001250");
    if texts.len() > TOPIC_TERMS_MAX {
        return Err(wrong());
    }
    texts.iter().map(|text| text.parse().map_err(|_| wrong())).collect()
}

impl From<PartiesSummary> for v1::Parties {
    fn from(parties: PartiesSummary) -> Self {
        Self { clinicians: parties.clinicians, patient: parties.patient }
    }
}

impl From<IntroductionSummary> for v1::IntroductionSummary {
    fn from(row: IntroductionSummary) -> Self {
        Self {
            introduction: row.introduction,
            outgoing: row.outgoing,
            side: row.side.to_owned(),
            lookup: row.lookup,
            rank: row.rank.into(),
            case: row.case,
            handle: row.handle,
            hospital: row.hospital,
            reason: row.reason.to_owned(),
            own: row.own.map(Into::into),
            theirs: row.theirs.map(Into::into),
            state: row.state.to_owned(),
            code: row.code.unwrap_or_default(),
            channel: row.channel.unwrap_or_default(),
            expires: row.expires,
            at: row.at,
        }
    }
}

impl From<Charter> for v1::OpenedChannel {
    fn from(charter: Charter) -> Self {
        Self {
            channel: charter.channel.to_string(),
            kind: charter.kind.word().to_owned(),
            hub: charter.hub.to_string(),
            fence: charter.fence,
        }
    }
}

impl From<ChannelSummary> for v1::ChannelSummary {
    fn from(row: ChannelSummary) -> Self {
        Self {
            channel: row.channel,
            kind: row.kind.to_owned(),
            hub: row.hub,
            introduction: row.introduction.unwrap_or_default(),
            case: row.case.unwrap_or_default(),
            topic: row.topic.into_iter().map(Into::into).collect(),
            state: row.state.to_owned(),
            code: row.code.unwrap_or_default(),
            at: row.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unchecked_gets_through() {
        use v1::answer_introduction_request::Reply as Message;
        let good = v1::IntroduceRequest {
            parties: Some(v1::Parties { clinicians: true, patient: false }),
            reason: v1::IntroductionReason::Care.into(),
            ..Default::default()
        };
        assert_eq!(wish(&good).unwrap().reason, Reason::Care);
        for bad in [
            v1::IntroduceRequest { parties: None, ..good.clone() },
            v1::IntroduceRequest { parties: Some(v1::Parties::default()), ..good.clone() },
            v1::IntroduceRequest { reason: 0, ..good.clone() },
            v1::IntroduceRequest { reason: 99, ..good },
        ] {
            assert!(wish(&bad).is_err());
        }
        assert!(rank(0).is_err() && rank(11).is_err() && rank(256).is_err() && rank(10).is_ok());
        for bad in
            [None, Some(Message::Decline(0)), Some(Message::Decline(99)), Some(Message::Accept(Default::default()))]
        {
            assert!(reply(bad).is_err());
        }
        assert_eq!(reply(Some(Message::Decline(1))).unwrap(), Reply::Decline(DeclineReason::NotSimilar));
        assert!(symptoms(&["HP:0001250".to_owned()]).is_ok());
        let status = symptoms(&["Jane Doe".to_owned()]).unwrap_err();
        assert!(!status.message().contains("Jane"));
        assert!(symptoms(&vec!["HP:0001250".to_owned(); 17]).is_err());
        assert!(introduction("12").is_err());
    }
}
