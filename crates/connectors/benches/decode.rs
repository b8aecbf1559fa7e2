//! Decoding, against the readers of arrow-rs in the same run, on one thread: `cargo bench --bench decode`.
//!
//! Prints a line a measurement, then `ratio <name> <value>` (how many times the throughput of arrow-rs) and
//! `gb_per_s <name> <value>`. `TIDEMILL_BENCH_MB` is the size of each input, 64 if not set.

#![allow(clippy::print_stdout, reason = "a benchmark prints its measurements")]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use tidemill_connectors::formats::format;
use tidemill_core::OptionValues;
use tidemill_core::format::Origin;

const BLOCK: usize = 1 << 20;
const ROUNDS: usize = 5;

fn main() {
    let megabytes = std::env::var("TIDEMILL_BENCH_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(64);
    let bytes = megabytes << 20;
    let mut random = Random(1);

    let bids = lines(bytes, |i, out| flat_bid(&mut random, i, out));
    let flat = Arc::new(Schema::new(bid_fields()));
    json("json_flat_bid_7_of_7", &flat, &[0, 1, 2, 3, 4, 5, 6], &bids);
    json("json_flat_bid_3_of_7", &flat, &[0, 2, 5], &bids);
    json("json_flat_bid_0_of_7", &flat, &[], &bids);

    let events = lines(bytes, |i, out| event(&mut random, i, out));
    json(
        "json_nested_event_all",
        &event_schema(person_fields(), auction_fields(), bid_fields()),
        &[0, 1, 2, 3],
        &events,
    );
    json("json_nested_event_bid_of_4", &event_schema(person_fields(), auction_fields(), bid_fields()), &[3], &events);
    let few = bid_fields().iter().enumerate().filter(|(i, _)| [0, 2, 5].contains(i)).map(|(_, f)| f.clone()).collect();
    let few = Arc::new(Schema::new(vec![Field::new("bid", DataType::Struct(few), true)]));
    json("json_nested_event_3_declared", &few, &[0], &events);

    let bids = lines(bytes, |i, out| csv_bid(&mut random, i, out));
    csv("csv_flat_bid_7_of_7", &flat, &[0, 1, 2, 3, 4, 5, 6], &bids);
    csv("csv_flat_bid_3_of_7", &flat, &[0, 2, 5], &bids);
}

fn json(name: &str, schema: &SchemaRef, wanted: &[usize], blocks: &[Bytes]) {
    let projected = Arc::new(schema.project(wanted).expect("columns of the table"));
    compare(name, "json", schema, wanted, blocks, |block| {
        let builder = arrow::json::ReaderBuilder::new(projected.clone()).with_batch_size(8192);
        let mut decoder = builder.build_decoder().expect("known types");
        let (mut rest, mut rows) = (block, 0);
        while !rest.is_empty() {
            rest = &rest[decoder.decode(rest).expect("good lines")..];
            rows += decoder.flush().expect("good lines").map_or(0, |batch| black_box(batch).num_rows());
        }
        rows
    });
}

fn csv(name: &str, schema: &SchemaRef, wanted: &[usize], blocks: &[Bytes]) {
    compare(name, "csv", schema, wanted, blocks, |block| {
        let builder =
            arrow::csv::ReaderBuilder::new(schema.clone()).with_batch_size(8192).with_projection(wanted.to_vec());
        let mut decoder = builder.build_decoder();
        let (mut rest, mut rows) = (block, 0);
        loop {
            let read = decoder.decode(rest).expect("good lines");
            rest = &rest[read..];
            match decoder.flush().expect("good lines") {
                Some(batch) => rows += black_box(batch).num_rows(),
                None if read == 0 => return rows,
                None => {}
            }
        }
    });
}

/// Processor time of this thread where the system tells it, so that other work on the machine does not count; else time on
/// the wall.
struct Stopwatch {
    at: Instant,
    processor: Option<Duration>,
}

impl Stopwatch {
    fn start() -> Self {
        Self { at: Instant::now(), processor: processor() }
    }

    fn elapsed(&self) -> Duration {
        match (processor(), self.processor) {
            (Some(now), Some(then)) => now - then,
            _ => self.at.elapsed(),
        }
    }
}

fn processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Both decoders in turn, the best round of each.
fn compare(
    name: &str,
    of: &str,
    schema: &SchemaRef,
    wanted: &[usize],
    blocks: &[Bytes],
    theirs: impl Fn(&[u8]) -> usize,
) {
    let mut decoder =
        format(of).and_then(|f| f.decoder(schema, wanted, &OptionValues::default())).expect("a decoder of the table");
    let bytes: usize = blocks.iter().map(Bytes::len).sum();
    let (mut best_ours, mut best_theirs) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let start = Stopwatch::start();
        let mut rows = 0;
        for block in blocks {
            let decoded = decoder.decode(block, &Origin::new("bench", 1)).expect("good lines");
            assert!(decoded.rejected.is_empty(), "{}", decoded.rejected[0].reason);
            rows += black_box(decoded).batch.num_rows();
        }
        best_ours = best_ours.min(start.elapsed());
        let start = Stopwatch::start();
        let expected: usize = blocks.iter().map(|b| theirs(b)).sum();
        best_theirs = best_theirs.min(start.elapsed());
        assert!(wanted.is_empty() || rows == expected, "as many rows");
    }
    let speed = |took: Duration| bytes as f64 / took.as_secs_f64() / 1e9;
    let (ours, theirs) = (speed(best_ours), speed(best_theirs));
    println!(
        "{name}: {:.1} MB in {best_ours:.1?} ({ours:.2} GB/s), arrow-rs {best_theirs:.1?} ({theirs:.2} GB/s)",
        bytes as f64 / 1e6
    );
    println!("ratio {name} {:.2}", ours / theirs);
    println!("gb_per_s {name} {ours:.3}");
}

fn bid_fields() -> Fields {
    let text = |n| Field::new(n, DataType::Utf8, true);
    let number = |n| Field::new(n, DataType::Int64, true);
    let time = Field::new("date_time", DataType::Timestamp(TimeUnit::Millisecond, None), true);
    vec![number("auction"), number("bidder"), number("price"), text("channel"), text("url"), time, text("extra")].into()
}

fn person_fields() -> Fields {
    let text = |n| Field::new(n, DataType::Utf8, true);
    let time = Field::new("date_time", DataType::Timestamp(TimeUnit::Millisecond, None), true);
    let id = Field::new("id", DataType::Int64, true);
    vec![id, text("name"), text("email_address"), text("credit_card"), text("city"), text("state"), time, text("extra")]
        .into()
}

fn auction_fields() -> Fields {
    let text = |n| Field::new(n, DataType::Utf8, true);
    let number = |n| Field::new(n, DataType::Int64, true);
    let time = |n| Field::new(n, DataType::Timestamp(TimeUnit::Millisecond, None), true);
    vec![
        number("id"),
        text("item_name"),
        text("description"),
        number("initial_bid"),
        number("reserve"),
        time("date_time"),
        time("expires"),
        number("seller"),
        number("category"),
        text("extra"),
    ]
    .into()
}

fn event_schema(person: Fields, auction: Fields, bid: Fields) -> SchemaRef {
    let row = |n, f| Field::new(n, DataType::Struct(f), true);
    let kind = Field::new("event_type", DataType::Int32, true);
    Arc::new(Schema::new(vec![kind, row("person", person), row("auction", auction), row("bid", bid)]))
}

/// Numbers that only look random.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn letters(&mut self, n: u64) -> String {
        (0..n).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }
}

/// About `bytes` of lines, in blocks of whole ones.
fn lines(bytes: usize, mut line: impl FnMut(u64, &mut String)) -> Vec<Bytes> {
    let (mut blocks, mut block, mut i, mut len) = (vec![], String::with_capacity(BLOCK + 1024), 0, 0);
    while len < bytes {
        let before = block.len();
        line(i, &mut block);
        block.push('\n');
        len += block.len() - before;
        i += 1;
        if block.len() >= BLOCK {
            blocks.push(Bytes::from(std::mem::replace(&mut block, String::with_capacity(BLOCK + 1024))));
        }
    }
    blocks.push(Bytes::from(block));
    blocks
}

fn time(i: u64) -> String {
    let ms = i * 7;
    let (s, m, h) = (ms / 1000 % 60, ms / 60_000 % 60, ms / 3_600_000 % 24);
    format!("2024-01-{:02} {h:02}:{m:02}:{s:02}.{:03}", 1 + ms / 86_400_000 % 31, ms % 1000)
}

const CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

fn flat_bid(random: &mut Random, i: u64, out: &mut String) {
    let (auction, bidder, price) =
        (1000 + random.below(100_000), 1000 + random.below(50_000), 1 + random.below(10_000_000));
    let channel = CHANNELS[random.below(4) as usize];
    let (path, extra) = (random.letters(5), random.below(16));
    let extra = random.letters(extra);
    let _ = write!(
        out,
        r#"{{"auction":{auction},"bidder":{bidder},"price":{price},"channel":"{channel}","url":"https://www.nexmark.com/{path}/item.htm?query=1","date_time":"{}","extra":"{extra}"}}"#,
        time(i)
    );
}

fn csv_bid(random: &mut Random, i: u64, out: &mut String) {
    let (auction, bidder, price) =
        (1000 + random.below(100_000), 1000 + random.below(50_000), 1 + random.below(10_000_000));
    let channel = CHANNELS[random.below(4) as usize];
    let (path, extra) = (random.letters(5), random.below(16));
    let extra = random.letters(extra);
    let _ = write!(
        out,
        "{auction},{bidder},{price},{channel},https://www.nexmark.com/{path}/item.htm?query=1,{},{extra}",
        time(i)
    );
}

/// One person, three auctions and 46 bids of fifty.
fn event(random: &mut Random, i: u64, out: &mut String) {
    let t = time(i);
    match i % 50 {
        0 => {
            let (id, name, extra) = (random.below(100_000), random.letters(7), random.letters(30));
            let _ = write!(
                out,
                r#"{{"event_type":0,"person":{{"id":{id},"name":"Peter {name}","email_address":"{name}@abc.com","credit_card":"1234 5678 9012 3456","city":"Portland","state":"OR","date_time":"{t}","extra":"{extra}"}},"auction":null,"bid":null}}"#
            );
        }
        1..=3 => {
            let (id, words, extra) = (random.below(100_000), random.letters(40), random.letters(30));
            let price = 1 + random.below(10_000_000);
            let _ = write!(
                out,
                r#"{{"event_type":1,"person":null,"auction":{{"id":{id},"item_name":"{}","description":"{words}","initial_bid":{price},"reserve":{},"date_time":"{t}","expires":"{t}","seller":{},"category":{},"extra":"{extra}"}},"bid":null}}"#,
                &words[..10],
                price + 100,
                random.below(100_000),
                10 + random.below(5)
            );
        }
        _ => {
            out.push_str(r#"{"event_type":2,"person":null,"auction":null,"bid":"#);
            flat_bid(random, i, out);
            out.push('}');
        }
    }
}
