//! The bars of calls by day: numbers become places in a drawing of fixed size.

use chrono::NaiveDate;

use super::page::{counted, number, size};
use crate::activity::{Day, Overview};

/// Units of the drawing: the bars stand on `BASE`, and the axis is right of them.
const BASE: f64 = 96.0;
const STEP_X: f64 = 30.0;
const BAR: f64 = 24.0;
/// A call must be seen beside thousands.
const LEAST: f64 = 1.0;
/// Lines above the base line at most.
const LINES: i64 = 4;

#[derive(Clone, Default)]
pub struct Chart {
    /// All of it in one sentence, for who cannot see the bars.
    pub title: String,
    pub lines: Vec<Line>,
    pub bars: Vec<Bar>,
    /// `(x, day)` of every seventh day.
    pub days: Vec<(String, String)>,
}

#[derive(Clone, Default)]
pub struct Line {
    pub y: String,
    pub text_y: String,
    pub text: String,
}

/// One day, in a tenth of a unit.
#[derive(Clone, Default)]
pub struct Bar {
    pub title: String,
    pub x: String,
    pub accepted: Option<Piece>,
    pub refused: Option<Piece>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Piece {
    pub y: String,
    pub height: String,
}

/// `words` is how a day is written.
pub fn chart(overview: &Overview, words: impl Fn(NaiveDate) -> String) -> Chart {
    let top = overview.days.iter().map(|day| day.accepted + day.refused).max().unwrap_or_default();
    let step = step(top);
    let full = step * ((top + step - 1) / step).max(1);
    let lines = (0..=full / step).map(|nth| {
        let y = BASE - BASE * (nth * step) as f64 / full as f64;
        Line { y: tenths(y), text_y: tenths(y + 4.0), text: short(nth * step, full) }
    });
    let bars = overview.days.iter().enumerate().map(|(nth, day)| bar(nth, day, full, &words));
    let labels = overview.days.iter().enumerate().step_by(7);
    Chart {
        title: title(overview, &words),
        lines: lines.collect(),
        bars: bars.collect(),
        days: labels.map(|(nth, day)| (tenths(nth as f64 * STEP_X + 2.0), words(day.day))).collect(),
    }
}

/// The smallest of 1, 2, 5, 10, 20, 50 … of which [`LINES`] reach the top.
fn step(top: i64) -> i64 {
    let mut power = 1;
    loop {
        if let Some(step) = [1, 2, 5].into_iter().map(|n: i64| n * power).find(|step| step.saturating_mul(LINES) >= top)
        {
            return step;
        }
        power *= 10;
    }
}

fn bar(nth: usize, day: &Day, full: i64, words: &impl Fn(NaiveDate) -> String) -> Bar {
    let height = |n: i64| if n == 0 { 0.0 } else { (BASE * n as f64 / full as f64).max(LEAST) };
    let (accepted, refused) = (height(day.accepted), height(day.refused));
    // A gap keeps the two apart, other than by colour.
    let gap = if accepted > 0.0 { 0.9 } else { 0.0 };
    let piece = |height: f64, below: f64| {
        (height > 0.0).then(|| Piece { y: tenths(BASE - below - height), height: tenths(height) })
    };
    Bar {
        title: format!(
            "{}: {} accepted, {} refused",
            words(day.day),
            number(size(day.accepted)),
            number(size(day.refused))
        ),
        x: tenths(nth as f64 * STEP_X + (STEP_X - BAR) / 2.0),
        accepted: piece(accepted, 0.0),
        refused: piece(refused, accepted + gap),
    }
}

fn title(overview: &Overview, words: &impl Fn(NaiveDate) -> String) -> String {
    let (Some(first), Some(last)) = (overview.days.first(), overview.days.last()) else { return String::new() };
    let mut title = format!(
        "Calls per day, {} to {}. {} accepted, {} refused.",
        words(first.day),
        words(last.day),
        number(size(overview.accepted())),
        number(size(overview.refused()))
    );
    let worst = overview.days.iter().rev().max_by_key(|day| day.refused).filter(|day| day.refused > 0);
    if let Some(worst) = worst {
        let many = counted(size(worst.refused), "refusal", "refusals");
        title.push_str(&format!(" Most were refused on {}: {many}.", words(worst.day)));
    }
    title
}

/// A number of the axis: whole thousands and millions are shortened where the axis is that long.
fn short(n: i64, full: i64) -> String {
    let (unit, sign) = match full {
        2_000_000.. => (1_000_000, "M"),
        10_000.. => (1_000, "k"),
        _ => return number(size(n)),
    };
    match n {
        0 => "0".to_owned(),
        n if n % unit == 0 => format!("{}{sign}", number(size(n / unit))),
        n => format!("{}.{}{sign}", n / unit, n % unit * 10 / unit),
    }
}

fn tenths(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(calls: &[(i64, i64)]) -> Chart {
        let first: NaiveDate = "2026-10-25".parse().unwrap();
        let days = first.iter_days().zip(calls).map(|(day, &(accepted, refused))| Day { day, accepted, refused });
        chart(&Overview { days: days.collect(), ..Overview::default() }, |day| day.format("%-d %b").to_string())
    }

    fn axis(top: i64) -> Vec<String> {
        of(&[(top, 0)]).lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_axis_has_at_most_four_round_steps_and_reaches_the_highest_day() {
        for (top, expected) in [
            (0, vec!["0", "1"]),
            (1, vec!["0", "1"]),
            (3, vec!["0", "1", "2", "3"]),
            (5, vec!["0", "2", "4", "6"]),
            (40, vec!["0", "10", "20", "30", "40"]),
            (41, vec!["0", "20", "40", "60"]),
            (1_763, vec!["0", "500", "1,000", "1,500", "2,000"]),
            (12_000, vec!["0", "5k", "10k", "15k"]),
            (9_000_000, vec!["0", "5M", "10M"]),
            (4_500_000, vec!["0", "2M", "4M", "6M"]),
        ] {
            assert_eq!(axis(top), expected, "{top}");
        }
        assert!(axis(i64::MAX / 8).len() <= 5);
    }

    #[test]
    fn bars_stand_on_the_base_and_what_was_refused_on_what_was_accepted() {
        let chart = of(&[(300, 100), (0, 200), (0, 0), (1, 0)]);
        let piece = |y: &str, height: &str| Some(Piece { y: y.into(), height: height.into() });
        assert_eq!(chart.bars[0].accepted, piece("24", "72"));
        assert_eq!(chart.bars[0].refused, piece("-0.9", "24"));
        assert_eq!(chart.bars[1].refused, piece("48", "48"));
        assert_eq!((&chart.bars[2].accepted, &chart.bars[2].refused), (&None, &None));
        assert_eq!(chart.bars[3].accepted, piece("95", "1"), "one call is seen");
        assert_eq!(chart.bars[1].x, "33");
    }

    #[test]
    fn the_title_tells_the_whole_chart() {
        let chart = of(&[(300, 100), (0, 200), (5, 0)]);
        assert_eq!(
            chart.title,
            "Calls per day, 25 Oct to 27 Oct. 305 accepted, 300 refused. Most were refused on 26 Oct: 200 refusals."
        );
    }
}
