//! The formats of texts: values to offer, and whether a text has a format.

use core::net::{Ipv4Addr, Ipv6Addr};

/// Values of a format, the plainest first; the later ones are shorter.
///
/// The first rows are JSON Schema's, the others those of zod and pydantic.
#[rustfmt::skip]
const VALUES: &[(&str, &[&str])] = &[
    ("email", &["ada@example.com", "a@b.co"]),
    ("idn-email", &["ada@example.com", "a@b.co"]),
    ("uri", &["https://example.com/", "http://a.b/", "a:b"]),
    ("iri", &["https://example.com/", "http://a.b/", "a:b"]),
    ("uri-reference", &["https://example.com/", "/a"]),
    ("iri-reference", &["https://example.com/", "/a"]),
    ("uri-template", &["https://example.com/{id}", "/a"]),
    ("date", &["2025-11-25"]),
    ("date-time", &["2025-11-25T00:00:00Z"]),
    ("time", &["12:00:00Z", "12:00:00", "12:00"]),
    ("duration", &["P1D", "PT1H"]),
    ("uuid", &["0b7a9c4e-3d52-4f1a-9c3b-5e8d7f6a1b20"]),
    ("hostname", &["example.com", "a.b"]),
    ("idn-hostname", &["example.com", "a.b"]),
    ("ipv4", &["192.0.2.1"]),
    ("ipv6", &["2001:db8::1", "::1"]),
    ("json-pointer", &["/a", ""]),
    ("relative-json-pointer", &["0"]),
    ("regex", &["^.*$"]),
    ("url", &["https://example.com/", "http://a.b/"]),
    ("uuid1", &["5c60f693-bef5-11e0-a485-80ee7300c695"]),
    ("uuid3", &["6fa459ea-ee8a-3ca4-894e-db77e160355e"]),
    ("uuid4", &["0b7a9c4e-3d52-4f1a-9c3b-5e8d7f6a1b20"]),
    ("uuid5", &["886313e1-3b8a-5372-9b90-0c9aee199e5d"]),
    ("guid", &["0b7a9c4e-3d52-4f1a-9c3b-5e8d7f6a1b20"]),
    ("ip", &["192.0.2.1"]),
    ("ipvanyaddress", &["192.0.2.1"]),
    ("cidrv4", &["192.0.2.0/24"]),
    ("cidrv6", &["2001:db8::/32"]),
    ("ipv4network", &["192.0.2.0/24"]),
    ("ipv6network", &["2001:db8::/32"]),
    ("ipv4interface", &["192.0.2.1/24"]),
    ("ipv6interface", &["2001:db8::1/32"]),
    ("ipvanynetwork", &["192.0.2.0/24"]),
    ("ipvanyinterface", &["192.0.2.1/24"]),
    ("mac", &["00:1b:44:11:3a:b7"]),
    ("base64", &["QWRh"]),
    ("base64url", &["QWRh"]),
    ("byte", &["QWRh"]),
    ("e164", &["+12025550123"]),
    ("phone", &["+12025550123"]),
    ("jwt", &["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"]),
    ("emoji", &["\u{1f600}"]),
    ("nanoid", &["V1StGXR8_Z5jdHi6B-myT"]),
    ("cuid", &["cjld2cjxh0000qzrmn831i7rn"]),
    ("cuid2", &["tz4a98xxat96iws9zmbrgj3a"]),
    ("ulid", &["01ARZ3NDEKTSV4RRFFQ69G5FAV"]),
    ("xid", &["9m4e2mr0ui3e8a215n4g"]),
    ("ksuid", &["0ujsswThIGTUYm2K8FjOOfXtY1K"]),
    ("json-string", &["{}", "1"]),
    ("color", &["#336699", "red"]),
    ("multi-host-uri", &["https://example.com/"]),
];

/// Values of a format; none where it is not known.
pub(crate) fn values(format: &str) -> &'static [&'static str] {
    VALUES.iter().find(|(name, _)| *name == format).map_or(&[], |(_, values)| *values)
}

/// Whether a text has a format of JSON Schema. A format that is not known refuses nothing.
///
/// Readers differ, so what is made up is held against the strictest of them, and what the server `named` against the
/// most lenient.
pub(crate) fn has(format: &str, text: &str, named: bool) -> bool {
    match format {
        "email" | "idn-email" if named => text
            .rsplit_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !text.contains(is_no_uri)),
        "email" | "idn-email" => is_email(text),
        "uri" | "iri" => is_uri(text, named),
        "uri-reference" | "iri-reference" | "uri-template" => !text.contains(is_no_uri),
        "date" => is_date(text),
        "date-time" => text.split_once(['T', 't']).is_some_and(|(date, time)| is_date(date) && is_time(time)),
        "time" => is_time(text),
        "uuid" => is_uuid(text),
        "hostname" | "idn-hostname" => is_hostname(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "json-pointer" => text.is_empty() || text.starts_with('/') && !text.contains('~'),
        // Anything else is only known to be right when it is one of ours.
        "duration" | "relative-json-pointer" => named && !text.is_empty() || values(format).contains(&text),
        _ => true,
    }
}

fn is_no_uri(character: char) -> bool {
    character.is_whitespace() || character.is_control() || "<>\"\\^`".contains(character)
}

/// What both a strict and a lenient reader take: `name@host.tld`.
fn is_email(text: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-'".contains(&byte))
    };
    text.split_once('@').is_some_and(|(name, host)| {
        name.len() <= 64 && name.split('.').all(is_name) && host.contains('.') && is_hostname(host)
    })
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_uri(text: &str, named: bool) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let plain = !text.contains(is_no_uri) && (named || !text.contains(['[', ']', '{', '}', '|', '%']));
    plain && text.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
}

/// The numbers of a text like `2025-11-25`, each of which has so many digits.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn is_date(text: &str) -> bool {
    let Some([year, month, day]) = numbers(text, '-', [4, 2, 2]) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// A time with its zone.
fn is_time(text: &str) -> bool {
    let Some(place) = text.find(['Z', 'z', '+', '-']) else { return false };
    let (time, zone) = text.split_at(place);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_clock = |[hour, minute, second]: [u32; 3]| hour < 24 && minute < 60 && second < 60;
    let is_zone = matches!(zone, "Z" | "z")
        || numbers(zone.get(1..).unwrap_or_default(), ':', [2, 2])
            .is_some_and(|[hour, minute]| is_clock([hour, minute, 0]));
    let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    numbers(time, ':', [2, 2, 2]).is_some_and(is_clock) && digits && is_zone
}

fn is_uuid(text: &str) -> bool {
    let mut lengths = [8, 4, 4, 4, 12].iter();
    let all = text.split('-').all(|part| {
        lengths.next().is_some_and(|length| part.len() == *length) && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    all && lengths.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_that_is_offered_has_its_format() {
        for (format, values) in VALUES {
            // A time without a zone is none by JSON Schema; other readers want it so.
            let first = values.first().copied().unwrap_or_default();
            assert!(has(format, first, false), "{format} {first}");
        }
    }

    #[test]
    fn what_the_server_named_is_read_leniently() {
        for (format, text) in [("email", "root@localhost"), ("uri", "https://a.b/%20"), ("duration", "P3Y6M")] {
            assert!(has(format, text, true) && !has(format, text, false), "{format} {text}");
        }
        for (format, text) in [("email", ""), ("uri", "/a"), ("duration", "")] {
            assert!(!has(format, text, true), "{format} {text}");
        }
    }

    #[test]
    fn formats_are_told_apart() {
        #[rustfmt::skip]
        let rows = [
            ("email", "a@b.co", true), ("email", "", false), ("email", "a@b", false), ("email", "a@b@c.d", false), ("email", "a b@c.de", false),
            ("uri", "urn:x:y", true), ("uri", "", false), ("uri", "/a", false), ("uri", "http://a b", false),
            ("date", "2024-02-29", true), ("date", "2025-02-29", false), ("date", "2025-13-01", false), ("date", "", false),
            ("date-time", "2025-11-25T10:00:00.5+01:00", true), ("date-time", "2025-11-25", false), ("date-time", "2025-11-25T25:00:00Z", false),
            ("time", "10:00:00Z", true), ("time", "10:00", false), ("uuid", "x", false), ("uuid", "", false),
            ("ipv4", "256.0.0.1", false), ("ipv6", "::1", true), ("hostname", "-a.b", false), ("hostname", "", false),
            ("favorite", "", true),
        ];
        for (format, text, expected) in rows {
            assert_eq!(has(format, text, false), expected, "{format} {text}");
        }
    }
}
