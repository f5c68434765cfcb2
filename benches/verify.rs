//! `/verify` under wrk, alternating in one run with a bare handler of the same server settings: throughput, p99, memory and
//! start with 1,000,000 and with 1,000 tokens of 100 methods each, and both behind nginx. `cargo bench --bench verify`; the
//! variables that it takes are at the top. Databases are kept in `target/verify-bench`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on has to stop"
)]

#[path = "verify/fill.rs"]
mod fill;
#[path = "verify/stage.rs"]
mod stage;

use std::path::PathBuf;

use fill::Stock;
use stage::{Figures, Process, bare, hallpass, nginx, wrk};

/// Rounds, seconds of each, and the ports from this one on.
const ROUNDS: (&str, usize) = ("BENCH_ROUNDS", 5);
const SECONDS: (&str, usize) = ("BENCH_SECONDS", 6);
const PORT: (&str, usize) = ("BENCH_PORT", 22_000);
/// Tokens of the large stock and of the small one.
const MANY: (&str, usize) = ("BENCH_TOKENS", 1_000_000);
const FEW: usize = 1_000;
/// Values that wrk has in rotation, of at most 20,000. What many tokens cost beside few is to be measured with no more of them
/// than there are few: wrk and the processors are slower with more as well.
const SENT: (&str, usize) = ("BENCH_SENT", 20_000);

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("bare") {
        return bare(&arguments.next().unwrap(), &arguments.next().unwrap());
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/verify-bench");
    std::fs::create_dir_all(&folder).unwrap();
    // On PostgreSQL the stock is the database that is named, filled where it is empty; there is no small one then.
    let place = std::env::var("BENCH_DATABASE_URL").ok();
    // `shared`: sets that many tokens have in common, in place of a random one for each.
    let sets = std::env::var("BENCH_SETS").unwrap_or_else(|_| "random".into());
    let many = Stock::make(&folder, number(MANY), sets == "shared", place.as_deref());
    let port = number(PORT);
    let (large, start) = hallpass(&many, port);
    let at_start = large.memory();
    let (ready, whole) = (start.ready.as_secs_f64(), start.whole.as_secs_f64());
    println!("{} tokens, {sets} sets: start to ready {ready:.2} s, to all in memory {whole:.2} s", number(MANY));
    println!("memory then: {} MB, at most {} MB", at_start.0, at_start.1);
    if number(ROUNDS) == 0 {
        return;
    }
    let _bare = (Process::bare("actix", port + 1), Process::bare("door", port + 5));
    let few = place.is_none().then(|| Stock::make(&folder, FEW, sets == "shared", None));
    let _small = few.as_ref().map(|few| hallpass(few, port + 2).0);
    let front = nginx(&folder, port + 3, port + 1, port);

    let mut rows = vec![
        ("bare handler", port + 1, &many, false, Vec::new()),
        ("bare, behind our door", port + 5, &many, false, Vec::new()),
        ("Hallpass, many tokens", port, &many, false, Vec::new()),
    ];
    rows.extend(few.as_ref().map(|few| ("Hallpass, 1,000 tokens", port + 2, few, false, Vec::new())));
    if front.is_some() {
        rows.push(("nginx → bare handler", port + 3, &many, true, Vec::new()));
        rows.push(("nginx → Hallpass", port + 4, &many, true, Vec::new()));
    }
    for (_, port, stock, is_proxied, _) in &rows {
        wrk(&folder, stock, number(SENT), *port, *is_proxied, 2);
    }
    for round in 0..number(ROUNDS) {
        // Forth and back, so that what drifts meets all alike.
        let mut order: Vec<usize> = (0..rows.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for nth in order {
            let (_, port, stock, is_proxied, figures) = &mut rows[nth];
            figures.push(wrk(&folder, stock, number(SENT), *port, *is_proxied, number(SECONDS)));
        }
    }
    let of = |name: &str| rows.iter().find(|row| row.0 == name).map(|row| row.4.as_slice());
    println!("{:<24} {:>9} {:>8} {:>8} {:>7} {:>7}  per round", "", "req/s", "p50 µs", "p99 µs", "ratio", "p99 ×");
    for (name, _, _, is_proxied, figures) in &rows {
        let base = of(if *is_proxied { "nginx → bare handler" } else { "bare handler" }).unwrap();
        let ratios: Vec<f64> = figures.iter().zip(base).map(|(one, base)| one.rate / base.rate).collect();
        let slower: Vec<f64> = figures.iter().zip(base).map(|(one, base)| one.p99 / base.p99).collect();
        let rounds: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        println!(
            "{name:<24} {:>9.0} {:>8.0} {:>8.0} {:>7.3} {:>7.2}  {}",
            median(figures.iter().map(|f| f.rate)),
            median(figures.iter().map(|f| f.p50)),
            median(figures.iter().map(|f| f.p99)),
            median(ratios.into_iter()),
            median(slower.into_iter()),
            rounds.join(" ")
        );
    }
    if let (Some(few), Some(many)) = (of("Hallpass, 1,000 tokens"), of("Hallpass, many tokens")) {
        let ratios = many.iter().zip(few).map(|(many, few)| many.rate / few.rate);
        println!("many tokens ÷ 1,000 tokens: {:.3}", median(ratios));
    }
    let (now, most) = large.memory();
    println!("memory after {} requests: {now} MB, at most {most} MB", total(&rows[2].4));
    println!("{}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
}

fn number((name, usual): (&str, usize)) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = of.collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

fn total(figures: &[Figures]) -> u64 {
    figures.iter().map(|figures| figures.requests).sum()
}
