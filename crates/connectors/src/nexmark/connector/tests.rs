//! The events are those of the benchmark, and the same in whatever batch.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimeUnit};
use arrow::util::pretty::pretty_format_batches;
use expect_test::{Expect, expect};
use tidemill_core::OptionValues;

use super::*;
use crate::nexmark::{auctions, bids, events, people};

fn show(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

#[test]
fn one_of_each_kind() {
    expect![[r#"
        +------+------------+-------------------+---------------------+---------------+-------+-------------------------+---------------------------------------------------------------------------------------------------------------------------------------------------------+
        | id   | name       | emailAddress      | creditCard          | city          | state | dateTime                | extra                                                                                                                                                   |
        +------+------------+-------------------+---------------------+---------------+-------+-------------------------+---------------------------------------------------------------------------------------------------------------------------------------------------------+
        | 1000 | Kate Noris | iockmou@qhkhu.com | 5595 1051 1919 0320 | Cheyenne      | WA    | 2015-07-15T00:00:00     | lschlprhtvdesihnuirmdqjmmktkyzmiftzuxaregqdqlqizfrmnuleyqzfnhkmohyxkflolrtgwtujaojhoqzubfxmzwgdxzxjrdojcfyikfy                                          |
        | 1001 | Paul Smith | lqxeokr@fwbon.com | 0955 6238 7965 0207 | San Francisco | ID    | 2015-07-15T00:00:00.005 | jkggxkffopensyggkwbryxxnatgquswruemgzsyxvfressraaubuvwfxpvofyqszqovfvcncgejvmnyrmhlaejnbekfvxygnaoqzzvkilvtrucqcccecfgejgqnixflutzjtcwyndulclpxjwffrvlb |
        +------+------------+-------------------+---------------------+---------------+-------+-------------------------+---------------------------------------------------------------------------------------------------------------------------------------------------------+"#]].assert_eq(&show(&people(0, 2, 10)));
    expect![[r#"
        +------+----------------------+------------+----------+---------------------+-------------------------+--------+----------+
        | id   | itemName             | initialBid | reserve  | dateTime            | expires                 | seller | category |
        +------+----------------------+------------+----------+---------------------+-------------------------+--------+----------+
        | 1000 | iekfxcfiywwmbzmdeypc | 1351       | 3513     | 2015-07-15T00:00:00 | 2015-07-15T00:00:00.218 | 1000   | 13       |
        | 1001 | uihfzqlszcuhqozctdpn | 21167363   | 27551552 | 2015-07-15T00:00:00 | 2015-07-15T00:00:00.093 | 1008   | 10       |
        +------+----------------------+------------+----------+---------------------+-------------------------+--------+----------+"#]].assert_eq(&show(&[auctions(0, 2, 10)[0].project(&[0, 1, 3, 4, 5, 6, 7, 8]).unwrap()]));
    expect![[r#"
        +---------+--------+----------+--------------+--------------------------------------------------------------------------------+---------------------+-----------------------------------------------------------------------------------+
        | auction | bidder | price    | channel      | url                                                                            | dateTime            | extra                                                                             |
        +---------+--------+----------+--------------+--------------------------------------------------------------------------------+---------------------+-----------------------------------------------------------------------------------+
        | 1000    | 1005   | 23916215 | channel-7504 | https://www.nexmark.com/ruh/xtgh/pkq/item.htm?query=1&channel_id=179830784     | 2015-07-15T00:00:00 | ohdkigdiatiqssnsugtnrfnhotsiwmgmzpzjugugabgbvsqauxiahjkomssv                      |
        | 1000    | 1001   | 17722887 | Google       | https://www.nexmark.com/bhnl/vdybl/sbobe/item.htm?query=1                      | 2015-07-15T00:00:00 | phbgickopcdrrdzaqsauiaqkrecsigebskicovteapzkdawiymxrdlphxaajbjckbeboe             |
        | 1000    | 1004   | 73390    | Baidu        | https://www.nexmark.com/etmg/wrmh/nvvpu/item.htm?query=1                       | 2015-07-15T00:00:00 | qytkronlfzrpmawylnomeupwywhlmuohomiolebcsznvpotwgnlxyvqcgiqxyusqcqvwax            |
        | 1012    | 1008   | 7845     | channel-3757 | https://www.nexmark.com/xgrs/nfve/egbzt/item.htm?query=1&channel_id=1250951168 | 2015-07-15T00:00:00 | sxvyegjnpjyijfisvvasfkeuwtuaymyekblkgvcykdxzhjlcklduxupaegjofowwgfdclwbuwwzvahzsm |
        +---------+--------+----------+--------------+--------------------------------------------------------------------------------+---------------------+-----------------------------------------------------------------------------------+"#]].assert_eq(&show(&bids(0, 4, 10)));
}

#[test]
fn proportions_and_hot_ones() {
    let all = concat_batches(&Rows::All.schema(), &events(1, 50_000, 8_192)).unwrap();
    let kinds = all.column(0).as_primitive::<Int32Type>();
    let count = |kind| kinds.values().iter().filter(|k| **k == kind).count();
    assert_eq!((count(0), count(1), count(2)), (1_000, 3_000, 46_000));
    let bid = all.column(3).as_struct();
    assert_eq!(bid.null_count(), 4_000);

    let bids = concat_batches(&Rows::Only(super::super::config::Kind::Bid).schema(), &bids(1, 46_000, 8_192)).unwrap();
    let hot = |column: usize, offset: i64| {
        let ids = bids.column(column).as_primitive::<Int64Type>().values();
        ids.iter().filter(|id| **id % 100 == offset).count() as f64 / ids.len() as f64
    };
    // Half of the bids, three quarters of the bidders, and a few by chance.
    assert!((0.49..0.53).contains(&hot(0, 0)), "{}", hot(0, 0));
    assert!((0.74..0.77).contains(&hot(1, 1)), "{}", hot(1, 1));
}

fn table(fields: Option<Vec<Field>>, options: &[(&str, &str)]) -> TableSpec {
    let mut options = OptionValues::from_pairs(options.iter().copied());
    options.0.insert("connector".into(), NAME.into());
    let schema = fields.map(|f| Arc::new(Schema::new(f)));
    TableSpec { name: "t".into(), schema, metadata: vec![], partition_by: vec![], primary_key: vec![], options }
}

async fn read(table: &TableSpec, projection: &[usize], batch_rows: usize, from: Option<&Position>) -> Vec<Piece> {
    let source = Nexmark.source(table).unwrap();
    let request = ReadRequest { projection: projection.to_vec(), batch_rows, decode_threads: 1 };
    let mut reader = source.open(&NAME.into(), from, &request).await.unwrap();
    let mut pieces = vec![];
    while let Some(piece) = reader.next().await.unwrap() {
        pieces.push(piece);
    }
    pieces
}

fn all(pieces: &[Piece]) -> RecordBatch {
    concat_batches(&pieces[0].batch.schema(), pieces.iter().map(|p| &p.batch)).unwrap()
}

#[tokio::test]
async fn an_event_is_the_same_in_whatever_batch_and_after_a_restart() {
    for kind in ["all", "person", "auction", "bid"] {
        let table = table(None, &[("table", kind), ("events.num", "500"), ("out-of-order-group-size", "10")]);
        let whole = read(&table, &[0, 1, 2, 3], 1_000, None).await;
        let small = read(&table, &[0, 1, 2, 3], 7, None).await;
        assert_eq!(all(&whole), all(&small), "{kind}");
        if small.len() > 1 {
            let rest = read(&table, &[0, 1, 2, 3], 100, Some(&small[0].position)).await;
            assert_eq!(all(&rest), all(&small[1..]), "{kind}");
        }
    }
}

#[tokio::test]
async fn columns_are_found_by_name_and_cast() {
    let fields = vec![
        Field::new("date_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("PRICE", DataType::Float64, true),
        Field::new("bidder", DataType::Int32, true),
    ];
    let table = table(Some(fields), &[("table", "bid"), ("events.num", "6"), ("base-time", "2024-01-01T00:00:00")]);
    expect![[r#"
        +----------------------+--------+
        | date_time            | bidder |
        +----------------------+--------+
        | 2024-01-01T00:00:00Z | 1005   |
        | 2024-01-01T00:00:00Z | 1001   |
        +----------------------+--------+"#]]
    .assert_eq(&show(&[all(&read(&table, &[0, 2], 10, None).await)]));
}

#[test]
fn wrong_tables() {
    let check = |fields: Option<Vec<Field>>, options: &[(&str, &str)], expected: Expect| {
        let text = match Nexmark.source(&table(fields, options)) {
            Ok(source) => format!("bounded: {}", source.bounded()),
            Err(e) => e.to_string(),
        };
        expected.assert_eq(&text);
    };
    check(None, &[], expect!["bounded: false"]);
    check(None, &[("events.num", "5")], expect!["bounded: true"]);
    check(
        None,
        &[("table", "bids")],
        expect![[r#"
        option 'table' does not know 'bids'
        hint: Did you mean 'bid'? Known: all, person, auction, bid."#]],
    );
    check(
        None,
        &[("table", "person"), ("person.proportion", "0")],
        expect![[r#"
        connector 'nexmark' makes no event of this table by these proportions
        hint: Proportions are at most 1000000, and that of the table's kind is at least 1."#]],
    );
    check(
        None,
        &[("next-event.rate", "5")],
        expect![[r#"
        connector 'nexmark': a rate that changes is not supported
        hint: Give 'next-event.rate' the value of 'first-event.rate', or leave it out."#]],
    );
    check(
        Some(vec![Field::new("pric", DataType::Int64, true)]),
        &[("table", "bid")],
        expect![[r#"
        connector 'nexmark' has no column 'pric'
        hint: Did you mean 'price'? Known: auction, bidder, price, channel, url, dateTime, extra."#]],
    );
    check(
        Some(vec![Field::new("price", DataType::Int64, true)]),
        &[],
        expect![[r#"
        connector 'nexmark' has no column 'price'
        hint: It has event_type, person, auction and bid; 'table' = 'bid' has the fields of bids."#]],
    );
}

#[test]
fn options_under_their_other_names_mean_the_same() {
    let settings = |pairs: &[(&str, &str)]| {
        crate::nexmark::options::settings(&OptionValues::from_pairs(
            pairs.iter().copied().chain([("connector", "nexmark")]),
        ))
        .map(|s| (s.events, s.config.rate, s.rows))
    };
    let own = settings(&[("events.num", "50"), ("first-event.rate", "7"), ("table", "bid")]).unwrap();
    let others = [
        [("event.num", "50"), ("tps", "7"), ("nexmark.table.type", "Bid")],
        [("nexmark.event.num", "50"), ("nexmark.first-event.rate", "7"), ("nexmark.table", "bid")],
    ];
    for other in others {
        assert_eq!(settings(&other).unwrap(), own, "{other:?}");
    }
    assert!(settings(&[("nexmark.tpps", "7")]).unwrap_err().message().contains("nexmark.tpps"));
}
