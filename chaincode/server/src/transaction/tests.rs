use std::collections::HashMap;

use proptest::prelude::*;
use semblance_contract::stub::Role;

use super::*;
use crate::testing::{Invocation, certificate};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn publication() -> Invocation {
    Invocation {
        arguments: vec![b"publish_cases".to_vec(), b"argument".to_vec()],
        transient: HashMap::from([("fingerprints".to_owned(), b"value".to_vec())]),
        ..Invocation::new("publish_cases", 1, NOW)
    }
}

#[test]
fn a_call_is_read_with_its_caller() {
    let call = Call::read(&publication().message(), NOW).unwrap();
    assert_eq!((call.function.as_str(), call.arguments), ("publish_cases", vec![b"argument".to_vec()]));
    assert_eq!((call.caller.organisation.as_str(), call.caller.role), ("hospital-1", Role::Node));
    assert_eq!((call.chaincode.as_str(), call.timestamp), ("semblance", NOW));
    assert_eq!(call.transient["fingerprints"], b"value");
    let admin = Invocation { certificate: certificate(&["admin"]), ..publication() };
    assert_eq!(Call::read(&admin.message(), NOW).unwrap().caller.role, Role::Admin);
}

#[test]
fn what_is_wrong_is_refused_with_its_word() {
    let off = PROPOSAL_SKEW_MILLIS + 1;
    let transient = |name: String, length| HashMap::from([(name, vec![0; length])]);
    for (invocation, word) in [
        (
            Invocation { time: Timestamp::from_millis(NOW.millis() - off), ..publication() },
            "clock-skew: 300001 300000: ",
        ),
        (Invocation { time: NOW.plus(off), ..publication() }, "clock-skew: 300001 300000: "),
        (Invocation { announced: "cd".repeat(32), ..publication() }, "invalid-proposal: "),
        (Invocation { transaction: "ab".into(), announced: "ab".into(), ..publication() }, "invalid-proposal: "),
        (Invocation { certificate: certificate(&["peer"]), ..publication() }, "identity: "),
        (Invocation { certificate: certificate(&["admin", "client"]), ..publication() }, "identity: "),
        (Invocation { certificate: certificate(&[]), ..publication() }, "identity: "),
        (Invocation { certificate: "no certificate".into(), ..publication() }, "identity: "),
        (Invocation { msp: "Hospital One".into(), ..publication() }, "identity: "),
        (Invocation { arguments: Vec::new(), ..publication() }, "invalid-proposal: "),
        (Invocation { arguments: vec![b"No Name".to_vec()], ..publication() }, "invalid-proposal: "),
        (Invocation { arguments: vec![b"f".to_vec(); ARGUMENTS_MAX + 2], ..publication() }, "invalid-proposal: "),
        (Invocation { transient: transient("x".repeat(99), 0), ..publication() }, "invalid-proposal: "),
        (Invocation { transient: transient("x".into(), PROPOSAL_BYTES_MAX), ..publication() }, "too-large: "),
    ] {
        let text = Call::read(&invocation.message(), NOW).unwrap_err().to_string();
        assert!(text.starts_with(word), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), place in 0..4_usize) {
        let mut message = publication().message();
        match place {
            0 => message.payload = bytes,
            1 => message.proposal.as_mut().unwrap().proposal_bytes = bytes,
            2 => {
                let whole = &mut message.proposal.as_mut().unwrap().proposal_bytes;
                let at = bytes.len() % whole.len();
                whole[at] ^= bytes.first().copied().unwrap_or(1);
            }
            _ => message.txid = String::from_utf8_lossy(&bytes).into_owned(),
        }
        let _ = Call::read(&message, NOW);
    }
}
