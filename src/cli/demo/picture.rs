//! The picture that the job of the demo computes: in tiles, by rows, and as a whole.

use std::collections::BTreeMap;

use crate::exec::Registry;
use crate::exec::kernels::mandelbrot::Tile;
use crate::model::{Body, Job, Record, State, TaskId, Value};
use crate::report::scene::Mosaic;
use crate::run;
use crate::spec::{self, ReadOptions, Source};

/// A job that computes a picture of the Mandelbrot set.
pub(super) struct Picture {
    pub(super) job: Job,
    tiles: BTreeMap<TaskId, Tile>,
    rows: Vec<TaskId>,
    sum: Option<TaskId>,
}

impl Picture {
    /// Reads the job, and estimates what its tasks take.
    pub(super) fn read(text: &str, registry: &Registry) -> Result<Picture, spec::Errors> {
        let source = Source { name: "demo.toml", text };
        let mut job = spec::read_job(source, &ReadOptions::default())?.job;
        run::estimate(&mut job, registry);
        let of = |kernel: &str| -> Vec<TaskId> {
            let calls = |id: &TaskId| match job.tasks[id.index()].unresolved_body(&job.templates) {
                Body::Kernel { name, .. } => name == kernel,
                Body::Command(_) => false,
            };
            (0..job.tasks.len() as u32).map(TaskId).filter(calls).collect()
        };
        let tile = |id: TaskId| {
            let args = job.tasks[id.index()].kernel_args(&job.templates)?;
            Some((id, Tile::from_args(&args).ok()?))
        };
        let tiles = of("mandelbrot").into_iter().filter_map(tile).collect();
        let (rows, sum) = (of("stitch"), of("crc32").pop());
        Ok(Picture { job, tiles, rows, sum })
    }

    pub(super) fn tiles(&self) -> usize {
        self.tiles.len()
    }

    /// Its tiles as people watch them come.
    pub(super) fn mosaic(&self) -> Mosaic {
        let place = |tile: &Tile| (tile.column as usize, tile.row as usize);
        Mosaic::new(self.side(), self.tiles.iter().map(|(id, tile)| (*id, place(tile))).collect())
    }

    /// The side of a tile in pixels.
    fn side(&self) -> usize {
        self.tiles.values().next().map_or(0, |tile| tile.pixels as usize)
    }

    /// How wide it is in pixels.
    pub(super) fn width(&self) -> usize {
        self.tiles.values().map(|tile| tile.column as usize + 1).max().unwrap_or(0) * self.side()
    }

    /// Computes it tile by tile on this thread, without any of the scheduler; nothing if `go_on`,
    /// which is asked before each tile, says so.
    pub(super) fn compute(&self, mut go_on: impl FnMut() -> bool) -> Option<Vec<u8>> {
        let (side, width) = (self.side(), self.width());
        let mut image = vec![0; self.tiles.len() * side * side];
        for tile in self.tiles.values() {
            if !go_on() {
                return None;
            }
            for y in 0..side {
                let start = (tile.row as usize * side + y) * width + tile.column as usize * side;
                let line = image.iter_mut().skip(start);
                line.zip(tile.shades(y as u64)).for_each(|(pixel, shade)| *pixel = shade);
            }
        }
        Some(image)
    }

    /// The rows that a run gave back, one below the other; nothing if one is missing.
    pub(super) fn stitched(&self, records: &[Record]) -> Option<Vec<u8>> {
        let mut image = Vec::new();
        for row in &self.rows {
            let Some(Value::Bytes(bytes)) = value(records, *row)?.get("image") else { return None };
            image.extend(bytes);
        }
        Some(image)
    }

    /// The checksum that a run gave back.
    pub(super) fn checksum(&self, records: &[Record]) -> Option<u32> {
        let sum = value(records, self.sum?)?.get("crc32")?.as_i64()?;
        u32::try_from(sum).ok()
    }
}

/// What `task` gave back.
fn value(records: &[Record], task: TaskId) -> Option<&Value> {
    let done = |record: &&Record| record.task == task && record.state == State::Done;
    records.iter().find(done).map(|record| &record.value)
}
