//! A picture as a PNG file.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use crate::cli::Failure;
use crate::model::ExitCode;
use crate::report::palette;

/// Writes `image`, a shade a pixel, in lines of `width`.
pub(super) fn write(path: &Path, width: usize, image: &[u8]) -> Result<(), Failure> {
    encode(path, width, image).map_err(|error| {
        let message = format!("cannot write {}: {error}", path.display());
        Failure::new(ExitCode::Infrastructure, message)
    })
}

fn encode(path: &Path, width: usize, image: &[u8]) -> Result<(), EncodingError> {
    let height = image.len() / width.max(1);
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = Encoder::new(file, width as u32, height as u32);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::High);
    encoder.set_palette(palette().concat());
    let mut writer = encoder.write_header()?;
    writer.write_image_data(image)?;
    writer.finish()
}
