//! From a function's name to its code.

use crate::stub::Stub;
use crate::{Code, Contract, ContractError};

/// The contract of a Semblance network.
#[derive(Debug, Clone, Copy, Default)]
pub struct SemblanceContract;

impl Contract for SemblanceContract {
    fn invoke(&self, stub: &mut dyn Stub, function: &str, arguments: &[Vec<u8>]) -> Result<Vec<u8>, ContractError> {
        let _ = (stub, arguments);
        Err(ContractError::new(Code::UnknownFunction, format!("{function:.40} is no function of this contract")))
    }
}
