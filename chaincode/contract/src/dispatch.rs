//! From a function's name to its code: the list of all functions and who may call them.

use semblance_core::organisation::Genesis;
use semblance_core::record::Record;

use crate::access::Access;
use crate::call::Call;
use crate::stub::Stub;
use crate::{Code, Contract, ContractError, query, tx};

/// The contract of a Semblance network.
#[derive(Debug, Clone, Copy, Default)]
pub struct SemblanceContract;

macro_rules! functions {
    ($($name:literal $access:ident $($code:ident)::+;)*) => {
        /// Every function and who may call it, `genesis` first.
        pub const FUNCTIONS: &[(&str, Access)] = &[("genesis", tx::genesis::ACCESS), $(($name, Access::$access),)*];

        fn dispatch(stub: &mut dyn Stub, function: &str, argument: &[u8]) -> Result<Vec<u8>, ContractError> {
            match function {
                "genesis" => {
                    tx::genesis::ACCESS.check_role(stub.caller())?;
                    tx::genesis::run(stub, &Genesis::decode(argument)?).map(|response| response.encode())
                }
                $($name => run(stub, Access::$access, argument, $($code)::+),)*
                _ => Err(ContractError::new(
                    Code::UnknownFunction,
                    format!("{function:.40} is no function of this contract"),
                )),
            }
        }
    };
}

functions! {
    "register_hospital" ADMIN tx::register_member::hospital;
    "register_matcher" ADMIN tx::register_member::matcher;
    "rotate_key" ADMIN tx::rotate_key::run;
    "open_epoch" HOSPITAL_ADMIN tx::open_epoch::run;
    "close_epoch" HOSPITAL_ADMIN tx::close_epoch::run;
    "register_patient_key" HOSPITAL_NODE tx::register_patient_key::run;
    "grant_consent" HOSPITAL_NODE tx::grant_consent::run;
    "withdraw_consent" ANYONE tx::withdraw_consent::run;
    "publish_cases" HOSPITAL_NODE tx::publish_cases::run;
    "expire" ANYONE tx::expire::run;
    "purge_case" ANYONE tx::purge_case::run;
    "record_lookups" MATCHER_NODE tx::record_lookups::run;
    "record_denials" NODE tx::record_denials::run;
    "propose_introduction" HOSPITAL_NODE tx::propose_introduction::run;
    "answer_introduction" HOSPITAL_NODE tx::answer_introduction::run;
    "open_channel" HOSPITAL_NODE tx::open_channel::run;
    "open_group" HOSPITAL_NODE tx::open_group::run;

    "version" ANYONE query::members::version;
    "network" ANYONE query::members::network;
    "organisation" ANYONE query::members::organisation;
    "organisations" ANYONE query::members::organisations;
    "rotations" ANYONE query::members::rotations;
    "epoch" ANYONE query::members::epoch;
    "epochs" ANYONE query::members::epochs;
    "epoch_key" ANYONE query::members::epoch_key;
    "patient_key" ANYONE query::consents::patient_key;
    "consent" ANYONE query::consents::consent;
    "case" ANYONE query::cases::case;
    "cases_of_hospital" ANYONE query::cases::of_hospital;
    "live_cases" ANYONE query::cases::live;
    "publication" ANYONE query::cases::publication;
    "fingerprints" MATCHER_NODE query::cases::fingerprints;
    "standing" MATCHER_NODE query::cases::standing;
    "lookup" ANYONE query::lookups::lookup;
    "lookups_of_hospital" ANYONE query::lookups::of_hospital;
    "lookups_of_day" ANYONE query::lookups::of_day;
    "denials" ANYONE query::lookups::denials;
    "introduction" ANYONE query::introductions::introduction;
    "introductions_of_lookup" ANYONE query::introductions::of_lookup;
    "channel" ANYONE query::channels::channel;
    "channels" ANYONE query::channels::channels;
    "group_topic" ANYONE query::channels::group_topic;
}

impl Contract for SemblanceContract {
    fn invoke(&self, stub: &mut dyn Stub, function: &str, arguments: &[Vec<u8>]) -> Result<Vec<u8>, ContractError> {
        let [argument] = arguments else {
            let message = format!("a function takes exactly one argument, not {}", arguments.len());
            return Err(ContractError::new(Code::InvalidArgument, message));
        };
        dispatch(stub, function, argument)
    }
}

/// Role and argument are checked before any state is read.
fn run<A: Record, R: Record>(
    stub: &mut dyn Stub,
    access: Access,
    argument: &[u8],
    code: fn(&mut Call<'_>, A) -> Result<R, ContractError>,
) -> Result<Vec<u8>, ContractError> {
    access.check_role(stub.caller())?;
    let argument = A::decode(argument)?;
    let mut call = Call::open(stub, access)?;
    code(&mut call, argument).map(|response| response.encode())
}
