//! Bearer tokens of clients. [RFC 6750, section 2.1]

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Least number of characters of a token: 128 bits, if they are hexadecimal.
const LEAST: usize = 32;

/// Token of a client. Only its digest is kept.
#[derive(Clone)]
pub struct Token {
    name: Arc<str>,
    digest: [u8; 32],
}

/// Error of [`Token::new`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token is too short to be safe.
    #[error("the token {0:?} has fewer than {LEAST} characters; make one with `openssl rand -hex 32`")]
    Short(String),
    /// The token has characters that a header cannot carry.
    #[error("the token {0:?} has characters other than letters, digits and -._~+/=")]
    Characters(String),
}

impl TokenError {
    /// Stable word for the error, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Short(_) => "token_short",
            Self::Characters(_) => "token_characters",
        }
    }
}

impl Token {
    /// Makes a token of its name, which is shown in logs and names the principal, and its secret.
    ///
    /// # Errors
    /// When the secret is too short or has characters that the header `Authorization` cannot carry.
    pub fn new(name: &str, secret: &str) -> Result<Self, TokenError> {
        if secret.len() < LEAST {
            return Err(TokenError::Short(name.to_owned()));
        }
        if !secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)) {
            return Err(TokenError::Characters(name.to_owned()));
        }
        Ok(Self { name: name.into(), digest: Sha256::digest(secret).into() })
    }

    /// Name of the token.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Finds the token with a secret. The time does not depend on which token it is, or on how much of it is right.
    pub(super) fn find(tokens: &[Self], secret: &str) -> Option<Arc<str>> {
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let mut found = None;
        for token in tokens {
            let equal: Choice = token.digest.ct_eq(&digest);
            if bool::from(equal) {
                found = Some(&token.name);
            }
        }
        found.map(Arc::clone)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_whole_secret() {
        let (first, second) = ("a".repeat(32), "b".repeat(40));
        let tokens = [Token::new("one", &first).unwrap(), Token::new("two", &second).unwrap()];
        for (secret, expected) in
            [(&first[..], Some("one")), (&second, Some("two")), (&first[1..], None), (&second[..32], None), ("", None)]
        {
            assert_eq!(Token::find(&tokens, secret).as_deref(), expected, "{secret}");
        }
    }

    #[test]
    fn weak_tokens_are_refused() {
        for (secret, expected) in [
            ("short", "token_short"),
            ("", "token_short"),
            ("white space in a token, of 40 characters", "token_characters"),
        ] {
            assert_eq!(Token::new("one", secret).unwrap_err().kind(), expected, "{secret}");
        }
    }
}
