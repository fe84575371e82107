//! The peers' chaincode servers, in this process, so that a story can exchange what one of them runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use semblance_chaincode::system::SystemClock;
use semblance_chaincode::{Contracts, Running, Server, ServerTls};
use semblance_contract::Contract;
use semblance_core::id::OrganisationId;
use semblance_ledger::fabric::network_file::NetworkFile;

/// What one organisation's servers run, by the chaincode's name.
#[derive(Default)]
pub(crate) struct Registry {
    common: Mutex<HashMap<String, Arc<dyn Contract>>>,
    altered: Mutex<HashMap<String, Arc<dyn Contract>>>,
}

impl Registry {
    pub(crate) fn set(&self, chaincode: &str, contract: Arc<dyn Contract>) {
        self.common.lock().unwrap().insert(chaincode.to_owned(), contract);
    }

    pub(crate) fn alter(&self, chaincode: &str, contract: Option<Arc<dyn Contract>>) {
        let mut altered = self.altered.lock().unwrap();
        match contract {
            Some(contract) => altered.insert(chaincode.to_owned(), contract),
            None => altered.remove(chaincode),
        };
    }
}

impl Contracts for Registry {
    fn find(&self, _: &str, chaincode: &str) -> Option<Arc<dyn Contract>> {
        let altered = self.altered.lock().unwrap().get(chaincode).cloned();
        altered.or_else(|| self.common.lock().unwrap().get(chaincode).cloned())
    }
}

/// All servers of a network.
pub(crate) struct Servers {
    registries: HashMap<OrganisationId, Arc<Registry>>,
    _running: Vec<Running>,
}

impl Servers {
    pub(crate) async fn start(file: &NetworkFile) -> Self {
        let (mut registries, mut running) = (HashMap::new(), Vec::new());
        for organisation in &file.organisations {
            let id = OrganisationId::new(&organisation.id).unwrap();
            let registry = Arc::new(Registry::default());
            registries.insert(id.clone(), registry.clone());
            for peer in &organisation.peers {
                let read = |path| std::fs::read_to_string(path).unwrap();
                let chaincode = peer.chaincode.as_ref().unwrap();
                let tls = ServerTls {
                    certificate: read(&chaincode.certificate),
                    key: read(&chaincode.key),
                    client_root: read(&chaincode.client_root),
                };
                let clock = Arc::new(SystemClock);
                let server = Server::new(&file.package_id, id.clone(), registry.clone(), clock, Some(tls));
                running.push(server.start(chaincode.address.parse().unwrap()).await.unwrap());
            }
        }
        Self { registries, _running: running }
    }

    pub(crate) fn registry(&self, organisation: &OrganisationId) -> &Registry {
        &self.registries[organisation]
    }
}
