//! Random texts.

use std::sync::LazyLock;

use arrow::array::{ArrayRef, StringBuilder};

use crate::random::Random;

/// Appends `len` letters: those of row `id` of the stream.
pub(crate) fn push(random: Random, id: u64, len: usize, out: &mut String) {
    let stream = random.stream(id);
    let mut number = 0;
    while number * 8 < len {
        let bits = stream.at(number as u64).to_le_bytes();
        // Each byte picks a letter; the little unevenness of 256 by 26 does not matter.
        let letters = bits.map(|b| b'a' + ((u16::from(b) * 26) >> 8) as u8);
        let letters = &letters[..8.min(len - number * 8)];
        out.push_str(std::str::from_utf8(letters).unwrap_or_default());
        number += 1;
    }
}

/// How many letters bring an event of `size` bytes to `wanted` on average: from 80 to 120 percent of what is missing.
pub(crate) fn extra_len(random: Random, id: u64, size: usize, wanted: usize) -> usize {
    let Some(missing) = wanted.checked_sub(size) else { return 0 };
    let delta = (missing + 2) / 5;
    let spread = if delta == 0 { 0 } else { random.below(id, 2 * delta as u64) as usize };
    missing - delta + spread
}

/// A column of texts: `write` appends the text of an event to an empty string.
pub(crate) fn column(ids: &[u64], about: usize, mut write: impl FnMut(u64, &mut String)) -> ArrayRef {
    let mut out = StringBuilder::with_capacity(ids.len(), ids.len() * about);
    let mut text = String::with_capacity(about * 2);
    for id in ids {
        text.clear();
        write(*id, &mut text);
        out.append_value(&text);
    }
    std::sync::Arc::new(out.finish())
}

/// The channels that bids come through, and their addresses: first the four hot ones, then ten thousand others.
pub(crate) static CHANNELS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let hot = ["Google", "Facebook", "Baidu", "Apple"].into_iter().map(str::to_owned);
    // The same in every run: a side table about channels can be joined with them.
    let random = Random::new(0).named("channels");
    let hot = hot.enumerate().map(|(i, name)| (name, url(random, i as u64)));
    let others = (0..OTHER_CHANNELS).map(|i| {
        let mut url = url(random, HOT_CHANNELS + i);
        if random.below(HOT_CHANNELS + i, 10) > 0 {
            let number = i64::from((i as i32).reverse_bits()).abs();
            url.push_str(&format!("&channel_id={number}"));
        }
        (format!("channel-{i}"), url)
    });
    hot.chain(others).collect()
});

/// How many of [`CHANNELS`] are hot, and how many are not.
pub(crate) const HOT_CHANNELS: u64 = 4;
pub(crate) const OTHER_CHANNELS: u64 = 10_000;

fn url(random: Random, i: u64) -> String {
    let mut url = "https://www.nexmark.com".to_owned();
    for part in 0..3 {
        url.push('/');
        let stream = random.stream(part);
        push(stream, i, 3 + stream.below(i, 3) as usize, &mut url);
    }
    url.push_str("/item.htm?query=1");
    url
}
