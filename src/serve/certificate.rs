//! A certificate for the webhook's server, for a cluster in which nothing else makes one.

use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// In PEM. The key of the CA is kept nowhere: it signs this one certificate, and nobody can have it sign another.
#[derive(Debug)]
pub struct Certificates {
    pub ca: String,
    pub certificate: String,
    pub key: String,
}

/// A certificate for a server that is called `host`, valid from one day to another.
///
/// # Errors
/// A name that no certificate can hold, or a system that has no random numbers.
pub fn certificates(host: &str, (from, until): (Date, Date)) -> Result<Certificates, Error> {
    let ca = CertifiedIssuer::self_signed(authority((from, until)), KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([host.to_owned()])?;
    last(&mut params, (from, until));
    // Its names stand in the extension, where there is room for long ones.
    params
        .distinguished_name
        .push(DnType::CommonName, "phasegate");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &ca)?;
    Ok(Certificates {
        ca: ca.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn authority(days: (Date, Date)) -> CertificateParams {
    let mut params = CertificateParams::default();
    last(&mut params, days);
    let name = "phasegate: the authority of one certificate";
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn last(params: &mut CertificateParams, (from, until): (Date, Date)) {
    let moment = |date: Date| {
        let small = |number: i8| u8::try_from(number).unwrap_or(1);
        date_time_ymd(date.year().into(), small(date.month()), small(date.day()))
    };
    params.not_before = moment(from);
    params.not_after = moment(until);
    params.distinguished_name = rcgen::DistinguishedName::new();
}
