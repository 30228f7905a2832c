//! Shapes of JSON as data, and samples drawn from them.
//!
//! A sample has two sides: the JSON that a peer sends, and the JSON that must remain after reading and writing it. The
//! two are equal unless noise is requested; then the sent side has every deviation that a peer may have.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Shape of some JSON.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A string.
    Text,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// A boolean.
    Flag,
    /// A number, with or without a fraction. Noise: an integer is written with a fraction of zero.
    Number,
    /// An unsigned 32-bit integer. Noise: a larger number becomes the largest; a fraction of zero.
    Count,
    /// A 64-bit integer.
    Integer,
    /// Any JSON but null.
    Any,
    /// An object with any members.
    Object,
    /// One of these values, word for word.
    Fixed(Vec<Value>),
    /// A list.
    List(Box<Shape>),
    /// A list of one element.
    ListOfOne(Box<Shape>),
    /// One object, or a list of none or several. Noise: a list of one, which is kept as the one object.
    OneOrMany(Box<Shape>),
    /// An object with any keys.
    Map(Box<Shape>),
    /// An object with these members. Noise: further members, which are not kept.
    Record(Vec<Member>),
    /// An object with this one member.
    Single(&'static str, Box<Shape>),
    /// One of these shapes.
    OneOf(Vec<Shape>),
}

/// A member of a record.
#[derive(Debug, Clone)]
pub struct Member {
    name: &'static str,
    presence: Presence,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Presence {
    Required,
    Optional,
    Nullable,
    Implied,
    Ignored,
}

/// A member that is always present.
#[must_use]
pub fn required(name: &'static str, shape: Shape) -> Member {
    Member { name, presence: Presence::Required, shape }
}

/// A member that may be absent. Noise: null, which counts as absent.
#[must_use]
pub fn optional(name: &'static str, shape: Shape) -> Member {
    Member { name, presence: Presence::Optional, shape }
}

/// A member that is always present and may be null.
#[must_use]
pub fn nullable(name: &'static str, shape: Shape) -> Member {
    Member { name, presence: Presence::Nullable, shape }
}

/// A member that is always kept. Noise: it is not sent.
#[must_use]
pub fn implied(name: &'static str, word: &'static [&'static str]) -> Member {
    Member { name, presence: Presence::Implied, shape: Shape::Word(word) }
}

/// A member that is never kept. Noise: it is sent.
#[must_use]
pub fn ignored(name: &'static str, shape: Shape) -> Member {
    Member { name, presence: Presence::Ignored, shape }
}

/// A list of this shape.
#[must_use]
pub fn list(shape: Shape) -> Shape {
    Shape::List(Box::new(shape))
}

/// A record of these members.
#[must_use]
pub fn record<const N: usize>(members: [Member; N]) -> Shape {
    Shape::Record(members.into())
}

/// JSON that is sent, and what must remain of it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The JSON that a peer sends.
    pub sent: Value,
    /// The JSON after it was read and written.
    pub kept: Value,
}

impl Sample {
    fn pure(value: Value) -> Self {
        Self { sent: value.clone(), kept: value }
    }

    fn all(samples: Vec<Self>) -> Self {
        let (sent, kept) = samples.into_iter().map(|Self { sent, kept }| (sent, kept)).unzip();
        Self { sent: Value::Array(sent), kept: Value::Array(kept) }
    }
}

impl Shape {
    /// Samples of this shape.
    pub fn samples(&self, noise: bool) -> BoxedStrategy<Sample> {
        match self {
            Self::Text => pure(text().prop_map(Value::from)),
            Self::Word(words) => pure(prop::sample::select(*words).prop_map(Value::from)),
            Self::Flag => pure(any::<bool>().prop_map(Value::from)),
            Self::Number => number(noise),
            Self::Count => count(noise),
            Self::Integer => pure(any::<i64>().prop_map(Value::from)),
            Self::Any => pure(json_value().prop_filter("null is as if absent", |value| !value.is_null())),
            Self::Object => pure(object()),
            Self::Fixed(values) => pure(prop::sample::select(values.clone())),
            Self::List(item) => prop::collection::vec(item.samples(noise), 0..3).prop_map(Sample::all).boxed(),
            Self::ListOfOne(item) => prop::collection::vec(item.samples(noise), 1).prop_map(Sample::all).boxed(),
            Self::OneOrMany(item) => one_or_many(&item.samples(noise), noise),
            Self::Map(item) => map(&item.samples(noise)),
            Self::Record(members) => fields(members, noise),
            Self::Single(name, shape) => {
                let name = *name;
                let wrap = move |value: Value| json!({ name: value });
                let wrap = move |Sample { sent, kept }| Sample { sent: wrap(sent), kept: wrap(kept) };
                shape.samples(noise).prop_map(wrap).boxed()
            }
            Self::OneOf(shapes) => {
                prop::strategy::Union::new(shapes.iter().map(|shape| shape.samples(noise)).collect::<Vec<_>>()).boxed()
            }
        }
    }
}

fn pure(values: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Sample> {
    values.prop_map(Sample::pure).boxed()
}

/// A short string of any characters.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 0..8).prop_map(String::from_iter)
}

/// Any JSON, a few levels deep.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|thousandths| Value::from(f64::from(thousandths) / 1_000.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::vec((text(), json_value()), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
}

fn number(noise: bool) -> BoxedStrategy<Sample> {
    // Few enough digits that every parser reads them alike.
    let fraction = any::<i32>().prop_filter("has a fraction", |thousandths| thousandths % 1_000 != 0);
    let fraction = fraction.prop_map(|thousandths| Sample::pure((f64::from(thousandths) / 1_000.0).into()));
    let whole = prop_oneof![any::<i32>().prop_map(i64::from), Just(1 << 53), Just(-(1 << 53)), Just(0)];
    let whole = whole.prop_map(move |number| Sample {
        // Exact: at most 53 bits.
        sent: if noise && number != 0 { (number as f64).into() } else { number.into() },
        kept: number.into(),
    });
    prop_oneof![fraction, whole, Just(Sample::pure(1e300.into()))].boxed()
}

fn count(noise: bool) -> BoxedStrategy<Sample> {
    let within = prop_oneof![any::<u32>(), Just(0), Just(u32::MAX)];
    if !noise {
        return pure(within.prop_map(Value::from));
    }
    let beyond = prop_oneof![
        any::<u64>().prop_map(|number| Value::from(number.saturating_add(1 << 32))),
        Just(Value::from(1e10)),
        Just(Value::from(1e300)),
    ];
    prop_oneof![
        within.prop_map(|number| Sample { sent: f64::from(number).into(), kept: number.into() }),
        beyond.prop_map(|sent| Sample { sent, kept: u32::MAX.into() }),
    ]
    .boxed()
}

fn one_or_many(item: &BoxedStrategy<Sample>, noise: bool) -> BoxedStrategy<Sample> {
    let many = prop::collection::vec(item.clone(), 2..4).prop_map(Sample::all);
    let none = Just(Sample::pure(json!([])));
    if noise {
        let one = item.clone().prop_map(|Sample { sent, kept }| Sample { sent: json!([sent]), kept });
        return prop_oneof![item.clone(), one, many, none].boxed();
    }
    prop_oneof![item.clone(), many, none].boxed()
}

fn map(item: &BoxedStrategy<Sample>) -> BoxedStrategy<Sample> {
    let members = prop::collection::btree_map(text(), item.clone(), 0..4);
    members
        .prop_map(|members| {
            let (mut sent, mut kept) = (Map::new(), Map::new());
            for (name, sample) in members {
                sent.insert(name.clone(), sample.sent);
                kept.insert(name, sample.kept);
            }
            Sample { sent: sent.into(), kept: kept.into() }
        })
        .boxed()
}

/// Sent and kept values of a member; `None` when it is absent.
type Sides = (Option<Value>, Option<Value>);

fn member(member: &Member, noise: bool) -> BoxedStrategy<Sides> {
    let there = member.shape.samples(noise).prop_map(|Sample { sent, kept }| (Some(sent), Some(kept))).boxed();
    let absent = Just((None, None)).boxed();
    let null = Just((Some(Value::Null), None)).boxed();
    match (member.presence, noise) {
        (Presence::Required, _) | (Presence::Implied, false) => there,
        (Presence::Optional, false) => prop_oneof![there, absent].boxed(),
        (Presence::Optional, true) => prop_oneof![there, absent, null].boxed(),
        (Presence::Nullable, _) => prop_oneof![there, Just((Some(Value::Null), Some(Value::Null)))].boxed(),
        (Presence::Implied, true) => prop_oneof![there.clone(), there.prop_map(|(_, kept)| (None, kept))].boxed(),
        (Presence::Ignored, false) => absent,
        (Presence::Ignored, true) => prop_oneof![absent, there.prop_map(|(sent, _)| (sent, None))].boxed(),
    }
}

fn fields(members: &[Member], noise: bool) -> BoxedStrategy<Sample> {
    let names: Vec<_> = members.iter().map(|member| member.name).collect();
    let sides: Vec<_> = members.iter().map(|shape| member(shape, noise)).collect();
    let strangers = prop::collection::vec((text(), json_value()), 0..if noise { 3 } else { 1 });
    (sides, strangers)
        .prop_map(move |(sides, strangers)| {
            let (mut sent, mut kept) = (Map::new(), Map::new());
            // A prefix that no member has.
            sent.extend(strangers.into_iter().map(|(name, value)| (format!("~{name}"), value)));
            for (name, (sent_value, kept_value)) in names.iter().zip(sides) {
                sent.extend(sent_value.map(|value| ((*name).to_owned(), value)));
                kept.extend(kept_value.map(|value| ((*name).to_owned(), value)));
            }
            Sample { sent: sent.into(), kept: kept.into() }
        })
        .boxed()
}

/// Writes JSON text with the members of every object in the order of their names, or in the reverse.
#[must_use]
pub fn write(value: &Value, reversed: bool) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| write(item, reversed)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{}:{}", json!(name), write(value, reversed));
            let mut members: Vec<_> = members.iter().map(member).collect();
            members.sort();
            if reversed {
                members.reverse();
            }
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}
