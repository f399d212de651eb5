//! The table that a benchmark prints: times, and their ratio to a peer measured in turns with them.

use std::time::Duration;

pub struct Table {
    title: &'static str,
    lines: Vec<[String; 5]>,
}

impl Table {
    pub fn new(title: &'static str) -> Self {
        let head = ["", "", "median", "min to max", "ratio"].map(str::to_owned);
        Self {
            title,
            lines: vec![head],
        }
    }

    /// What the rows below it are held against.
    pub fn peer(&mut self, size: &str, what: &str, times: &[Duration]) {
        self.add(size, what, times, "1".to_owned());
    }

    pub fn row(&mut self, size: &str, what: &str, times: &[Duration], peer: &[Duration]) {
        let mut ratios: Vec<f64> = times
            .iter()
            .zip(peer)
            .map(|(time, peer)| time.as_secs_f64() / peer.as_secs_f64())
            .collect();
        ratios.sort_by(f64::total_cmp);
        self.add(
            size,
            what,
            times,
            format!("{:.2}", ratios[ratios.len() / 2]),
        );
    }

    fn add(&mut self, size: &str, what: &str, times: &[Duration], ratio: String) {
        let mut sorted = times.to_vec();
        sorted.sort();
        let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1000.0);
        let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
        let middle = sorted[sorted.len() / 2];
        self.lines.push([
            size.to_owned(),
            what.to_owned(),
            format!("{} ms", ms(middle)),
            format!("{} to {} ms", ms(least), ms(most)),
            ratio,
        ]);
    }

    pub fn print(&self) {
        let width = |column: usize| {
            let cells = self.lines.iter().map(|line| line[column].chars().count());
            cells.max().unwrap_or(0)
        };
        println!("\n{}", self.title);
        for [size, what, median, span, ratio] in &self.lines {
            let [w0, w1, w2, w3] = [width(0), width(1), width(2), width(3)];
            println!("{size:<w0$}  {what:<w1$}  {median:>w2$}  {span:>w3$}  {ratio:>5}");
        }
    }
}
