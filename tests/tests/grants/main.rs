//! Grants: http, keyvalue, model and user, in the library and in the program.

mod http;
mod keyvalue;
mod model;
mod model_policy;
mod user;
