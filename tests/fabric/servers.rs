//! The peers' chaincode servers, in this process, so that a story can exchange what one of them runs.

use std::collections::HashMap;
use std::net::SocketAddr;
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

/// One peer's server.
struct PeersServer {
    organisation: OrganisationId,
    address: SocketAddr,
    tls: ServerTls,
    running: Option<Running>,
}

/// All servers of a network.
pub(crate) struct Servers {
    package_id: String,
    registries: HashMap<OrganisationId, Arc<Registry>>,
    servers: tokio::sync::Mutex<Vec<PeersServer>>,
}

impl Servers {
    pub(crate) async fn start(file: &NetworkFile) -> Self {
        let (mut registries, mut servers) = (HashMap::new(), Vec::new());
        for organisation in &file.organisations {
            let id = OrganisationId::new(&organisation.id).unwrap();
            registries.insert(id.clone(), Arc::default());
            for peer in &organisation.peers {
                let read = |path| std::fs::read_to_string(path).unwrap();
                let chaincode = peer.chaincode.as_ref().unwrap();
                let tls = ServerTls {
                    certificate: read(&chaincode.certificate),
                    key: read(&chaincode.key),
                    client_root: read(&chaincode.client_root),
                };
                let address = chaincode.address.parse().unwrap();
                servers.push(PeersServer { organisation: id.clone(), address, tls, running: None });
            }
        }
        let all = Self { package_id: file.package_id.clone(), registries, servers: servers.into() };
        for organisation in all.registries.keys() {
            all.start_again(organisation).await;
        }
        all
    }

    pub(crate) fn registry(&self, organisation: &OrganisationId) -> &Registry {
        &self.registries[organisation]
    }

    /// Stops a member's servers.
    pub(crate) async fn stop(&self, organisation: &OrganisationId) {
        for server in self.servers.lock().await.iter_mut().filter(|server| server.organisation == *organisation) {
            if let Some(running) = server.running.take() {
                running.stop().await;
            }
        }
    }

    /// Starts those that do not run.
    pub(crate) async fn start_again(&self, organisation: &OrganisationId) {
        for server in self.servers.lock().await.iter_mut().filter(|server| server.organisation == *organisation) {
            if server.running.is_none() {
                let registry = self.registries[organisation].clone();
                let (clock, tls) = (Arc::new(SystemClock), Some(server.tls.clone()));
                let started = Server::new(&self.package_id, organisation.clone(), registry, clock, tls);
                server.running = Some(started.start(server.address).await.unwrap());
            }
        }
    }
}
