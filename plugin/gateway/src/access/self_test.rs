//! Signatures whose verdict is known, to find out whether a host's check can be trusted.
//!
//! The keys are published examples: RSA of RFC 7515 (A.2), P-256 of RFC 7515 (A.3), P-384 of RFC 6979 (A.2.6). What they sign is ours.
//! Decides about one algorithm at a time; what follows from it is decided elsewhere.

use super::algorithm::Algorithm;
use super::encoding::base64url;
use super::native::ask;
use super::verifying_key::VerifyingKey;
use crate::host::{Host, NativeVerdict};

/// What every signature here is over.
const TEXT: &[u8] = b"reward-points: is this signature genuine?";

/// Modulus of 2048 bits; the exponent is 65537.
const RSA_MODULUS: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-",
    "pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Ca",
    "pHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5",
    "4h4FRWyuXpoQ",
);

const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

const P384_X: &str = "7DpOQVtOGaRWhhgCn0J_pdqai8SukuAuBqrlKGswDGTe-PDqkFWGYGSiVFFUgLwT";
const P384_Y: &str = "gBXZty19VyROqO-awMYhiWcIpZNn-d-59UyoSz8cnbEoiyMcOuDU_nNE_SUzJkcg";

/// As in a token.
const RS256: &str = concat!(
    "E2mV5pTkyHnk13-DS0xHPLW7nrLMM658qqlYR1iWq8HVAJNt6zZYM15bwHJ1q5rHclUr1a9r-xy_MXCkfVDW0qxo6FUsehyhJIrwbZC_njBifJ",
    "DsiroKeQ18SK2evJQeqtJ6wbD0Who_Dmh7_PY46tZkHIy7zmwKrMGUJhuzTwnsG_mS9SMPnZq_3BdEVGWUG-r1i232E2-cJcgFlc6iO1mr1_11",
    "YVJHwluLdYfoRoIBjDFh9MTYCDo7bilrpbvw_wPa7HdNHwL47bXSu5-17t0F7462qrSmpfbGwzMNoPdLnCeuJCMdl-QqaU_CV1RXgwX1Uf6DLa",
    "mGJHBtXm8O7A",
);

/// As in a token.
const RS384: &str = concat!(
    "GqrHB1aLK7-XhUFqMxLD8sW01Wf7Tpv3fOi0xx4zWKeacmO_u9cTDUBnfVui6vmXXVSPb5GO0ia56ZG-llbDVXxFZTzFeN1HxJySXhEeCAbpNG",
    "wCCibibiQX5VU4hInHQUafcQElBKVYW-DegQfiNIBHHlNnMAu6I-f4WAtUoaxby5cCzcOKNmObZ-A7goXGNexxyKlaUhHkDpSQABh4g-VN60EZ",
    "b-AjchtFQqbzknkkA5bpS_x-Jq-GuUhBpVSnsr5Fqoryu53LnMnlch6HhnLwrNQGY4j-GXNYEizOAa60Luls2nb1qnF-exTeZGomB4kVKE3nKm",
    "jELvE_15kP5w",
);

/// As in a token.
const RS512: &str = concat!(
    "cEBVVHV0qEnRdvhGbZJZjHR3bdTQSIxpP1MNFRlQTvFiSOp-LyeO2e3dTdnyxpW5PcaLyTedQ6AcIPy6klkgIAg_APZ-Qw1DmqwCwQBOM6GF6G",
    "C-R_U9cPZNQI-jTb4oRgFmusmnew-1hFQX7IMQq-GYBJtAKt13PRwy2EVHt1AEtoN7zxlPEK4lk-B-UWKlwWc1eLIBeAey5BI4imu0A59lG1ZW",
    "YHBqhgTm_Lv8iQy-INKdR1jgHawMz3PFPcGa9omAqnRGhHkuwQAF3OCHyolGICp2FdX96Dorw9Hs4pM-kSfzdgwEUTz8kgcxR_YwA7lgYusujo",
    "YDmlbiy4nAaQ",
);

/// Raw, as in a token.
const ES256: &str =
    "c8Sv7iGVB71rrYUNOg8-l63aa04hUrjlkLTU7-488TJ_Tfjw8IOo5tSQf15MX0AY4Pdk3l_4zxOIgW1S8zbvKw";

/// Raw, as in a token.
const ES384: &str = concat!(
    "9k-B1kL0IT8_Bako_1a9Tx3VkTo8wUbXyFISMiIW8x0uXEu4QxqN5wCOUw47dM3DHx9weXCB6qHsPT1G6v6M_CoIJd1plya3XZaiTW58jiDQzE",
    "aWm12V5J-QfWWUdRMI",
);

/// Whether the host's verdicts on the signature of `algorithm` are right: genuine as it is, wrong with one bit of the signature
/// or of the text changed. `false` for an algorithm without an example.
pub(super) fn passes(algorithm: Algorithm, host: &impl Host) -> bool {
    let Some((key, signature)) = example(algorithm) else {
        return false;
    };
    let verdict = |text: &[u8], signature: &[u8]| {
        let host_form = key.well_formed(signature)?;
        Some(ask(host, &key, algorithm, text, &host_form))
    };
    verdict(TEXT, &signature) == Some(NativeVerdict::Genuine)
        && verdict(TEXT, &one_bit_changed(&signature)) == Some(NativeVerdict::Wrong)
        && verdict(&one_bit_changed(TEXT), &signature) == Some(NativeVerdict::Wrong)
}

/// In the last byte: there r and s stay in range, and a number stays below the modulus.
fn one_bit_changed(bytes: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    changed
}

fn example(algorithm: Algorithm) -> Option<(VerifyingKey, Vec<u8>)> {
    let signature = match algorithm {
        Algorithm::Rs256 => RS256,
        Algorithm::Rs384 => RS384,
        Algorithm::Rs512 => RS512,
        Algorithm::Es256 => ES256,
        Algorithm::Es384 => ES384,
        _ => return None,
    };
    let bytes = |text: &str| base64url(text.as_bytes());
    let key = match algorithm {
        Algorithm::Es256 => VerifyingKey::p256(&bytes(P256_X)?, &bytes(P256_Y)?),
        Algorithm::Es384 => VerifyingKey::p384(&bytes(P384_X)?, &bytes(P384_Y)?),
        _ => VerifyingKey::rsa(&bytes(RSA_MODULUS)?, &[1, 0, 1]),
    };
    Some((key?, bytes(signature)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_are_right_by_our_own_judgement() {
        for algorithm in Algorithm::ALL {
            let Some((key, signature)) = example(algorithm) else {
                continue;
            };
            assert!(key.verify(algorithm, TEXT, &signature), "{algorithm:?}");
            for (text, signature) in [
                (TEXT.to_vec(), one_bit_changed(&signature)),
                (one_bit_changed(TEXT), signature.clone()),
            ] {
                assert!(!key.verify(algorithm, &text, &signature));
                assert!(key.well_formed(&signature).is_some(), "in the host's form");
            }
        }
    }
}
