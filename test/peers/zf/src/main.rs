//! A FROST party over ZF `frost-secp256k1-tr`: one command a line on stdin, one answer a line on stdout, fields separated by
//! spaces, bytes in lowercase hex, `-` for no merkle root. Answers start with `ok` or `error`.
//!
//!   deal                                              -> ok K s1 s2 s3 Y1 Y2 Y3     a fresh key, t = 2 of 3, by their dealer
//!   party id s K Y1 Y2 Y3 T key|leaf root             -> ok x                       be `id` under this tweak; x of the signing key
//!   commit                                            -> ok hiding||binding
//!   sign message id commitment id commitment          -> ok z                       consumes the nonces of `commit`
//!   aggregate message id commitment z id commitment z -> ok signature               checks both shares and the signature
//!   verify message signature                          -> ok

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use frost_secp256k1_tr as frost;
use frost::keys::{KeyPackage, PublicKeyPackage, SigningShare, Tweak, VerifyingShare};
use frost::{round1, round2, Identifier, Signature, SigningPackage, VerifyingKey};
use k256::elliptic_curve::group::GroupEncoding;
use k256::elliptic_curve::PrimeField;
use k256::{ProjectivePoint, Scalar};
use rand_core::OsRng;

type Fail = Box<dyn std::error::Error>;

struct Party {
    key: KeyPackage,
    public: PublicKeyPackage,
    nonces: Option<round1::SigningNonces>,
}

fn bytes(field: &str) -> Result<Vec<u8>, Fail> {
    Ok(hex::decode(field)?)
}

fn identifier(field: &str) -> Result<Identifier, Fail> {
    Ok(Identifier::try_from(field.parse::<u16>()?)?)
}

fn scalar(field: &str) -> Result<Scalar, Fail> {
    let repr: [u8; 32] = bytes(field)?.try_into().map_err(|_| "scalar length")?;
    Option::from(Scalar::from_repr(repr.into())).ok_or_else(|| "scalar range".into())
}

/// The point plus `t`*G: their crate knows the taproot tweak, but no BIP-32.
fn shifted(field: &str, t: Scalar) -> Result<Vec<u8>, Fail> {
    let encoded: [u8; 33] = bytes(field)?.try_into().map_err(|_| "point length")?;
    let point: Option<ProjectivePoint> = ProjectivePoint::from_bytes(&encoded.into()).into();
    let sum = point.ok_or("point")? + ProjectivePoint::GENERATOR * t;
    Ok(sum.to_bytes().to_vec())
}

fn deal() -> Result<String, Fail> {
    let (shares, public) = frost::keys::generate_with_dealer(3, 2, frost::keys::IdentifierList::Default, OsRng)?;
    let mut out = vec![hex::encode(public.verifying_key().serialize()?)];
    out.extend(shares.values().map(|s| hex::encode(s.signing_share().serialize())));
    for share in public.verifying_shares().values() {
        out.push(hex::encode(share.serialize()?));
    }
    Ok(out.join(" "))
}

fn party(fields: &[&str]) -> Result<(Party, String), Fail> {
    let [id, share, group_key, y1, y2, y3, t, path, root] = fields else {
        return Err("party takes nine fields".into());
    };
    let (id, t) = (identifier(id)?, scalar(t)?);
    let share = SigningShare::deserialize(&(scalar(share)? + t).to_bytes())?;
    let group_key = VerifyingKey::deserialize(&shifted(group_key, t)?)?;
    let mut verifying_shares = BTreeMap::new();
    for (i, y) in [y1, y2, y3].into_iter().enumerate() {
        verifying_shares.insert(
            Identifier::try_from(i as u16 + 1)?,
            VerifyingShare::deserialize(&shifted(y, t)?)?,
        );
    }
    let own = *verifying_shares.get(&id).ok_or("id")?;
    let mut key = KeyPackage::new(id, share, own, group_key, 2);
    let mut public = PublicKeyPackage::new(verifying_shares, group_key, Some(2));
    if *path == "key" {
        let root = if *root == "-" { None } else { Some(bytes(root)?) };
        key = key.tweak(root.as_deref());
        public = public.tweak(root.as_deref());
    }
    let x = hex::encode(&public.verifying_key().serialize()?[1..]);
    Ok((Party { key, public, nonces: None }, x))
}

fn commitment(field: &str) -> Result<round1::SigningCommitments, Fail> {
    let pair = bytes(field)?;
    if pair.len() != 66 {
        return Err("commitment length".into());
    }
    Ok(round1::SigningCommitments::new(
        round1::NonceCommitment::deserialize(&pair[..33])?,
        round1::NonceCommitment::deserialize(&pair[33..])?,
    ))
}

fn package(message: &str, listed: &[(&str, &str)]) -> Result<SigningPackage, Fail> {
    let mut commitments = BTreeMap::new();
    for (id, pair) in listed {
        commitments.insert(identifier(id)?, commitment(pair)?);
    }
    Ok(SigningPackage::new(commitments, &bytes(message)?))
}

impl Party {
    fn commit(&mut self) -> Result<String, Fail> {
        let (nonces, commitments) = round1::commit(self.key.signing_share(), &mut OsRng);
        self.nonces = Some(nonces);
        Ok(hex::encode(
            [commitments.hiding().serialize()?, commitments.binding().serialize()?].concat(),
        ))
    }

    fn sign(&mut self, fields: &[&str]) -> Result<String, Fail> {
        let [message, id1, c1, id2, c2] = fields else {
            return Err("sign takes five fields".into());
        };
        let nonces = self.nonces.take().ok_or("no nonces")?;
        let share = round2::sign(&package(message, &[(id1, c1), (id2, c2)])?, &nonces, &self.key)?;
        Ok(hex::encode(share.serialize()))
    }

    fn aggregate(&self, fields: &[&str]) -> Result<String, Fail> {
        let [message, id1, c1, z1, id2, c2, z2] = fields else {
            return Err("aggregate takes seven fields".into());
        };
        let mut shares = BTreeMap::new();
        for (id, z) in [(id1, z1), (id2, z2)] {
            shares.insert(identifier(id)?, round2::SignatureShare::deserialize(&bytes(z)?)?);
        }
        let signature = frost::aggregate(&package(message, &[(id1, c1), (id2, c2)])?, &shares, &self.public)?;
        Ok(hex::encode(signature.serialize()?))
    }

    fn verify(&self, fields: &[&str]) -> Result<String, Fail> {
        let [message, signature] = fields else {
            return Err("verify takes two fields".into());
        };
        let signature = Signature::deserialize(&bytes(signature)?)?;
        self.public.verifying_key().verify(&bytes(message)?, &signature)?;
        Ok(String::new())
    }
}

fn answer(line: &str, current: &mut Option<Party>) -> Result<String, Fail> {
    let fields: Vec<&str> = line.split(' ').collect();
    let (command, fields) = fields.split_first().ok_or("empty line")?;
    match (*command, current.as_mut()) {
        ("deal", _) => deal(),
        ("party", _) => {
            let (made, x) = party(fields)?;
            *current = Some(made);
            Ok(x)
        }
        ("commit", Some(p)) => p.commit(),
        ("sign", Some(p)) => p.sign(fields),
        ("aggregate", Some(p)) => p.aggregate(fields),
        ("verify", Some(p)) => p.verify(fields),
        _ => Err("unknown command, or no party yet".into()),
    }
}

fn main() -> io::Result<()> {
    let mut current = None;
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        match answer(line?.trim_end(), &mut current) {
            Ok(text) => writeln!(out, "ok {text}")?,
            Err(e) => writeln!(out, "error {e}")?,
        }
        out.flush()?;
    }
    Ok(())
}
