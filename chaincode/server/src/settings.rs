//! The environment, with the names that the Go and Node shims have.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use semblance_core::id::OrganisationId;

use crate::server::ServerTls;

/// Everything the program is told.
#[derive(Debug)]
pub struct Settings {
    /// `CHAINCODE_ID`: the id of the installed package.
    pub package_id: String,
    /// `CORE_PEER_LOCALMSPID`: the organisation whose peer dials.
    pub organisation: OrganisationId,
    /// `CHAINCODE_SERVER_ADDRESS`: where to listen.
    pub address: SocketAddr,
    /// `CHAINCODE_TLS_…`; none only if TLS was switched off by name.
    pub tls: Option<ServerTls>,
    /// `CHAINCODE_HEALTH_ADDRESS`: where health and metrics are served, if anywhere.
    pub health: Option<SocketAddr>,
    /// `CHAINCODE_LOG_JSON`: whether the log is JSON lines.
    pub json: bool,
}

/// A variable that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub struct SettingsError {
    /// The variable.
    pub name: &'static str,
    /// What is wrong and what to do.
    pub why: String,
}

/// Variables by name.
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Takes pairs of name and value; an empty value is none.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn required(&self, name: &'static str, what: &str) -> Result<&str, SettingsError> {
        self.optional(name).ok_or_else(|| SettingsError { name, why: format!("is not set; it is {what}") })
    }

    /// Reads a PEM file that holds something of one kind.
    fn pem<T: PemObject>(&self, name: &'static str, what: &str, kind: &str) -> Result<String, SettingsError> {
        let path = self.required(name, what)?;
        let text = std::fs::read_to_string(path)
            .map_err(|error| SettingsError { name, why: format!("the file {path} cannot be read: {error}") })?;
        match T::from_pem_slice(text.as_bytes()) {
            Ok(_) => Ok(text),
            // The parser's text may quote the file, which may be a key.
            Err(_) => Err(SettingsError { name, why: format!("the file {path} holds no {kind} in PEM") }),
        }
    }

    fn flag(&self, name: &'static str) -> Result<bool, SettingsError> {
        match self.optional(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(SettingsError { name, why: format!("is {other:?}, it must be true or false") }),
        }
    }

    fn address(name: &'static str, text: &str) -> Result<SocketAddr, SettingsError> {
        let why = |reason: String| SettingsError {
            name,
            why: format!("{text:?} is no address as in 0.0.0.0:9999: {reason}"),
        };
        let mut found = text.to_socket_addrs().map_err(|error| why(error.to_string()))?;
        found.next().ok_or_else(|| why("it resolves to nothing".to_owned()))
    }
}

impl Settings {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// Names the first variable that is missing or wrong.
    pub fn read(environment: &Environment) -> Result<Self, SettingsError> {
        let organisation = environment.required("CORE_PEER_LOCALMSPID", "the MSP's id of the peer that dials")?;
        let organisation = OrganisationId::new(organisation)
            .map_err(|error| SettingsError { name: "CORE_PEER_LOCALMSPID", why: error.to_string() })?;
        let address =
            environment.required("CHAINCODE_SERVER_ADDRESS", "the address to listen at, as in 0.0.0.0:9999")?;
        let health = environment.optional("CHAINCODE_HEALTH_ADDRESS");
        Ok(Self {
            package_id: environment.required("CHAINCODE_ID", "the id of the installed chaincode package")?.to_owned(),
            organisation,
            address: Environment::address("CHAINCODE_SERVER_ADDRESS", address)?,
            tls: tls(environment)?,
            health: health.map(|text| Environment::address("CHAINCODE_HEALTH_ADDRESS", text)).transpose()?,
            json: environment.flag("CHAINCODE_LOG_JSON")?,
        })
    }
}

fn tls(environment: &Environment) -> Result<Option<ServerTls>, SettingsError> {
    if environment.flag("CHAINCODE_TLS_DISABLED")? {
        return Ok(None);
    }
    let certificate = environment.pem::<CertificateDer<'_>>(
        "CHAINCODE_TLS_CERT",
        "the file of the server's certificate",
        "certificate",
    )?;
    let key =
        environment.pem::<PrivateKeyDer<'_>>("CHAINCODE_TLS_KEY", "the file of the server's key", "private key")?;
    let root = "the file of the root of the peer's TLS certificate";
    let client_root = environment.pem::<CertificateDer<'_>>("CHAINCODE_CLIENT_CA_CERT", root, "certificate")?;
    Ok(Some(ServerTls { certificate, key, client_root }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let mut all = BTreeMap::from([
            ("CHAINCODE_ID", "semblance_1:ab"),
            ("CORE_PEER_LOCALMSPID", "hospital-1"),
            ("CHAINCODE_SERVER_ADDRESS", "127.0.0.1:0"),
            ("CHAINCODE_TLS_DISABLED", "true"),
        ]);
        all.extend(change.iter().copied());
        let pairs = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Settings::read(&Environment::new(pairs))
    }

    #[test]
    fn every_variable_is_checked_and_named() {
        let settings = read(&[("CHAINCODE_HEALTH_ADDRESS", "127.0.0.1:9")]).unwrap();
        assert_eq!((settings.organisation.as_str(), settings.package_id.as_str()), ("hospital-1", "semblance_1:ab"));
        assert!(settings.tls.is_none() && settings.health.is_some() && !settings.json);
        for (name, value) in [
            ("CHAINCODE_ID", ""),
            ("CORE_PEER_LOCALMSPID", ""),
            ("CORE_PEER_LOCALMSPID", "Hospital One"),
            ("CHAINCODE_SERVER_ADDRESS", ""),
            ("CHAINCODE_SERVER_ADDRESS", "here"),
            ("CHAINCODE_HEALTH_ADDRESS", "9"),
            ("CHAINCODE_TLS_DISABLED", "yes"),
            ("CHAINCODE_LOG_JSON", "1"),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().name, name, "{value}");
        }
    }

    #[test]
    fn tls_is_left_out_only_by_name() {
        assert_eq!(read(&[("CHAINCODE_TLS_DISABLED", "")]).unwrap_err().name, "CHAINCODE_TLS_CERT");
        let missing = [("CHAINCODE_TLS_DISABLED", "false"), ("CHAINCODE_TLS_CERT", "/nowhere/at/all")];
        assert!(read(&missing).unwrap_err().to_string().contains("/nowhere/at/all"));
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
        let (certificate, key) = (path("certificate", &pem), path("key", &key.serialize_pem()));
        let given = |changed: &'static str, value: &str| {
            let all = [
                ("CHAINCODE_TLS_DISABLED", "false"),
                ("CHAINCODE_TLS_CERT", &certificate),
                ("CHAINCODE_TLS_KEY", &key),
                ("CHAINCODE_CLIENT_CA_CERT", &certificate),
                (changed, value),
            ];
            read(&all)
        };
        assert!(given("CHAINCODE_LOG_JSON", "true").unwrap().tls.is_some());
        for (name, wrong) in
            [("CHAINCODE_TLS_CERT", &key), ("CHAINCODE_TLS_KEY", &certificate), ("CHAINCODE_CLIENT_CA_CERT", &key)]
        {
            assert_eq!(given(name, wrong).unwrap_err().name, name);
        }
    }
}
