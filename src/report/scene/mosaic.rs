//! A picture that is computed in tiles, each tinted by the node that computed it.

use std::collections::BTreeMap;

use super::colour::{Colours, Line, RED, of_node};
use crate::model::{PeerId, Record, State, TaskId, Value};
use crate::report::palette::{lightness, palette};

/// How light what is black in the picture is: here it shows best who computed it.
const INSIDE: f64 = 0.9;
/// What stands for light where there is no colour.
const SHADES: [&str; 5] = ["·", "░", "▒", "▓", "█"];

/// A grid of square tiles that images fill.
#[derive(Clone, Debug)]
pub struct Mosaic {
    columns: usize,
    rows: usize,
    /// The side of a tile in pixels.
    side: usize,
    /// The tasks that make the tiles: the column and row of each.
    places: BTreeMap<TaskId, (usize, usize)>,
    tiles: Vec<Tile>,
    light: [f64; 256],
}

#[derive(Clone, Debug, Default)]
struct Tile {
    /// Whether an attempt at it was lost.
    was_lost: bool,
    /// The node that made it, and the image.
    done: Option<(PeerId, Vec<u8>)>,
}

/// What is seen at a point.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Nothing,
    Harm,
    Light(PeerId, f64),
}

impl Mosaic {
    /// A mosaic of tiles of `side` times `side` pixels, which the tasks of `places` make: the
    /// column and row of each.
    #[must_use]
    pub fn new(side: usize, places: BTreeMap<TaskId, (usize, usize)>) -> Mosaic {
        let count = |place: fn(&(usize, usize)) -> usize| places.values().map(place).max();
        let columns = count(|(column, _)| *column).map_or(0, |last| last + 1);
        let rows = count(|(_, row)| *row).map_or(0, |last| last + 1);
        let tiles = vec![Tile::default(); columns * rows];
        let palette = palette();
        let of_shade = |shade: usize| if shade == 0 { INSIDE } else { lightness(palette[shade]) };
        let light = std::array::from_fn(of_shade);
        Mosaic { columns, rows, side: side.max(1), places, tiles, light }
    }

    /// Whether `task` makes a tile.
    pub(super) fn has(&self, task: TaskId) -> bool {
        self.places.contains_key(&task)
    }

    pub(super) fn hear(&mut self, record: &Record) {
        let Some((column, row)) = self.places.get(&record.task) else { return };
        let tile = &mut self.tiles[row * self.columns + column];
        let node = record.place.as_ref().map(|place| place.node);
        match (record.state, record.value.get("image"), node) {
            (State::Done, Some(Value::Bytes(image)), Some(node))
                if image.len() == self.side * self.side =>
            {
                tile.done = Some((node, image.clone()));
            }
            (State::Lost, _, _) => tile.was_lost = true,
            _ => {}
        }
    }

    /// The picture as large as fits in so many columns and lines of a terminal, two pixels to a
    /// character, in the middle; `place` gives each node its place among the colours.
    pub(super) fn lines(
        &self,
        width: usize,
        height: usize,
        colours: Colours,
        place: impl Fn(PeerId) -> usize,
    ) -> Vec<String> {
        // Half a character is about as high as it is wide.
        let (columns, rows) = (self.columns.max(1), self.rows.max(1));
        let across = width.min(height * 2 * columns / rows);
        let down = across * rows / columns / 2;
        let margin = " ".repeat((width - across) / 2);
        let colour = |seen| match seen {
            Seen::Nothing => None,
            Seen::Harm => Some(RED),
            Seen::Light(node, light) => Some(colours.lit(of_node(place(node)), light)),
        };
        let line = |y: usize| {
            let mut line = Line::new(colours, width);
            line.plain(&margin);
            for x in 0..across {
                let seen = [2 * y, 2 * y + 1].map(|y| self.seen(x, y, across, down * 2));
                if colours == Colours::None {
                    line.plain(shade(seen));
                    continue;
                }
                match seen.map(colour) {
                    [None, None] => line.plain(" "),
                    [above, below] if above == below => line.put("█", above, None),
                    [None, below] => line.put("▄", below, None),
                    [above, below] => line.put("▀", above, below),
                }
            }
            line.finish()
        };
        (0..down).map(line).collect()
    }

    /// What is seen in the pixel `x`, `y` of a picture of `across` times `down`.
    fn seen(&self, x: usize, y: usize, across: usize, down: usize) -> Seen {
        let (width, height) = (self.columns * self.side, self.rows * self.side);
        let part = |i: usize, of: usize, whole: usize| i * whole / of..(i + 1) * whole / of;
        let (xs, ys) = (part(x, across, width), part(y, down, height));
        let (middle_x, middle_y) = ((xs.start + xs.end) / 2, (ys.start + ys.end) / 2);
        let Some(tile) = self.tile(middle_x, middle_y) else { return Seen::Nothing };
        let Some((node, _)) = tile.done else {
            return if tile.was_lost { Seen::Harm } else { Seen::Nothing };
        };
        // What was lost and done again keeps a mark in its middle.
        let centre = |pixel: usize| pixel / self.side * self.side + self.side / 2;
        if tile.was_lost && xs.contains(&centre(middle_x)) && ys.contains(&centre(middle_y)) {
            return Seen::Harm;
        }
        let points = ys.flat_map(|y| xs.clone().map(move |x| (x, y)));
        let (mut total, mut count) = (0.0, 0.0);
        for (x, y) in points {
            if let Some(Tile { done: Some((_, image)), .. }) = self.tile(x, y) {
                let shade = image[y % self.side * self.side + x % self.side];
                total += self.light[usize::from(shade)];
                count += 1.0;
            }
        }
        Seen::Light(node, if count > 0.0 { total / count } else { 0.0 })
    }

    /// The tile with the pixel `x`, `y` of the whole picture.
    fn tile(&self, x: usize, y: usize) -> Option<&Tile> {
        self.tiles.get(y / self.side * self.columns + x / self.side)
    }
}

/// One character for two pixels, without colour.
fn shade(seen: [Seen; 2]) -> &'static str {
    if seen.contains(&Seen::Harm) {
        return "x";
    }
    let lights = seen.iter().filter_map(|seen| match seen {
        Seen::Light(_, light) => Some(*light),
        _ => None,
    });
    let (sum, count) = lights.fold((0.0, 0.0), |(sum, count), light| (sum + light, count + 1.0));
    if count == 0.0 {
        return " ";
    }
    let level = sum / count * SHADES.len() as f64;
    SHADES[(level as usize).min(SHADES.len() - 1)]
}
