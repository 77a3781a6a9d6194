//! A stock OAuth 2.0 client gets a token, whichever way it authenticates. Only its transport is ours: it brings none.

mod common;

use common::{Issuer, verified};
use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicRequestTokenError};
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, RequestTokenError, Scope, TokenResponse as _,
    TokenUrl,
};

#[test]
fn a_stock_client_gets_a_token_and_understands_a_refusal() {
    let issuer = Issuer::start();
    let address = issuer.address();
    let http = |request: HttpRequest| testbed::exchange(address, &request);
    let client = |secret: &str, how| {
        let url = TokenUrl::new(format!("http://{address}/oauth/token")).expect("a URL");
        BasicClient::new(ClientId::new("acme-backend".to_owned()))
            .set_client_secret(ClientSecret::new(secret.to_owned()))
            .set_token_uri(url)
            .set_auth_type(how)
    };
    for how in [AuthType::BasicAuth, AuthType::RequestBody] {
        let scope = Scope::new("rewardspoints.rewardpoints_view".to_owned());
        let granted = client("acme-secret", how.clone())
            .exchange_client_credentials()
            .add_scope(scope.clone())
            .request(&http)
            .expect("a token");
        assert_eq!(granted.scopes(), Some(&vec![scope]));
        assert_eq!(
            granted.expires_in(),
            Some(std::time::Duration::from_secs(3600))
        );
        let claims = verified(&issuer.key_set(), granted.access_token().secret());
        assert_eq!(claims.expect("published")["tenant"], "acme");

        let refused: BasicRequestTokenError<_> = client("wrong", how)
            .exchange_client_credentials()
            .request(&http)
            .expect_err("another secret");
        let RequestTokenError::ServerResponse(said) = refused else {
            panic!("no refusal of the server: {refused}");
        };
        assert_eq!(said.error(), &BasicErrorResponseType::InvalidClient);
    }
}
