//! What a scenario says made into what a stage takes: requests, accounts, servers, entries of the deny-list.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Play;
use crate::check::escaped;
use crate::driver::{Answer, Behaviour, Canned, Outcome, Place, Request, Service};
use crate::format::{AccountSpec, KeyServerSpec, Revocation, ServerAnswer, ServerSpec, Step};
use crate::judge;
use crate::template::{expand, expand_json};
use crate::tokens::{self, CLERK, NOBODY};

impl Play<'_> {
    pub(super) fn request(&self, step: &Step) -> Result<(Place, Request), String> {
        let place = Place {
            gateway: step.gateway.unwrap_or(0),
            worker: step.worker,
        };
        let expanded = |text: &str| expand(text, self.context);
        if let Some(raw) = &step.raw {
            let request = Request {
                raw: Some(expanded(raw)?),
                ..Request::default()
            };
            return Ok((place, request));
        }
        let send = step.send.as_deref().unwrap_or_default();
        let (method, path) = send.split_once(' ').unwrap_or((send, "/"));
        let mut request = Request {
            method: method.to_owned(),
            path: expanded(path)?,
            http2: step.http == Some(2),
            ..Request::default()
        };
        let name = step.token.as_deref().unwrap_or(CLERK);
        if name != NOBODY {
            let token = self.context.token(name)?.text;
            let value = format!("Bearer {token}").into_bytes();
            request.headers.push(("authorization".to_owned(), value));
        }
        if let Some(json) = &step.json {
            let body = expand_json(json, self.context)?.to_string();
            request
                .headers
                .push(("content-type".to_owned(), b"application/json".to_vec()));
            request.body = vec![body.into_bytes()];
        }
        for (name, values) in &step.headers {
            let name = name.to_ascii_lowercase();
            if matches!(name.as_str(), "content-type") {
                request.headers.retain(|(own, _)| *own != name);
            }
            for value in values.all() {
                request.headers.push((name.clone(), expanded(value)?));
            }
        }
        if let Some(body) = &step.body {
            request.body = vec![expanded(body)?];
        }
        for part in step.parts.iter().flatten() {
            request.body.push(expanded(part)?);
        }
        for (name, value) in &step.trailers {
            request
                .trailers
                .push((name.to_ascii_lowercase(), expanded(value)?));
        }
        Ok((place, request))
    }

    /// Makes an account by the API, as any client would.
    pub(super) fn account(
        &self,
        tenant: &str,
        customer: &str,
        spec: &AccountSpec,
    ) -> Result<(), String> {
        let token = self.context.token_for(tenant)?;
        let path = format!("/reward-points/customer/{}", escaped(customer));
        let (added, redeemed) = match spec {
            AccountSpec::Points(0) => (Vec::new(), Vec::new()),
            AccountSpec::Points(points) => (vec![json!({ "points": points })], Vec::new()),
            AccountSpec::Entries { added, redeemed } => (added.clone(), redeemed.clone()),
        };
        let mut requests = Vec::new();
        if added.is_empty() {
            requests.push((path.clone(), None));
        }
        let added = added
            .into_iter()
            .map(|it| (format!("{path}/addPoints"), Some(it)));
        let redeemed = redeemed
            .into_iter()
            .map(|it| (format!("{path}/redeemPoints"), Some(it)));
        requests.extend(added.chain(redeemed));
        for (path, body) in requests {
            let mut request = Request {
                method: "POST".to_owned(),
                path: path.into_bytes(),
                headers: vec![(
                    "authorization".to_owned(),
                    format!("Bearer {token}").into_bytes(),
                )],
                ..Request::default()
            };
            if let Some(body) = &body {
                let json = expand_json(body, self.context)?.to_string();
                request
                    .headers
                    .push(("content-type".to_owned(), b"application/json".to_vec()));
                request.body = vec![json.into_bytes()];
            }
            let outcome = self
                .context
                .on_stage(|stage| {
                    let ask = stage.begin(Place::default(), &request)?;
                    stage.finish(ask)
                })
                .map_err(|trouble| trouble.to_string())?;
            if !matches!(&outcome, Outcome::Answer(answer) if matches!(answer.status, 200 | 201)) {
                let body = body.unwrap_or(Value::Null);
                return Err(format!(
                    "the gateway does not make it so: {body}\n{}",
                    judge::whole(&outcome)
                ));
            }
        }
        Ok(())
    }

    pub(super) fn upstream(&self, spec: &ServerSpec) -> Result<(), String> {
        let everything = vec![ServerAnswer::default()];
        let answers = spec.answers.clone().unwrap_or(everything);
        let answers: Result<Vec<Canned>, String> = answers
            .iter()
            .map(|it| {
                let fields = |all: &BTreeMap<String, String>| -> Result<Vec<_>, String> {
                    all.iter()
                        .map(|(name, value)| {
                            Ok((name.to_ascii_lowercase(), expand(value, self.context)?))
                        })
                        .collect()
                };
                let answer = Answer {
                    status: it.status.unwrap_or(200),
                    headers: fields(&it.headers)?,
                    body: expand(it.body.as_deref().unwrap_or_default(), self.context)?,
                    trailers: fields(&it.trailers)?,
                };
                Ok(Canned {
                    path: it.path.clone().unwrap_or_default(),
                    answer: (!it.silent).then_some(answer),
                })
            })
            .collect();
        let behaviour = Behaviour {
            up: !spec.down,
            answers: answers?,
        };
        let served = self
            .context
            .on_stage(|stage| stage.serve(Service::Upstream, behaviour));
        served.map_err(|trouble| trouble.to_string())
    }

    /// Every issuer with a `jwks_uri` has its document at the path of that.
    pub(super) fn key_server(&self, spec: &KeyServerSpec) -> Result<(), String> {
        let issuers = self.context.configuration()["issuers"].as_array();
        let mut answers = Vec::new();
        for issuer in issuers.into_iter().flatten() {
            let Some(uri) = issuer["jwks_uri"]["uri"].as_str() else {
                continue;
            };
            let path = uri
                .split_once("://")
                .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
            let own = vec![tokens::OWN.to_owned()];
            let mut keys = Vec::new();
            for name in spec.publishes.as_ref().unwrap_or(&own) {
                if name == tokens::OWN {
                    keys.extend(tokens::own_keys(issuer, false)?);
                } else {
                    keys.push(tokens::named_key(name, issuer)?);
                }
            }
            let body = spec
                .body
                .clone()
                .unwrap_or_else(|| json!({ "keys": keys }).to_string());
            let answer = Answer {
                status: spec.status.unwrap_or(200),
                headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
                body: body.into_bytes(),
                trailers: Vec::new(),
            };
            answers.push(Canned {
                path: path.unwrap_or("/").to_owned(),
                answer: (!spec.silent).then_some(answer),
            });
        }
        if answers.is_empty() {
            return Ok(());
        }
        let behaviour = Behaviour {
            up: !spec.down,
            answers,
        };
        let served = self
            .context
            .on_stage(|stage| stage.serve(Service::KeyServer, behaviour));
        served.map_err(|trouble| trouble.to_string())
    }

    /// Puts entries of the deny-list into the engine, or takes them away; `docs/revocation.md` says where they stand.
    pub(super) fn mark(&self, revocation: &Revocation, present: bool) -> Result<(), String> {
        let named = [(&revocation.token, "jti"), (&revocation.subject_of, "sub")];
        for (name, kind) in named {
            let Some(name) = name else { continue };
            let token = self.context.token(name)?;
            let value = if kind == "jti" {
                &token.id
            } else {
                &token.subject
            };
            let key = format!(
                "/points/1/revoked/{}/{kind}/{}",
                escaped(&token.issuer),
                escaped(value)
            );
            let marked = self
                .context
                .on_stage(|stage| stage.mark(key.as_bytes(), present));
            marked.map_err(|trouble| trouble.to_string())?;
        }
        Ok(())
    }
}
