//! A small contract, its server, and how tests wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use semblance_chaincode::testing::{Dialing, FakePeer, Faults, Invocation};
use semblance_chaincode::{OneContract, Running, Server, ServerTls};
use semblance_contract::stub::{KeyPolicy, Stub};
use semblance_contract::{Code, Contract, ContractError};
use semblance_core::id::OrganisationId;
use semblance_core::limits::STATE_VALUE_MAX;
use semblance_core::time::{ManualClock, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// How long a transaction may take on a server of these tests.
pub(crate) const PATIENCE: Duration = Duration::from_millis(700);
pub(crate) const COLLECTION: &str = "fingerprints_hospital-1";

/// Does what its functions' names say.
struct Small;

impl Contract for Small {
    fn invoke(&self, stub: &mut dyn Stub, function: &str, arguments: &[Vec<u8>]) -> Result<Vec<u8>, ContractError> {
        let number = || usize::from(arguments[0][0]);
        match function {
            "copy" => {
                let value = stub.get("from")?.unwrap_or_default();
                stub.put("to", value.clone())?;
                stub.set_event("copied", value.clone())?;
                return Ok(value);
            }
            "read_own_write" => {
                stub.put("from", b"changed".to_vec())?;
                return Ok(stub.get("from")?.unwrap_or_default());
            }
            "look_once" => return Ok(stub.get("from")?.unwrap_or_default()),
            "write_many" => {
                for n in 0..number() {
                    stub.put(&format!("key-{n}"), vec![1])?;
                }
            }
            "write_all_kinds" => {
                stub.put("public", b"value".to_vec())?;
                stub.delete("old")?;
                stub.put_private(COLLECTION, "private", b"secret".to_vec())?;
                stub.purge_private(COLLECTION, "purged")?;
                let owner = OrganisationId::new("hospital-1").unwrap();
                stub.set_key_policy("public", &KeyPolicy::AllOf(vec![owner]))?;
            }
            "read_many" => {
                let keys = (0..number()).map(|n| format!("key-{n}"));
                stub.get_ahead(keys.clone().collect())?;
                let found = keys.map(|key| stub.get(&key)).collect::<Result<Vec<_>, _>>()?;
                return Ok(vec![u8::try_from(found.iter().flatten().count()).unwrap()]);
            }
            "range" => {
                let rows = stub.range("key-0", "key-9", number())?;
                return Ok(rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(" ").into_bytes());
            }
            "look" => return Ok(stub.get_private(COLLECTION, "private")?.unwrap_or_default()),
            "hash" => {
                return Ok(stub.private_hash(COLLECTION, "private")?.map(|hash| hash.to_vec()).unwrap_or_default());
            }
            "write_too_much" => stub.put("key", vec![0; STATE_VALUE_MAX + 1])?,
            "write_nothing" => stub.put("key", Vec::new())?,
            "write_private_in_public" => stub.put_private("", "key", b"secret".to_vec())?,
            "two_events" => {
                stub.set_event("first", vec![])?;
                stub.set_event("second", vec![])?;
            }
            "go_on_after_a_failure" => {
                let failed = stub.get("from").is_err();
                return Ok(vec![u8::from(failed), u8::from(stub.get("other").is_err())]);
            }
            "refuse" => {
                stub.put("to", b"never".to_vec())?;
                return Err(ContractError::new(Code::SlotUsed, "after writing"));
            }
            _ => panic!("as a broken contract would"),
        }
        Ok(Vec::new())
    }
}

pub(crate) async fn server() -> Running {
    with_tls(None).await
}

pub(crate) async fn with_tls(tls: Option<ServerTls>) -> Running {
    let clock = Arc::new(ManualClock::at(NOW));
    let endorser = OrganisationId::new("hospital-1").unwrap();
    let server = Server::new("package:1", endorser, Arc::new(OneContract(Arc::new(Small))), clock, tls);
    server.with_patience(PATIENCE).start("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// A peer that offers batches, and does what is said with the chaincode's requests.
pub(crate) async fn peer(server: &Running, faults: Option<Faults>) -> FakePeer {
    let dialing = Dialing { write_batch: Some(10), read_batch: Some(10), faults, tls: None };
    let peer = FakePeer::dial(server.address(), dialing).await.unwrap();
    peer.state(|state| state.put("from", b"value"));
    peer
}

pub(crate) fn call(function: &str, number: u32) -> Invocation {
    Invocation::new(function, number, NOW)
}

pub(crate) fn call_with(function: &str, argument: u8) -> Invocation {
    let mut invocation = call(function, 1);
    invocation.arguments.push(vec![argument]);
    invocation
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
