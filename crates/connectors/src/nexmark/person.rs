//! The columns of people.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMillisecondArray};

use super::config::{Config, FIRST_PERSON};
use super::letters;
use super::table::{Made, NUMBER, TEXT, TIME};

/// Names and types.
pub(crate) const FIELDS: &[Made] = &[
    ("id", NUMBER),
    ("name", TEXT),
    ("emailAddress", TEXT),
    ("creditCard", TEXT),
    ("city", TEXT),
    ("state", TEXT),
    ("dateTime", TIME),
    ("extra", TEXT),
];

const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

/// Lengths of the texts that are always as long.
const EMAIL: usize = 7 + 1 + 5 + 4;
const CARD: usize = 19;

/// Field number `field` of the people `ids`.
pub(crate) fn column(config: &Config, ids: &[u64], field: usize) -> ArrayRef {
    let random = config.random.named("person");
    let pick =
        |stream: u64, id: u64, of: &[&'static str]| of[random.stream(stream).below(id, of.len() as u64) as usize];
    let first = |id| pick(0, id, &FIRST_NAMES);
    let last = |id| pick(1, id, &LAST_NAMES);
    let city = |id| pick(4, id, &CITIES);
    let state = |id| pick(5, id, &STATES);
    match FIELDS[field].0 {
        "id" => Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| FIRST_PERSON + config.last_person(*id)))),
        "name" => letters::column(ids, 16, |id, out| {
            out.push_str(first(id));
            out.push(' ');
            out.push_str(last(id));
        }),
        "emailAddress" => letters::column(ids, EMAIL, |id, out| {
            letters::push(random.stream(2), id, 7, out);
            out.push('@');
            letters::push(random.stream(3), id, 5, out);
            out.push_str(".com");
        }),
        "creditCard" => letters::column(ids, CARD, |id, out| {
            let digits = random.stream(6).stream(id);
            let part = |i| digits.below(i, 10_000);
            out.push_str(&format!("{:04} {:04} {:04} {:04}", part(0), part(1), part(2), part(3)));
        }),
        "city" => letters::column(ids, 10, |id, out| out.push_str(city(id))),
        "state" => letters::column(ids, 2, |id, out| out.push_str(state(id))),
        "dateTime" => Arc::new(TimestampMillisecondArray::from_iter_values(ids.iter().map(|id| config.time(*id)))),
        _ => {
            let (len, text) = (random.stream(7), random.stream(8));
            letters::column(ids, config.person_size, |id, out| {
                let name = first(id).len() + 1 + last(id).len();
                let size = 8 + name + EMAIL + CARD + city(id).len() + state(id).len();
                letters::push(text, id, letters::extra_len(len, id, size, config.person_size), out);
            })
        }
    }
}
