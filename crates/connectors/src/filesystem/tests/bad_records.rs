//! One bad record never affects its neighbours: the others are read, and the bad one is kept as it was.

use super::*;

/// What is wrong with record `n`, if it is one of the broken tenth.
fn broken(n: i64) -> Option<Vec<u8>> {
    (n % 10 == 7).then(|| match (n / 10) % 5 {
        0 => format!("{{\"n\":{n},\"te").into_bytes(),
        1 => format!("{{\"n\":\"x{n}\",\"text\":\"t\"}}").into_bytes(),
        2 => [format!("{{\"n\":{n},\"text\":\"").as_bytes(), b"\xff\xfe\"}"].concat(),
        3 => b"{\"n\":99999999999999999999,\"text\":\"t\"}".to_vec(),
        _ => format!("{{\"text\":\"{n}\"}}").into_bytes(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tenth_line_is_broken() {
    let mut bytes = vec![];
    let mut expected = vec![];
    for n in 0..5_000 {
        let offset = bytes.len();
        match broken(n) {
            Some(line) => {
                bytes.extend(&line);
                expected.push((offset, line));
            }
            None => bytes.extend(format!("{{\"n\":{n},\"text\":\"row {n}\"}}").bytes()),
        }
        bytes.push(b'\n');
    }
    let dir = directory(&[("a.json", &bytes)]);
    let fields = vec![Field::new("n", DataType::Int64, false), text("text")];
    let table = table(&dir.path().join("a.json"), fields, &[("format", "json")]);
    let pieces = read(&table, Read { batch_rows: 100, ..Read::default() }).await.unwrap();
    assert_eq!(numbers(&pieces), (0..5_000).filter(|n| n % 10 != 7).collect::<Vec<_>>());
    let name = dir.path().join("a.json").display().to_string();
    let rejected: Vec<_> = pieces.iter().flat_map(|p| &p.rejected).collect();
    assert_eq!(rejected.len(), expected.len());
    for (row, (offset, line)) in rejected.iter().zip(&expected) {
        assert_eq!(row.position.to_string(), format!("{name}:{offset}"));
        assert_eq!(row.raw, line, "{}", row.reason);
        assert!(!row.reason.is_empty());
    }
    // A row that turns out to be bad later is found by its number.
    let raw = pieces[1].raw.as_ref().unwrap();
    let (record, position) = raw.record(0);
    assert_eq!(
        String::from_utf8_lossy(&record),
        format!("{{\"n\":{0},\"text\":\"row {0}\"}}", numbers(&pieces[1..2])[0])
    );
    let offset: usize = position.to_string().rsplit(':').next().unwrap().parse().unwrap();
    assert!(bytes[offset..].starts_with(&record));
}
