//! The ratios as pictures (SVG): their medians against the bars, and how far the rounds lie apart.
//!
//! The background is painted, so that they read the same on a dark page.

use std::fmt::Write as _;

use crate::measured::{Against, Ratios};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 400.0;
const RIGHT: f64 = 924.0;
const TOP: f64 = 72.0;
const ROW: f64 = 40.0;
const BELOW: f64 = 52.0;

const PAPER: &str = "#ffffff";
const INK: &str = "#1f2328";
const FAINT: &str = "#d0d7de";
const WALL: &str = "#2f6fb5";
const CPU: &str = "#8fb8e0";
const LIMIT: &str = "#c0392b";

/// The medians as bars, wall and processor time, each with the mark that it should not pass.
pub fn medians(rows: &[Ratios]) -> String {
    let all = rows.iter().flat_map(|row| [Some(&row.wall), row.cpu.as_ref()]).flatten();
    let most = all.flat_map(|against| [against.median(), against.at_most.unwrap_or_default()]).fold(1.0, f64::max);
    let mut plot = Plot::new("Times native, medians: less is better", rows, most);
    plot.legend(&[("wall time", WALL), ("processor time", CPU), ("at most", LIMIT)]);
    for (row, middle) in rows.iter().zip(middles()) {
        plot.bar(middle - 13.0, &row.wall, WALL);
        if let Some(cpu) = &row.cpu {
            plot.bar(middle + 1.0, cpu, CPU);
        }
    }
    plot.end()
}

/// Each round as a point, with the median of its row.
pub fn rounds(rows: &[Ratios]) -> String {
    let most = rows.iter().flat_map(|row| row.wall.rounds.iter().copied()).fold(1.0, f64::max);
    let mut plot = Plot::new("Times native in wall time, round by round", rows, most);
    plot.legend(&[("a round", WALL), ("median", INK)]);
    for (row, middle) in rows.iter().zip(middles()) {
        plot.line((row.wall.median(), middle - 12.0), (row.wall.median(), middle + 12.0), INK, 2.0);
        for ratio in &row.wall.rounds {
            let x = plot.x(*ratio);
            let point = format!(r#"<circle cx="{x:.1}" cy="{middle:.1}" r="4" fill="{WALL}" fill-opacity="0.5"/>"#);
            plot.add(&point);
        }
    }
    plot.end()
}

/// Where the rows are, from the top.
fn middles() -> impl Iterator<Item = f64> {
    (0..).map(|row| TOP + ROW * (f64::from(row) + 0.5))
}

struct Plot {
    svg: String,
    /// The ratio at the right edge.
    most: f64,
}

impl Plot {
    /// The paper, the axis of ratios from zero to beyond `most`, and the names of the rows.
    fn new(title: &str, rows: &[Ratios], most: f64) -> Self {
        let (bottom, most) =
            (TOP + ROW * f64::from(u32::try_from(rows.len()).expect("few rows")), (most * 1.05).ceil());
        let height = bottom + BELOW;
        let mut plot = Self { svg: String::new(), most };
        plot.add(&format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13" fill="{INK}">"#
        ));
        plot.add(&format!(r#"<rect width="{WIDTH}" height="{height}" rx="6" fill="{PAPER}"/>"#));
        plot.text(20.0, 30.0, "start", &format!(r#"<tspan font-size="16" font-weight="600">{title}</tspan>"#));
        let mut tick = 0.0;
        while tick <= most {
            let (color, width) = if (tick - 1.0_f64).abs() < 0.01 { (INK, 1.5) } else { (FAINT, 1.0) };
            plot.line((tick, TOP), (tick, bottom), color, width);
            plot.text(plot.x(tick), bottom + 18.0, "middle", &format!("{tick:.0}"));
            tick += 1.0;
        }
        plot.text(f64::midpoint(LEFT, RIGHT), bottom + 38.0, "middle", "times native; 1 is as native");
        for (row, middle) in rows.iter().zip(middles()) {
            plot.text(
                LEFT - 12.0,
                middle + 4.0,
                "end",
                &format!(r#"<tspan font-size="12">{}</tspan>"#, row.what.replace('`', "")),
            );
        }
        plot
    }

    fn legend(&mut self, entries: &[(&str, &str)]) {
        let mut x = LEFT;
        for (name, color) in entries {
            self.add(&format!(r#"<rect x="{x:.0}" y="46" width="12" height="12" fill="{color}"/>"#));
            self.text(x + 18.0, 56.0, "start", name);
            x += 130.0;
        }
    }

    fn bar(&mut self, y: f64, against: &Against, color: &str) {
        let (median, width) = (against.median(), self.x(against.median()) - LEFT);
        self.add(&format!(r#"<rect x="{LEFT}" y="{y:.1}" width="{width:.1}" height="12" fill="{color}"/>"#));
        let beyond = self.x(median.max(against.at_most.unwrap_or_default())) + 6.0;
        self.text(beyond, y + 10.5, "start", &format!(r#"<tspan font-size="11">{median:.2}</tspan>"#));
        if let Some(at_most) = against.at_most {
            self.line((at_most, y - 2.0), (at_most, y + 14.0), LIMIT, 3.0);
        }
    }

    /// A line between two points, each a ratio and a height.
    fn line(&mut self, (from, top): (f64, f64), (to, bottom): (f64, f64), color: &str, width: f64) {
        let (from, to) = (self.x(from), self.x(to));
        self.add(&format!(
            r#"<line x1="{from:.1}" y1="{top:.1}" x2="{to:.1}" y2="{bottom:.1}" stroke="{color}" stroke-width="{width}"/>"#
        ));
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        self.add(&format!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#));
    }

    fn x(&self, ratio: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * ratio / self.most
    }

    fn add(&mut self, element: &str) {
        writeln!(self.svg, "{element}").expect("text");
    }

    fn end(mut self) -> String {
        self.add("</svg>");
        self.svg
    }
}
