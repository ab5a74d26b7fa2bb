//! A plot as SVG: lines over axes that are linear or logarithmic.

use std::fmt::Write as _;

/// In pixels.
const SIZE: (f64, f64) = (720.0, 420.0);
/// Left, right, top and bottom of what is drawn in.
const FRAME: (f64, f64, f64, f64) = (80.0, 540.0, 50.0, 360.0);
/// Of the lines, in their order; distinct also to those who do not tell red from green.
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];
/// Marks of a linear axis.
const MARKS: u32 = 5;

/// How numbers become places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

/// One of the two axes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    label: &'static str,
    scale: Scale,
}

impl Axis {
    pub(crate) const fn linear(label: &'static str) -> Self {
        let scale = Scale::Linear;
        Self { label, scale }
    }

    pub(crate) const fn logarithmic(label: &'static str) -> Self {
        let scale = Scale::Logarithmic;
        Self { label, scale }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// What should be, in place of what is.
    pub(crate) is_dashed: bool,
}

/// A plot.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
}

/// An axis with its bounds.
struct Ruler {
    axis: Axis,
    bounds: (f64, f64),
    /// Where the bounds are, in pixels.
    places: (f64, f64),
}

impl Ruler {
    fn new(axis: Axis, values: impl Iterator<Item = f64>, places: (f64, f64)) -> Self {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let bounds = match axis.scale {
            Scale::Linear => (0.0, high),
            // Whole decades.
            Scale::Logarithmic => (power(low.log10().floor()), power(high.log10().ceil())),
        };
        Self {
            axis,
            bounds,
            places,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let (low, high) = self.bounds;
        let share = match self.axis.scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Logarithmic => (value / low).log10() / (high / low).log10(),
        };
        self.places.0 + share * (self.places.1 - self.places.0)
    }

    fn marks(&self) -> Vec<f64> {
        let (low, high) = self.bounds;
        match self.axis.scale {
            Scale::Linear => (0..=MARKS)
                .map(|mark| low + (high - low) * f64::from(mark) / f64::from(MARKS))
                .collect(),
            Scale::Logarithmic => {
                let decades = std::iter::successors(Some(low), |mark| Some(mark * 10.0));
                // A little more, for what rounding took away.
                decades.take_while(|mark| *mark <= high * 1.01).collect()
            }
        }
    }
}

fn power(exponent: f64) -> f64 {
    10_f64.powf(exponent)
}

/// A number at a mark.
fn number(value: f64) -> String {
    let digits = match value {
        0.0 => 0,
        value if value < 0.1 => 2,
        value if value < 10.0 && value.fract() != 0.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

impl Plot {
    /// The plot as a file of SVG.
    pub(crate) fn svg(&self) -> String {
        let (left, right, top, bottom) = FRAME;
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Ruler::new(self.x, points().map(|point| point.0), (left, right));
        let y = Ruler::new(self.y, points().map(|point| point.1), (bottom, top));
        let (width, height) = SIZE;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n\
             <text x=\"{left}\" y=\"28\" font-size=\"16\">{}</text>\n",
            self.title
        );
        for mark in x.marks() {
            let (at, below, text) = (x.place(mark), bottom + 20.0, number(mark));
            let _ = writeln!(
                svg,
                "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{text}</text>"
            );
        }
        for mark in y.marks() {
            let (at, before, text) = (y.place(mark), left - 8.0, number(mark));
            let _ = writeln!(
                svg,
                "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{before}\" y=\"{at:.1}\" dy=\"4\" text-anchor=\"end\">{text}</text>"
            );
        }
        let middle = f64::midpoint(left, right);
        let _ = writeln!(
            svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n\
             <text transform=\"translate(22 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            bottom + 42.0,
            x.axis.label,
            f64::midpoint(top, bottom),
            y.axis.label
        );
        for (index, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let dashes = if line.is_dashed {
                " stroke-dasharray=\"6 4\""
            } else {
                ""
            };
            let stroke = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}");
            let mut path = String::new();
            for (number, point) in line.points.iter().enumerate() {
                let command = if number == 0 { 'M' } else { 'L' };
                let _ = write!(
                    path,
                    "{command}{:.1} {:.1}",
                    x.place(point.0),
                    y.place(point.1)
                );
            }
            let (from, at) = (
                right + 16.0,
                top + 12.0 + f64::from(u32::try_from(index).unwrap_or(0)) * 22.0,
            );
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" {stroke}/>\n<path d=\"M{from} {at}h22\" {stroke}/><text x=\"{}\" y=\"{at}\" dy=\"4\">{}</text>",
                from + 30.0,
                line.name
            );
        }
        svg + "</svg>\n"
    }
}
