//! `cargo xtask token`: a signed token on stdout, for use inside other commands.

use clap::{Args, ValueEnum};
use testbed::{Algorithm, DevKeys, TokenRequest};

/// What the token says.
#[derive(Debug, Args)]
pub struct Options {
    /// The tenant that the token is for, as in `acme`.
    #[arg(long)]
    tenant: String,
    /// Scopes, separated by spaces.
    #[arg(long, default_value = TokenRequest::DEFAULT_SCOPE)]
    scope: String,
    /// Who the token is about.
    #[arg(long, default_value = TokenRequest::DEFAULT_SUBJECT)]
    subject: String,
    /// Seconds until it expires.
    #[arg(long, value_name = "SECONDS", default_value_t = TokenRequest::DEFAULT_EXPIRES_IN_SECONDS)]
    expires_in: u64,
    /// The signature's algorithm.
    #[arg(long, value_enum, default_value_t = Alg::Es256)]
    alg: Alg,
}

/// The algorithms by the names that tokens use.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Alg {
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "ES256")]
    Es256,
    #[value(name = "EdDSA")]
    EdDsa,
}

/// Prints the token.
///
/// # Errors
/// When the tenant is malformed or the keys cannot be read or made.
pub fn run(options: &Options) -> anyhow::Result<()> {
    println!("{}", token(options, &DevKeys::shared()?)?);
    Ok(())
}

fn token(options: &Options, keys: &DevKeys) -> testbed::Result<String> {
    keys.token(&TokenRequest {
        scope: options.scope.clone(),
        subject: options.subject.clone(),
        expires_in_seconds: options.expires_in,
        algorithm: match options.alg {
            Alg::Rs256 => Algorithm::Rs256,
            Alg::Es256 => Algorithm::Es256,
            Alg::EdDsa => Algorithm::EdDsa,
        },
        ..TokenRequest::new(&options.tenant)
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn asked(words: &[&str], keys: &DevKeys) -> testbed::Result<String> {
        let line = Line::try_parse_from([&["token"], words].concat()).expect("a good command line");
        token(&line.options, keys)
    }

    #[test]
    fn a_malformed_tenant_is_refused_in_words() {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = DevKeys::open(&dir.path().join("keys")).expect("keys");
        for tenant in [
            "",
            "ab",
            "Acme",
            "4cme",
            "acme corp",
            "acme-corp",
            "abcdefghijklmnopq",
            "größe",
        ] {
            let refused = asked(&["--tenant", tenant], &keys).expect_err(tenant);
            assert!(
                refused.to_string().contains("a tenant is"),
                "{tenant}: {refused}"
            );
        }
        for tenant in ["abc", "acme2", "abcdefghijklmnop"] {
            asked(&["--tenant", tenant], &keys).expect(tenant);
        }
    }

    #[test]
    fn algorithms_are_named_as_in_tokens() {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = DevKeys::open(&dir.path().join("keys")).expect("keys");
        for alg in ["RS256", "ES256", "EdDSA"] {
            let token = asked(&["--tenant", "acme", "--alg", alg], &keys).expect(alg);
            let metadata = jwt_simple::token::Token::decode_metadata(&token).expect("a header");
            assert_eq!(metadata.algorithm(), alg);
        }
        assert!(Line::try_parse_from(["token", "--tenant", "acme", "--alg", "none"]).is_err());
    }
}
