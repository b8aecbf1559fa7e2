//! Random text as CSV: however it is cut, it is read alike; and what is read can be written and read again.

use bytes::Bytes;
use tidemill_core::format::{Format, Origin};

use super::Csv;
use crate::formats::testing::{Random, cases, decode, options, picture, rows, schema};

const DIALECTS: &[&[(&str, &str)]] = &[
    &[("csv.header", "false")],
    &[("csv.header", "false"), ("csv.allow-comments", "true"), ("csv.null-literal", "a")],
    &[("csv.header", "false"), ("csv.escape-character", "\\"), ("csv.ignore-parse-errors", "true")],
    &[("csv.header", "false"), ("csv.disable-quote-character", "true"), ("csv.field-delimiter", ";")],
];

fn text(random: &mut Random) -> String {
    let pieces = [
        "1", "a", "22", ",", ",", ",", ";", "\"", "\"", "\"\"", "\n", "\n", "\r\n", "\r", "\\", "#", " ", "1,a\n",
        "\",\"", "é",
    ];
    (0..random.below(60)).map(|_| random.pick(&pieces)).collect()
}

#[test]
fn cuts_change_nothing() {
    let table = schema("a bigint, b string");
    for seed in 0..cases(3_000) {
        let mut random = Random::new(seed);
        let o = options(DIALECTS[random.below(DIALECTS.len())]);
        let text = text(&mut random);
        let whole = decode(&Csv, &table, &[0, 1], &o, text.as_bytes());
        let mut decoder = Csv.decoder(&table, &[0, 1], &o).expect("a decoder");
        let (mut begin, mut end, mut taken, mut rejected) = (0, 0, String::new(), vec![]);
        while begin < text.len() {
            end = (end + 1 + random.below(20)).min(text.len());
            let mut len = Csv.whole_records(&text.as_bytes()[begin..end], &o);
            if end == text.len() && (len == 0 || random.once_in(2)) {
                len = end - begin;
            }
            let block = Bytes::copy_from_slice(&text.as_bytes()[begin..begin + len]);
            let part = decoder.decode(&block, &Origin::new("f", begin as u64)).expect("decoded");
            taken += &rows(&part.batch);
            rejected.extend(part.rejected);
            begin += len;
        }
        assert_eq!(taken, rows(&whole.batch), "seed {seed}: {text:?}");
        assert_eq!(rejected, whole.rejected, "seed {seed}: {text:?}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let table = schema("a bigint, b string");
    for seed in 0..cases(1_000) {
        let mut random = Random::new(seed);
        let o = options(DIALECTS[random.below(3)]);
        let first = decode(&Csv, &table, &[0, 1], &o, text(&mut random).as_bytes()).batch;
        let mut out = vec![];
        Csv.encoder(&table, &o).expect("an encoder").encode(&first, &mut out).expect("writable");
        let second = picture(&decode(&Csv, &table, &[0, 1], &o, &out));
        // Without a null literal, a NULL text is written as an empty one.
        let same = |p: String| p.replace("| -\n", "| \n");
        assert_eq!(same(second), same(rows(&first)), "seed {seed}: {:?}", String::from_utf8_lossy(&out));
    }
}
