//! Cryptography of the connections that grants open.

/// Makes `ring` the process's provider of cryptography, unless the application has installed another.
///
/// A client of reqwest cannot be built without one. Call this before each.
pub(in crate::grants) fn install_provider() {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
