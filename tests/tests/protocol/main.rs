//! A session and its messages: the types on the wire, requests of both revisions, and the handlers that answer.

mod capabilities;
mod defaults;
mod interface;
mod native;
mod params;
mod reload;
mod rounds;
mod roundtrip;
mod session;
