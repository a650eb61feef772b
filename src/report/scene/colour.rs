//! Colours in a terminal, and the lines that they are put on.

/// Red, green and blue.
pub(super) type Rgb = [u8; 3];

/// Which colours a terminal takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// None.
    None,
    /// The 256 of xterm.
    Indexed,
    /// Any.
    Any,
}

/// What tells of harm.
pub(super) const RED: Rgb = [232, 64, 56];

/// Colours that people tell apart, none of them near [`RED`]; one for each node, in turn.
const NODES: [Rgb; 7] = [
    [60, 150, 255],
    [255, 165, 40],
    [70, 200, 90],
    [200, 90, 255],
    [235, 245, 80],
    [60, 220, 220],
    [200, 205, 215],
];

/// The colour of the node at `place` in its table.
pub(super) fn of_node(place: usize) -> Rgb {
    NODES[place % NODES.len()]
}

impl Colours {
    /// `colour` where there is so much light, from 0 to 1: never so dark that it cannot be told
    /// from others, and in steps that the eye hardly sees, so that what is next to each other on
    /// a line is often the same.
    pub(super) fn lit(self, colour: Rgb, light: f64) -> Rgb {
        const STEPS: f64 = 18.0;
        let floor = if self == Colours::Indexed { 0.5 } else { 0.28 };
        let light = floor + (1.0 - floor) * (light * STEPS).round() / STEPS;
        colour.map(|part| (f64::from(part) * light) as u8)
    }

    fn code(self, layer: u8, colour: Rgb) -> String {
        let [r, g, b] = colour;
        match self {
            Colours::None => String::new(),
            Colours::Indexed => format!("\x1b[{layer};5;{}m", nearest(colour)),
            Colours::Any => format!("\x1b[{layer};2;{r};{g};{b}m"),
        }
    }
}

/// The nearest in xterm's cube of 6 x 6 x 6 colours. Its greys are nearer to what is dark, but
/// have no hue.
fn nearest(colour: Rgb) -> u8 {
    const SIDE: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let place = |part: u8| (0..6u8).min_by_key(|i| part.abs_diff(SIDE[usize::from(*i)]));
    let [r, g, b] = colour.map(|part| place(part).unwrap_or(0));
    16 + 36 * r + 6 * g + b
}

/// A line in the making, which ends where the terminal does.
pub(super) struct Line {
    text: String,
    colours: Colours,
    /// How many columns are left.
    room: usize,
    ink: Option<Rgb>,
    paper: Option<Rgb>,
}

impl Line {
    pub(super) fn new(colours: Colours, width: usize) -> Line {
        Line { text: String::new(), colours, room: width, ink: None, paper: None }
    }

    /// How many columns are left.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Adds `text` in the colour `ink` on `paper`; those of the terminal where there is none.
    pub(super) fn put(&mut self, text: &str, ink: Option<Rgb>, paper: Option<Rgb>) {
        if self.colours != Colours::None && (self.ink, self.paper) != (ink, paper) {
            if ink.is_none() || (paper.is_none() && self.paper.is_some()) {
                self.text.push_str("\x1b[0m");
                (self.ink, self.paper) = (None, None);
            }
            for (layer, wanted, there) in [(38, ink, self.ink), (48, paper, self.paper)] {
                if let Some(colour) = wanted.filter(|_| wanted != there) {
                    self.text += &self.colours.code(layer, colour);
                }
            }
            (self.ink, self.paper) = (ink, paper);
        }
        let before = self.text.len();
        self.text.extend(text.chars().take(self.room));
        self.room -= self.text[before..].chars().count();
    }

    pub(super) fn plain(&mut self, text: &str) {
        self.put(text, None, None);
    }

    pub(super) fn finish(mut self) -> String {
        self.plain("");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_256_is_in_the_cube() {
        let colours = [[0, 0, 0], [255, 255, 255], [255, 0, 0], [95, 135, 175], [100, 120, 230]];
        assert_eq!(colours.map(nearest), [16, 231, 196, 67, 68]);
    }

    #[test]
    fn nodes_are_told_apart_in_the_dark_too() {
        for colours in [Colours::Indexed, Colours::Any] {
            let dark = NODES.map(|colour| colours.code(38, colours.lit(colour, 0.0)));
            let distinct: std::collections::BTreeSet<_> = dark.iter().collect();
            assert_eq!(distinct.len(), dark.len(), "{dark:?}");
            assert!(!dark.contains(&colours.code(38, RED)));
        }
    }

    #[test]
    fn a_colour_is_said_once_and_taken_back_and_a_line_ends_where_it_must() {
        let mut line = Line::new(Colours::Any, 9);
        line.plain("a");
        line.put("b", Some([1, 2, 3]), None);
        line.put("c", Some([1, 2, 3]), Some([4, 5, 6]));
        line.put("d", Some([1, 2, 3]), None);
        let expected = "a\x1b[38;2;1;2;3mb\x1b[48;2;4;5;6mc\x1b[0m\x1b[38;2;1;2;3md\x1b[0m";
        assert_eq!(line.finish(), expected);
        let mut line = Line::new(Colours::None, 2);
        line.put("bcd", Some([1, 2, 3]), Some([4, 5, 6]));
        assert_eq!(line.finish(), "bc");
    }
}
