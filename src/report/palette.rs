//! The colours of a picture whose pixels are shades, a byte each.

/// Stops on the way round, in 256ths, and the colours there.
const STOPS: [(u32, [u8; 3]); 6] = [
    (0, [0, 7, 100]),
    (41, [32, 107, 203]),
    (108, [237, 255, 255]),
    (164, [255, 170, 0]),
    (220, [0, 2, 0]),
    (256, [0, 7, 100]),
];

/// The colour of each shade in red, green and blue: black for 0, and from 1 to 255 once round
/// through blue, white and gold.
#[must_use]
pub fn palette() -> [[u8; 3]; 256] {
    std::array::from_fn(|shade| if shade == 0 { [0; 3] } else { between(shade as u32) })
}

fn between(place: u32) -> [u8; 3] {
    let next = STOPS.iter().position(|(at, _)| *at > place).unwrap_or(STOPS.len() - 1);
    let ((start, from), (end, to)) = (STOPS[next - 1], STOPS[next]);
    std::array::from_fn(|i| {
        let part = u32::from(from[i]) * (end - place) + u32::from(to[i]) * (place - start);
        (part / (end - start)) as u8
    })
}

/// How light a colour looks, from 0 to 1.
#[must_use]
pub(super) fn lightness([r, g, b]: [u8; 3]) -> f64 {
    (0.30 * f64::from(r) + 0.59 * f64::from(g) + 0.11 * f64::from(b)) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_round_has_no_jump() {
        let palette = palette();
        assert_eq!(
            (palette[0], palette[108], palette[164]),
            ([0; 3], [237, 255, 255], [255, 170, 0])
        );
        for shade in 2..256 {
            let far = |i: usize| palette[shade][i].abs_diff(palette[shade - 1][i]);
            assert!((0..3).all(|i| far(i) <= 6), "from {} to {shade}", shade - 1);
        }
        let step = (0..3).all(|i| palette[255][i].abs_diff(palette[1][i]) <= 6);
        assert!(step, "{:?} {:?}", palette[255], palette[1]);
    }
}
