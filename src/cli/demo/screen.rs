//! Where the scene is shown: drawn over and over in a terminal, told in a few lines elsewhere.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use crate::cli::terminal;
use crate::report::scene::{Colours, Scene};

/// Standard output. Nothing about the terminal is changed for good: a frame ends with the cursor
/// below it and no colour set, so that whatever ends this process leaves a terminal in order.
pub(super) struct Screen {
    /// Nothing if what is printed goes elsewhere than to a terminal.
    terminal: Option<Terminal>,
}

struct Terminal {
    colours: Colours,
    /// Columns and lines at the last frame.
    size: (usize, usize),
    /// How many lines that took.
    lines: usize,
}

impl Screen {
    pub(super) fn new() -> Screen {
        let terminal = |size| Terminal { colours: terminal::colours(), size, lines: 0 };
        Screen { terminal: terminal::size().map(terminal) }
    }

    /// A line of what is to be seen in the scene where that is drawn.
    pub(super) fn tell(&self, line: &str) {
        if self.terminal.is_none() {
            terminal::print(line);
        }
    }

    /// Draws `scene` in the place of the frame before.
    pub(super) fn draw(&mut self, scene: &Scene) {
        let Some(terminal) = &mut self.terminal else { return };
        let frame = terminal.frame(scene, terminal::size());
        let mut out = io::stdout().lock();
        // In one write, so that no half of a frame is seen. A reader that is gone is no error.
        let _ = out.write_all(frame.as_bytes()).and_then(|()| out.flush());
    }
}

impl Terminal {
    /// What draws `scene` in a terminal that has this size now, if it says.
    fn frame(&mut self, scene: &Scene, size: Option<(usize, usize)>) -> String {
        let size = size.unwrap_or(self.size);
        // The last line is for the cursor.
        let lines = scene.lines(size.0, size.1.saturating_sub(1), self.colours);
        // Terminals that know it show all of what is between these two at once.
        let mut frame = "\x1b[?2026h".to_owned();
        if size != self.size && self.lines > 0 {
            // What was drawn may have been wrapped: nobody knows where it begins.
            frame += "\x1b[2J\x1b[H";
        } else if self.lines > 0 {
            write!(frame, "\x1b[{}A\r", self.lines).expect("writing to a string does not fail");
        }
        for line in &lines {
            frame.extend([line, "\x1b[K\r\n"]);
        }
        frame += "\x1b[J\x1b[?2026l";
        (self.size, self.lines) = (size, lines.len());
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NodeInfo, Span};
    use crate::report::scene::Mosaic;
    use std::collections::BTreeMap;

    #[test]
    fn a_frame_is_drawn_over_the_one_before_unless_that_was_wrapped() {
        let nodes = [NodeInfo::default()];
        let mosaic = Mosaic::new(1, BTreeMap::new());
        let scene = Scene::new("title", &nodes, mosaic, 0, Span::from_secs(1));
        let mut terminal = Terminal { colours: Colours::None, size: (40, 9), lines: 0 };
        let first = terminal.frame(&scene, Some((40, 9)));
        assert!(first.starts_with("\x1b[?2026htitle\x1b[K\r\n"), "{first:?}");
        let lines = first.matches('\n').count();
        assert_eq!(terminal.lines, lines);
        let second = terminal.frame(&scene, None);
        assert!(second.starts_with(&format!("\x1b[?2026h\x1b[{lines}A\rtitle")), "{second:?}");
        let third = terminal.frame(&scene, Some((30, 9)));
        assert!(third.starts_with("\x1b[?2026h\x1b[2J\x1b[Htitle"), "{third:?}");
        for frame in [first, second, third] {
            assert!(frame.ends_with("\x1b[J\x1b[?2026l"), "the cursor is below it: {frame:?}");
        }
    }
}
