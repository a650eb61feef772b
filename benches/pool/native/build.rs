//! From a source in this folder to a shared library.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Recipe;

/// The path of the library. It is built in the target folder, with the optimisation that cargo
/// uses for benches and for the same processors.
pub(super) fn build(recipe: &Recipe, include: Option<&str>) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/pool/native");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(recipe.source).with_extension("so");
    let mut compiler = Command::new(recipe.compiler);
    compiler.args(["-O3", "-w", "-fPIC", "-shared", "-o"]).arg(&library);
    compiler.arg(folder.join(recipe.source));
    if let Some(include) = include {
        compiler.args(["-isystem", include]);
    }
    // Libraries are named after what needs them.
    compiler.args(recipe.flags);
    match compiler.output() {
        Ok(Output { status, .. }) if status.success() => Ok(library),
        Ok(Output { stderr, status, .. }) => {
            let said = String::from_utf8_lossy(&stderr);
            let error = said.lines().find(|line| line.contains("error")).unwrap_or_default();
            Err(format!("{} ended with {status}: {error}", recipe.compiler))
        }
        Err(error) => Err(format!("{} cannot be run: {error}", recipe.compiler)),
    }
}
