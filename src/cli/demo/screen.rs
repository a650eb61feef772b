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
        let colours = terminal::colours();
        let terminal = terminal::size().map(|size| Terminal { colours, size, lines: 0 });
        Screen { terminal }
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
        let frame = terminal.frame(scene);
        let mut out = io::stdout().lock();
        // In one write, so that no half of a frame is seen. A reader that is gone is no error.
        let _ = out.write_all(frame.as_bytes()).and_then(|()| out.flush());
    }
}

impl Terminal {
    fn frame(&mut self, scene: &Scene) -> String {
        let size = terminal::size().unwrap_or(self.size);
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
