//! Random records, against arrow-json and serde_json.
//!
//! What is generated here is what arrow-json and this decoder mean alike. Where they differ on purpose (a fraction in a
//! whole number, rounding of decimals, base64, texts of objects, times as bare numbers), `tests` says what is right.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::json::ReaderBuilder;
use serde::de::IgnoredAny;

use super::Json;
use crate::formats::testing::{Random, cases, decode, options, picture, rows};

const NAMES: &[&str] = &[
    "a",
    "b",
    "price",
    "date_time",
    "a_name_of_more_than_sixteen_bytes",
    "",
    "é",
    "quo\"te",
    "back\\slash",
    "new\nline",
    "0",
];

fn table(random: &mut Random) -> SchemaRef {
    let mut fields: Vec<Field> = vec![];
    for _ in 0..1 + random.below(6) {
        let name = random.pick(NAMES);
        if fields.iter().all(|f| f.name() != name) {
            fields.push(Field::new(name, data_type(random, 2), true));
        }
    }
    Arc::new(Schema::new(fields))
}

fn data_type(random: &mut Random, depth: usize) -> DataType {
    match random.below(if depth > 0 { 19 } else { 16 }) {
        0 => DataType::Boolean,
        1 => DataType::Int8,
        2 => DataType::Int16,
        3 => DataType::Int32,
        4 => DataType::UInt64,
        5 => DataType::UInt8,
        6 => DataType::Float32,
        7 => DataType::Float64,
        8 => DataType::Decimal128(12, 3),
        9 => DataType::Decimal256(60, 20),
        10 => DataType::Date32,
        11 => DataType::Time32(TimeUnit::Millisecond),
        12 => {
            let unit =
                [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond][random.below(4)];
            DataType::Timestamp(unit, random.once_in(2).then(|| "UTC".into()))
        }
        13 => DataType::Int64,
        14 | 15 => DataType::Utf8,
        16 => DataType::Struct(
            (0..1 + random.below(4)).map(|i| Field::new(NAMES[i], data_type(random, depth - 1), true)).collect(),
        ),
        17 => DataType::List(Arc::new(Field::new("item", data_type(random, depth - 1), true))),
        _ => {
            let pair =
                vec![Field::new("key", DataType::Utf8, false), Field::new("value", data_type(random, depth - 1), true)];
            DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair.into()), false)), false)
        }
    }
}

fn space(random: &mut Random, out: &mut String) {
    if random.once_in(6) {
        out.push_str(random.pick(&[" ", "  ", "\t", " \r "]));
    }
}

fn string(random: &mut Random, text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if random.once_in(20) => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().for_each(|u| out.push_str(&format!("\\u{u:04x}")));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn text(random: &mut Random) -> String {
    let pieces =
        ["a", "word ", "\"", "\\", "é", "😀", "\n", "{", "]", ",", ":", "null", "0123456789abcdef", "\u{7f}", "/"];
    (0..random.below(6)).map(|_| random.pick(&pieces)).collect()
}

fn integer(random: &mut Random) -> String {
    let edges = ["0", "-0", "127", "128", "-128", "-129", "255", "256", "32767", "65536", "2147483648", "-2147483648"];
    let wide = [
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
    ];
    match random.below(8) {
        0 => random.pick(&edges).to_owned(),
        1 => random.pick(&wide).to_owned(),
        2 => random.pick(&["1.0", "1e2", "-2E1", "1.50e1", "0.0", "0e5", "120.00e-1"]).to_owned(),
        3 => (random.next() as i64).to_string(),
        _ => (random.below(200) as i64 - 100).to_string(),
    }
}

fn float(random: &mut Random) -> String {
    match random.below(7) {
        0 => integer(random),
        1 => format!("{:?}", f64::from_bits(random.next()))
            .replace("NaN", "1.5")
            .replace("-inf", "-1")
            .replace("inf", "1"),
        2 => format!("{}.{}", random.below(1000), random.next()),
        3 => format!("{}e{}", random.next(), random.below(30) as i64 - 40),
        4 => format!("0.{:0>20}", random.below(1000)),
        5 => format!("{}{}{}.5", random.next() % 9 + 1, random.next(), random.next()),
        _ => format!("-{}.{}", random.below(100), random.below(100)),
    }
}

fn decimal(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("{}", random.below(2_000_000_000)),
        1 => format!("-{}.{}", random.below(100_000), random.below(1000)),
        2 => format!("{}.{}e{}", random.below(100), random.below(10), random.below(3)),
        _ => format!("{}", random.next()),
    }
}

fn timestamp(random: &mut Random) -> String {
    let mut out = format!("{:04}-{:02}-{:02}", 1700 + random.below(500), 1 + random.below(13), 1 + random.below(31));
    if random.once_in(10) {
        return out;
    }
    out.push(if random.once_in(2) { ' ' } else { 'T' });
    out += &format!("{:02}:{:02}:{:02}", random.below(25), random.below(61), random.below(60));
    if random.once_in(2) {
        out += &format!(".{:0width$}", random.below(10), width = 1 + random.below(9));
    }
    out + random.pick(&["", "", "", "Z", "+02:00", "-0830", "+14"])
}

/// A value for a column, which usually fits.
fn value(random: &mut Random, data_type: &DataType, out: &mut String) {
    if random.once_in(12) {
        return out.push_str("null");
    }
    if random.once_in(40) {
        // Not of the type; but not a text or number either, which may be.
        let wrong = if *data_type == DataType::Utf8 {
            "\"x\""
        } else {
            random.pick(&["\"abc\"", "\"\"", "[", "{]", "tru", "{\"a\":}"])
        };
        return out.push_str(wrong);
    }
    let quoted = |random: &mut Random, text: String, out: &mut String| {
        if random.once_in(5) { out.push_str(&format!("\"{text}\"")) } else { out.push_str(&text) }
    };
    match data_type {
        DataType::Boolean => out.push_str(random.pick(&["true", "false"])),
        DataType::Float32 => {
            // Of a range that an f32 holds.
            let n = (random.next() as i32) as f32 / (1 + random.below(1000)) as f32;
            quoted(random, format!("{:?}", f64::from(n)), out);
        }
        DataType::Float64 => {
            let n = float(random);
            quoted(random, n, out);
        }
        DataType::Decimal128(..) | DataType::Decimal256(..) => {
            let n = decimal(random);
            quoted(random, n, out);
        }
        t if t.is_integer() => {
            let n = integer(random);
            if n.contains(['.', 'e', 'E']) || n == "-0" { out.push_str(&n) } else { quoted(random, n, out) }
        }
        DataType::Date32 => out.push_str(&format!("\"{}\"", &timestamp(random)[..10])),
        DataType::Time32(_) => {
            let time = format!(
                "\"{:02}:{:02}:{:02}.{:03}\"",
                random.below(25),
                random.below(60),
                random.below(60),
                random.below(1000)
            );
            out.push_str(&time);
        }
        DataType::Timestamp(..) => {
            let t = timestamp(random);
            string(random, &t, out);
        }
        DataType::Utf8 if random.once_in(10) => out.push_str(random.pick(&["1", "-1.50", "true", "1E5"])),
        DataType::Utf8 => {
            let t = text(random);
            string(random, &t, out);
        }
        DataType::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|f| (f.name().as_str(), f.data_type())).collect();
            object(random, &fields, out);
        }
        DataType::List(item) => {
            out.push('[');
            for i in 0..random.below(4) {
                out.push_str(if i > 0 { "," } else { "" });
                space(random, out);
                value(random, item.data_type(), out);
                space(random, out);
            }
            out.push(']');
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(pair) = entries.data_type() else { unreachable!("entries are a ROW") };
            let keys: Vec<_> = NAMES.iter().take(random.below(5)).map(|n| (*n, pair[1].data_type())).collect();
            // All of them, once.
            out.push('{');
            for (i, (key, t)) in keys.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                space(random, out);
                string(random, key, out);
                out.push(':');
                value(random, t, out);
            }
            out.push('}');
        }
        other => unreachable!("{other} is not generated"),
    }
}

/// An object with these fields: in some order, some missing, some twice, some unknown.
fn object(random: &mut Random, fields: &[(&str, &DataType)], out: &mut String) {
    let mut order: Vec<usize> = (0..fields.len()).filter(|_| !random.once_in(10)).collect();
    if random.once_in(4) {
        (1..order.len()).for_each(|i| order.swap(i, random.below(i + 1)));
    }
    let mut members: Vec<String> = vec![];
    for i in order {
        let (name, data_type) = fields[i];
        let mut member = String::new();
        string(random, name, &mut member);
        space(random, &mut member);
        member.push(':');
        space(random, &mut member);
        value(random, data_type, &mut member);
        if random.once_in(30) {
            // A wrong value that a later one replaces is not worth a word: here, the first is NULL.
            let mut first = String::new();
            string(random, name, &mut first);
            members.push(first + ":null");
        }
        members.push(member);
        if random.once_in(10) {
            let unknown = [
                "\"u\":1",
                "\"u\": {\"a\":[1,{\"b\":\"]\"}],\"c\":null}",
                "\"\\u0075\":[[],{}]",
                "\"u\":-1.5e-7",
                "\"u\":\"\\\"\"",
            ];
            members.push(random.pick(&unknown).to_owned());
        }
    }
    out.push('{');
    for (i, member) in members.iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        space(random, out);
        out.push_str(member);
        space(random, out);
    }
    out.push('}');
}

fn record(random: &mut Random, table: &Schema) -> String {
    let fields: Vec<_> = table.fields().iter().map(|f| (f.name().as_str(), f.data_type())).collect();
    let mut out = String::new();
    object(random, &fields, &mut out);
    out
}

/// What arrow-json makes of one line; `None` if it refuses it.
fn arrow(table: &SchemaRef, line: &[u8]) -> Option<RecordBatch> {
    let mut decoder =
        ReaderBuilder::new(table.clone()).with_coerce_primitive(true).build_decoder().expect("known types");
    (decoder.decode(line).ok()? == line.len()).then_some(())?;
    decoder.flush().ok()?
}

fn valid(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

#[test]
fn agrees_with_arrow_json() {
    for seed in 0..cases(1_500) {
        let mut random = Random::new(seed);
        let table = table(&mut random);
        let wanted: Vec<usize> = (0..table.fields().len()).filter(|_| !random.once_in(3)).collect();
        let lines: Vec<String> = (0..1 + random.below(12)).map(|_| record(&mut random, &table)).collect();
        let decoded = decode(&Json, &table, &wanted, &options(&[]), (lines.join("\n") + "\n").as_bytes());
        let mut expected = String::new();
        let mut refused = vec![];
        for line in &lines {
            match arrow(&table, line.as_bytes()).filter(|_| valid(line.as_bytes())) {
                Some(batch) => expected += &rows(&batch.project(&wanted).expect("columns of the table")),
                None => refused.push(line.as_str()),
            }
        }
        let rejected: Vec<_> = decoded.rejected.iter().map(|r| std::str::from_utf8(&r.raw).expect("UTF-8")).collect();
        assert_eq!(rejected, refused, "seed {seed}, table {table:?}\n{}", picture(&decoded));
        assert_eq!(
            rows(&decoded.batch),
            expected,
            "seed {seed}, table {table:?}, wanted {wanted:?}\n{}",
            lines.join("\n")
        );
    }
}

/// Bytes changed, taken out, put in or repeated; never a newline.
fn mutate(random: &mut Random, line: &mut Vec<u8>) {
    for _ in 0..1 + random.below(3) {
        let at = random.below(line.len() + 1);
        let b = match random.below(3) {
            0 => b"{}[]\",:\\0 -."[random.below(12)],
            1 => random.next() as u8,
            _ => *line.get(random.below(line.len())).unwrap_or(&b'{'),
        };
        let b = if b == b'\n' { b'n' } else { b };
        match random.below(4) {
            0 if at < line.len() => line[at] = b,
            1 if at < line.len() => drop(line.remove(at)),
            2 => line.truncate(at),
            _ => line.insert(at, b),
        }
    }
}

#[test]
fn a_broken_record_changes_nothing_but_itself() {
    for seed in 0..cases(1_500) {
        let mut random = Random::new(seed);
        let table = table(&mut random);
        let wanted: Vec<usize> = (0..table.fields().len()).filter(|_| !random.once_in(3)).collect();
        let rules = if random.once_in(3) { options(&[("json.ignore-parse-errors", "true")]) } else { options(&[]) };
        let mut lines: Vec<Vec<u8>> = vec![];
        for _ in 0..1 + random.below(12) {
            let mut line = record(&mut random, &table).into_bytes();
            if random.once_in(2) {
                mutate(&mut random, &mut line);
            }
            lines.push(line);
        }
        let decoded = decode(&Json, &table, &wanted, &rules, &lines.join(&b'\n'));
        let mut expected = String::new();
        let mut reasons = vec![];
        for line in &lines {
            // Alone, and not on the last line of its block, which is read in another way.
            let one = decode(&Json, &table, &wanted, &rules, &[line.as_slice(), &[b'\n'; 40]].concat());
            expected += &rows(&one.batch);
            reasons.extend(one.rejected.iter().map(|r| r.reason.clone()));
            let plain = line.iter().all(|b| *b >= 0x20) && !line.is_empty();
            if plain && one.batch.num_rows() == 1 {
                assert!(valid(line), "seed {seed}: taken, but not JSON: {}", String::from_utf8_lossy(line));
            }
            if let [rejected] = one.rejected.as_slice()
                && rejected.reason.starts_with("not valid JSON")
            {
                let object = line.trim_ascii().starts_with(b"{");
                assert!(
                    !plain || !object || !valid(line),
                    "seed {seed}: {}: {}",
                    rejected.reason,
                    String::from_utf8_lossy(line)
                );
            }
        }
        assert_eq!(rows(&decoded.batch), expected, "seed {seed}, table {table:?}");
        assert_eq!(decoded.rejected.iter().map(|r| r.reason.clone()).collect::<Vec<_>>(), reasons, "seed {seed}");
    }
}

#[test]
fn what_is_written_reads_back() {
    for seed in 0..cases(500) {
        let mut random = Random::new(seed);
        let table = table(&mut random);
        let all: Vec<usize> = (0..table.fields().len()).collect();
        let lines: Vec<String> = (0..20).map(|_| record(&mut random, &table)).collect();
        let first = decode(&Json, &table, &all, &options(&[]), lines.join("\n").as_bytes()).batch;
        let mut out = vec![];
        use tidemill_core::format::Format;
        Json.encoder(&table, &options(&[])).expect("an encoder").encode(&first, &mut out).expect("writable");
        let second = decode(&Json, &table, &all, &options(&[]), &out);
        assert_eq!(picture(&second), rows(&first), "seed {seed}");
        assert!(out.split(|b| *b == b'\n').all(|l| l.is_empty() || valid(l)), "seed {seed}");
    }
}
