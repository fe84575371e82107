//! What layouts say, in plain JSON: the readable half of the vectors. Ids and bytes in hexadecimal, times in
//! milliseconds.

mod contact;

use semblance_core::case::{CaseStatus, PublishedCase};
use semblance_core::denial::Denial;
use semblance_core::epoch::{Epoch, SealedEpochKey};
use semblance_core::lookup::{LookupEntry, LookupSlot};
use semblance_core::organisation::{Genesis, Network, Organisation, Separation};
use semblance_core::patient_key::PatientKeyEntry;
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;
use serde_json::{Value, json};

use crate::event::{CasePublication, Event, OwnedCase, RecordedLookup};
use crate::state::{
    CasePurge, CaseTombstone, ConsentRecord, ConsentTombstone, LookupRecord, LookupRow, NewestConsent,
    PatientKeyRecord, Publication, RotationRecord, Successor,
};
use crate::wire::{
    EpochArgument, Fingerprints, Handles, OpenEpoch, Outcomes, PatientKeys, PublishCases, PublishItem, RecordDenials,
    RecordLookups, RegisterMember, SignedStatement, SignedStatements, Withdrawn,
};

/// The fields of what a key of the state holds.
pub(super) fn record(key: &str, bytes: &[u8]) -> Value {
    match key.split('/').next().unwrap() {
        "network" => network(&read(bytes)),
        "organisation" => organisation(&read(bytes)),
        "rotation" => {
            let record: RotationRecord = read(bytes);
            let (at, previous) = (record.at.millis(), record.previous.to_string());
            json!({ "at": at, "previous": previous, "source": signed(&record.source) })
        }
        "epoch" => epoch(&read(bytes)),
        "epoch-key" => sealed_key(&read(bytes)),
        "patient-key" => {
            let record: PatientKeyRecord = read(bytes);
            json!({ "registered": record.registered.millis(), "entry": patient_key(&record.entry) })
        }
        "patient-key-successor" => json!({ "key": read::<Successor>(bytes).0.to_string() }),
        "patient-consent" => json!({ "consent": read::<NewestConsent>(bytes).0.to_string() }),
        "consent" => {
            let record: ConsentRecord = read(bytes);
            json!({ "granted": record.granted.millis(), "source": signed(&record.source) })
        }
        "consent-tombstone" => {
            let record: ConsentTombstone = read(bytes);
            json!({ "at": record.at.millis(), "source": signed(&record.source) })
        }
        "case" => published(&read(bytes)),
        "case-tombstone" => {
            let record: CaseTombstone = read(bytes);
            json!({ "status": status(record.status), "at": record.at.millis() })
        }
        "case-purge" => json!({ "at": read::<CasePurge>(bytes).at.millis() }),
        "live" | "published" => {
            let record: Publication = read(bytes);
            json!({ "handle": record.handle.to_string(), "count": record.count })
        }
        "lookup" => {
            let record: LookupRecord = read(bytes);
            json!({ "recorded": record.recorded.millis(), "entry": entry(&record.entry) })
        }
        "lookup-slot" => row(&read(bytes)),
        "denial" => denial(&read(bytes)),
        family => contact::record(family, bytes),
    }
}

/// The fields of a transaction's argument.
pub(super) fn argument(function: &str, bytes: &[u8]) -> Value {
    match function {
        "genesis" => {
            let genesis: Genesis = read(bytes);
            json!({ "network": network(genesis.network()), "organisations": all(genesis.organisations(), organisation) })
        }
        "register_hospital" | "register_matcher" => {
            let argument: RegisterMember = read(bytes);
            let approvals = argument.approvals().iter().map(|approval| {
                json!({ "member": approval.member.as_str(), "signature": hex::encode(approval.signature.as_bytes()) })
            });
            json!({ "membership": signed(&argument.membership), "approvals": approvals.collect::<Vec<_>>() })
        }
        "rotate_key" | "withdraw_consent" => signed(&read::<SignedStatement>(bytes).0),
        "open_epoch" => {
            let argument: OpenEpoch = read(bytes);
            json!({
                "number": argument.number.0,
                "vocabulary": { "name": argument.vocabulary.name(), "digest": argument.vocabulary.digest().to_string() },
                "profile": argument.profile.word(), "key_check": argument.key_check.to_string(),
                "keys": all(argument.keys.items(), sealed_key),
            })
        }
        "close_epoch" => json!({ "number": read::<EpochArgument>(bytes).0.0 }),
        "register_patient_key" => all(read::<PatientKeys>(bytes).items(), patient_key),
        "grant_consent" => all(read::<SignedStatements>(bytes).items(), |statement| signed(&statement.0)),
        "publish_cases" => {
            let argument: PublishCases = read(bytes);
            json!({ "matcher": argument.matcher.as_str(), "items": all(argument.items.items(), item) })
        }
        "expire" | "purge_case" => all(read::<Handles>(bytes).items(), |handle| json!(handle.0.to_string())),
        "record_lookups" => all(read::<RecordLookups>(bytes).items(), entry),
        "record_denials" => all(read::<RecordDenials>(bytes).items(), denial),
        _ => contact::argument(function, bytes),
    }
}

/// The private values of a publication.
pub(super) fn fingerprints(bytes: &[u8]) -> Value {
    all(read::<Fingerprints>(bytes).items(), |value| json!(hex::encode(&value.0)))
}

/// The fields of a transaction's response.
pub(super) fn response(function: &str, bytes: &[u8]) -> Value {
    match function {
        "withdraw_consent" => {
            let withdrawn: Withdrawn = read(bytes);
            json!({
                "hospital": withdrawn.hospital.as_str(),
                "handles": all(&withdrawn.handles, |handle| json!(handle.to_string())),
            })
        }
        // The empty record: its version alone.
        _ if bytes.len() == 1 => json!({}),
        _ => all(read::<Outcomes>(bytes).items(), |outcome| match outcome {
            Ok(()) => json!("ok"),
            Err(refusal) => json!({ "code": refusal.word(), "message": refusal.message() }),
        }),
    }
}

/// The fields of an event.
pub(super) fn event(name: &str, payload: &[u8]) -> Value {
    let text = |text: &dyn ToString| json!(text.to_string());
    match Event::decode(name, payload).unwrap().unwrap() {
        Event::NetworkCreated(members) => all(&members, |member| text(member)),
        Event::MemberRegistered(member) | Event::KeyRotated(member) => text(&member),
        Event::EpochOpened(epoch) | Event::EpochClosed(epoch) => json!(epoch.0),
        Event::PatientKeysRegistered(hospital, keys) => {
            json!({ "hospital": text(&hospital), "keys": all(&keys, |key| text(key)) })
        }
        Event::ConsentsGranted(hospital, consents) => {
            json!({ "hospital": text(&hospital), "consents": all(&consents, |consent| text(consent)) })
        }
        Event::ConsentWithdrawn(consent, cases) => json!({ "consent": text(&consent), "cases": all(&cases, owned) }),
        Event::CasesExpired(cases) | Event::CasesPurged(cases) => all(&cases, owned),
        Event::CasesPublished(cases) => all(&cases, publication),
        Event::LookupsRecorded(lookups) => all(&lookups, recorded),
        Event::DenialsRecorded(organisation, ids) => {
            json!({ "organisation": text(&organisation), "ids": all(&ids, |id| text(id)) })
        }
        Event::IntroductionProposed(introduction, proposer) => {
            json!({ "introduction": text(&introduction), "proposer": text(&proposer) })
        }
        Event::IntroductionAnswered(introduction, hospital, outcome) => {
            json!({ "introduction": text(&introduction), "hospital": text(&hospital), "outcome": outcome.word() })
        }
        Event::ChannelOpened(channel, hub, fence) | Event::GroupOpened(channel, hub, fence) => {
            json!({ "channel": text(&channel), "hub": text(&hub), "fence": fence })
        }
    }
}

fn read<T: Record>(bytes: &[u8]) -> T {
    T::decode(bytes).unwrap()
}

fn all<T>(items: &[T], fields: impl Fn(&T) -> Value) -> Value {
    items.iter().map(fields).collect()
}

fn signed(source: &SignedBytes) -> Value {
    json!({ "bytes": hex::encode(source.bytes()), "signature": hex::encode(source.signature().as_bytes()) })
}

fn network(network: &Network) -> Value {
    let separation = match network.separation() {
        Separation::Separated => "separated",
        Separation::Pilot => "pilot",
    };
    json!({ "id": network.id().to_string(), "name": network.name(), "separation": separation })
}

pub(super) fn organisation(member: &Organisation) -> Value {
    json!({
        "id": member.id.as_str(), "kind": member.kind.to_string(), "verifying_key": member.verifying_key.to_string(),
        "sealing_key": { "id": member.sealing_key.id.0, "public": hex::encode(member.sealing_key.public.as_bytes()) },
        "tls_root": hex::encode(member.tls_root.der()), "rotations": member.rotations,
    })
}

fn epoch(epoch: &Epoch) -> Value {
    json!({
        "number": epoch.number.0, "opener": epoch.opener.as_str(),
        "vocabulary": { "name": epoch.vocabulary.name(), "digest": epoch.vocabulary.digest().to_string() },
        "profile": epoch.profile.word(), "key_check": epoch.key_check.to_string(), "opened": epoch.opened.millis(),
        "closed": epoch.closed.map(|closed| closed.millis()),
    })
}

fn sealed_key(key: &SealedEpochKey) -> Value {
    json!({ "hospital": key.hospital.as_str(), "key": key.key.0, "sealed": hex::encode(key.sealed) })
}

fn patient_key(entry: &PatientKeyEntry) -> Value {
    json!({
        "registration": signed(&entry.registration),
        "countersignature": entry.countersignature.as_ref().map(|signature| hex::encode(signature.as_bytes())),
    })
}

fn status(status: CaseStatus) -> Value {
    match status {
        CaseStatus::Live => json!("live"),
        CaseStatus::Withdrawn => json!("withdrawn"),
        CaseStatus::Expired => json!("expired"),
        CaseStatus::Replaced { by } => json!({ "replaced by": by.to_string() }),
    }
}

fn published(case: &PublishedCase) -> Value {
    json!({
        "handle": case.handle.to_string(), "owner": case.owner.as_str(), "consent": case.consent.to_string(),
        "epoch": case.epoch.0, "private_hash": hex::encode(case.private_hash),
        "commitment": case.commitment.to_string(), "published": case.published.millis(),
        "expires": case.expires.millis(), "status": status(case.status),
    })
}

fn item(item: &PublishItem) -> Value {
    json!({
        "handle": item.handle.to_string(), "consent": item.consent.to_string(), "epoch": item.epoch.0,
        "private_hash": hex::encode(item.private_hash), "replaces": item.replaces.map(|handle| handle.to_string()),
    })
}

fn slot(slot: LookupSlot) -> Value {
    json!({ "day": slot.day().number(), "number": slot.number() })
}

fn entry(entry: &LookupEntry) -> Value {
    let mut slots = semblance_core::encode::Writer::default();
    entry.slots.write(&mut slots);
    json!({
        "request": signed(&entry.request), "index_height": entry.index_height, "answer": entry.answer.to_string(),
        "slots": hex::encode(slots.finish()),
    })
}

fn row(row: &LookupRow) -> Value {
    json!({
        "hospital": row.hospital.as_str(), "slot": slot(row.slot), "request": row.request.to_string(),
        "clinician": row.clinician.to_string(), "purpose": row.purpose.word(), "short": row.short,
        "matcher": row.matcher.as_str(), "recorded": row.recorded.millis(),
    })
}

fn denial(denial: &Denial) -> Value {
    json!({
        "id": denial.id.to_string(), "organisation": denial.organisation.as_str(), "code": denial.code.word(),
        "subject": denial.subject.to_string(), "request": denial.request.map(|digest| digest.to_string()),
        "time": denial.time.millis(),
    })
}

fn owned(case: &OwnedCase) -> Value {
    json!({ "handle": case.handle.to_string(), "hospital": case.hospital.as_str() })
}

fn publication(case: &CasePublication) -> Value {
    json!({
        "handle": case.handle.to_string(), "hospital": case.hospital.as_str(), "consent": case.consent.to_string(),
        "epoch": case.epoch.0, "expires": case.expires.millis(), "private_hash": hex::encode(case.private_hash),
        "replaces": case.replaces.map(|handle| handle.to_string()),
    })
}

fn recorded(lookup: &RecordedLookup) -> Value {
    json!({
        "request": lookup.request.to_string(), "hospital": lookup.hospital.as_str(),
        "matcher": lookup.matcher.as_str(), "clinician": lookup.clinician.to_string(), "slot": slot(lookup.slot),
    })
}
