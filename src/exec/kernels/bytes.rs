//! Kernels that put images together and sum bytes up.

use crate::model::Value;

use super::super::context::{TaskContext, TaskError};
use super::{count, table};

/// The images of the inputs side by side, in order.
pub(super) fn stitch(task: &mut TaskContext<'_>) -> Result<Value, TaskError> {
    let images = task.values().map(Image::read).collect::<Result<Vec<_>, _>>()?;
    let height = images.first().map_or(0, Image::height);
    if let Some(other) = images.iter().find(|image| image.height() != height) {
        let other = other.height();
        return Err(TaskError::new(format!("an image {other} high beside one {height} high")));
    }
    let width: usize = images.iter().map(|image| image.width).sum();
    let mut bytes: Vec<u8> = Vec::with_capacity(width * height);
    for y in 0..height {
        images.iter().for_each(|image| bytes.extend(image.line(y)));
    }
    Ok(table([("width", (width as i64).into()), ("image", bytes.into())]))
}

/// The CRC-32 (that of zip and PNG) of all bytes in the inputs, in any nesting and in order.
pub(super) fn crc32(task: &mut TaskContext<'_>) -> Result<Value, TaskError> {
    let mut hasher = crc32fast::Hasher::new();
    let bytes: usize = task.values().map(|value| hash(value, &mut hasher)).sum();
    Ok(table([("crc32", hasher.finalize().into()), ("bytes", (bytes as i64).into())]))
}

/// Goes over the bytes in `value`, and says how many there were.
fn hash(value: &Value, hasher: &mut crc32fast::Hasher) -> usize {
    match value {
        Value::Bytes(bytes) => {
            hasher.update(bytes);
            bytes.len()
        }
        Value::List(items) => items.iter().map(|item| hash(item, hasher)).sum(),
        Value::Map(entries) => entries.iter().map(|(_, item)| hash(item, hasher)).sum(),
        _ => 0,
    }
}

/// An image that a kernel gave back.
struct Image<'a> {
    width: usize,
    bytes: &'a [u8],
}

impl Image<'_> {
    fn read(value: &Value) -> Result<Image<'_>, TaskError> {
        let Some(Value::Bytes(bytes)) = value.get("image") else {
            let kind = value.kind();
            return Err(TaskError::new(format!("`stitch` takes images and was given {kind}")));
        };
        let width = count(value, "width")? as usize;
        match bytes.len().checked_rem(width) {
            Some(0) => Ok(Image { width, bytes }),
            _ => {
                let length = bytes.len();
                Err(TaskError::new(format!("{length} pixels are no image that is {width} wide")))
            }
        }
    }

    fn height(&self) -> usize {
        self.bytes.len() / self.width
    }

    fn line(&self, y: usize) -> &[u8] {
        &self.bytes[y * self.width..][..self.width]
    }
}
