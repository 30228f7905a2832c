//! Codes of JSON-RPC and MCP that the host itself responds with. [JSON-RPC 2.0, section 5.1]

/// The text is not JSON.
pub const PARSE_ERROR: i32 = -32700;
/// The message is not a request, or asks for something that was not declared.
pub const INVALID_REQUEST: i32 = -32600;
/// The method does not exist.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The parameters do not fit the method; also an unknown task. [basic/utilities/tasks, Error Handling]
pub const INVALID_PARAMS: i32 = -32602;
/// The handler failed; `data.kind` says how.
pub const INTERNAL_ERROR: i32 = -32603;
