//! Answers of callouts, delivered to the root context that owns them all.
//!
//! An answer to a call that was cancelled, or was answered before, changes nothing.

use super::{Trapped, Vm};
use crate::abi::Status;
use crate::headers::Headers;
use crate::state::{CallResponse, ROOT_CONTEXT};

fn count(headers: &Headers) -> u32 {
    u32::try_from(headers.len()).unwrap_or(u32::MAX)
}

fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

impl Vm {
    /// An HTTP callout ended: with an answer (Envoy's own 503 and 504 included), or broken off after its head (`None`),
    /// which the module sees as zero headers.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn http_call_response(
        &mut self,
        token: u32,
        response: Option<CallResponse>,
    ) -> Result<(), Trapped> {
        let state = self.state_mut();
        if !state.calls.http.remove(&token) {
            return self.alive();
        }
        let (headers, body, trailers) = response.as_ref().map_or((0, 0, 0), |response| {
            (
                count(&response.headers),
                size(&response.body),
                count(&response.trailers),
            )
        });
        if response.is_none() {
            state.delivery.status_code = Status::BrokenConnection as u32;
            state.delivery.status_message = "reset".to_owned();
        }
        state.delivery.call = response;
        let answer = self.exports.http_call_response.clone();
        self.call(
            ROOT_CONTEXT,
            answer,
            (ROOT_CONTEXT, token, headers, body, trailers),
        )?;
        let delivery = &mut self.state_mut().delivery;
        delivery.call = None;
        delivery.status_message.clear();
        self.settle()
    }

    fn grpc_known(&self, token: u32) -> bool {
        let calls = &self.state().calls;
        calls.grpc.contains(&token) || calls.streams.contains_key(&token)
    }

    /// The first metadata of a gRPC stream.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn grpc_initial_metadata(&mut self, token: u32, headers: Headers) -> Result<(), Trapped> {
        if !self.grpc_known(token) {
            return self.alive();
        }
        let number = count(&headers);
        self.state_mut().delivery.grpc_initial = Some(headers);
        let metadata = self.exports.grpc_initial_metadata.clone();
        self.call(ROOT_CONTEXT, metadata, (ROOT_CONTEXT, token, number))?;
        self.state_mut().delivery.grpc_initial = None;
        self.settle()
    }

    /// A message of a gRPC stream, or the successful answer of a call, which ends it.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn grpc_message(&mut self, token: u32, message: Vec<u8>) -> Result<(), Trapped> {
        if !self.grpc_known(token) {
            return self.alive();
        }
        let length = size(&message);
        self.state_mut().delivery.grpc_message = Some(message);
        let receive = self.exports.grpc_receive.clone();
        self.call(ROOT_CONTEXT, receive, (ROOT_CONTEXT, token, length))?;
        let state = self.state_mut();
        state.delivery.grpc_message = None;
        state.calls.grpc.remove(&token);
        self.settle()
    }

    /// The last metadata of a gRPC stream.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn grpc_trailing_metadata(&mut self, token: u32, headers: Headers) -> Result<(), Trapped> {
        if !self.grpc_known(token) {
            return self.alive();
        }
        let number = count(&headers);
        self.state_mut().delivery.grpc_trailing = Some(headers);
        let metadata = self.exports.grpc_trailing_metadata.clone();
        self.call(ROOT_CONTEXT, metadata, (ROOT_CONTEXT, token, number))?;
        self.state_mut().delivery.grpc_trailing = None;
        self.settle()
    }

    /// A gRPC stream ended, or a call failed.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn grpc_closed(&mut self, token: u32, status: u32, message: &str) -> Result<(), Trapped> {
        if !self.grpc_known(token) {
            return self.alive();
        }
        let state = self.state_mut();
        state.delivery.status_code = status;
        state.delivery.status_message = message.to_owned();
        if let Some(stream) = state.calls.streams.get_mut(&token) {
            stream.remote_closed = true;
        }
        let close = self.exports.grpc_close.clone();
        self.call(ROOT_CONTEXT, close, (ROOT_CONTEXT, token, status))?;
        let state = self.state_mut();
        state.delivery.status_message.clear();
        state.calls.grpc.remove(&token);
        if state
            .calls
            .streams
            .get(&token)
            .is_some_and(|stream| stream.local_closed)
        {
            state.calls.streams.remove(&token);
        }
        self.settle()
    }
}
