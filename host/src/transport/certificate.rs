//! Certificates of authorities that an application trusts besides the platform's.

use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The certificate of an authority that TLS trusts, such as that of a company's own gateway.
///
/// The bytes are looked at when a transport is made from it: one that is no certificate is a
/// [`BuildError::Tls`](crate::BuildError::Tls) then.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

/// An error for a text that holds no certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCertificate {
    /// The text is not PEM.
    #[error("not a PEM file of certificates: {reason}")]
    NotPem {
        /// What is wrong with it.
        reason: String,
    },
    /// The text is PEM, or anything else, without a certificate in it.
    #[error("no certificate in the PEM file; one begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
}

impl Certificate {
    /// Returns the certificate in DER.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }

    /// Takes a certificate in DER.
    pub fn from_der(der: impl Into<Vec<u8>>) -> Self {
        Self(CertificateDer::from(der.into()))
    }

    /// Reads all certificates of a PEM file. Sections of other kinds are passed over.
    ///
    /// # Errors
    ///
    /// [`InvalidCertificate`] when the file has none, or a section that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Vec<Self>, InvalidCertificate> {
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(pem).map(|certificate| certificate.map(Self)).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => Err(InvalidCertificate::NoCertificate),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(InvalidCertificate::NotPem { reason: error.to_string() }),
        }
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.0.clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Certificate({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pem_file_gives_all_its_certificates_and_one_without_any_is_an_error() {
        let certified = rcgen::generate_simple_self_signed(["api.example".to_owned()]).unwrap();
        let (one, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
        let certificates = Certificate::from_pem(format!("{one}{key}{one}").as_bytes()).unwrap();
        let der = Certificate::from_der(certified.cert.der().to_vec());
        assert_eq!(certificates, [der.clone(), der]);
        for text in ["", "hello", key.as_str()] {
            assert_eq!(Certificate::from_pem(text.as_bytes()), Err(InvalidCertificate::NoCertificate), "{text}");
        }
        let cut = &one[..one.len() / 2];
        assert!(matches!(Certificate::from_pem(cut.as_bytes()), Err(InvalidCertificate::NotPem { .. })));
    }
}
