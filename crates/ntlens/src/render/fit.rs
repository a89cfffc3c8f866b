//! Which columns a terminal has room for, and how wide each is.
//!
//! Long texts become shorter before a column goes. Then columns go by their rank, of those those first that say nothing in
//! any row, then the widest; the heading that a column is looked for under is never cut. What is wide by rank comes only
//! where everything else has all the room it wants.

use ntlens_core::report::Rank;

/// What a column wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    /// How soon it gives way.
    pub(super) rank: Rank,
    /// The width of its longest cell or of its heading.
    pub(super) natural: usize,
    /// The width that it can still be read at.
    pub(super) comfortable: usize,
    /// The width under which it says nothing.
    pub(super) least: usize,
    /// It says nothing in any row.
    pub(super) silent: bool,
}

/// Blanks between two columns.
pub(super) const GAP: usize = 2;
/// Blanks before the first.
pub(super) const MARGIN: usize = 1;

/// The columns that are shown, with their widths.
pub(super) fn fit(columns: &[Measure], width: Option<usize>) -> Vec<(usize, usize)> {
    let (mut wide, mut shown): (Vec<usize>, Vec<usize>) =
        (0..columns.len()).partition(|index| columns.get(*index).is_some_and(|column| column.rank == Rank::Wide));
    let of = |index: usize, part: fn(&Measure) -> usize| columns.get(index).map_or(0, part);
    let natural = |index: usize| (index, of(index, |column| column.natural));
    let Some(width) = width else { return shown.into_iter().map(natural).collect() };
    let total = |shown: &[usize], part: fn(&Measure) -> usize| {
        MARGIN + shown.iter().map(|index| of(*index, part) + GAP).sum::<usize>().saturating_sub(GAP)
    };
    while total(&shown, |column| column.comfortable) > width {
        let Some(place) = to_leave(columns, &shown, Rank::More) else { break };
        shown.remove(place);
    }
    while total(&shown, |column| column.least) > width {
        let Some(place) = to_leave(columns, &shown, Rank::Key) else { break };
        shown.remove(place);
    }
    let comfortable = total(&shown, |column| column.comfortable) <= width;
    let floor = move |column: &Measure| if comfortable { column.comfortable } else { column.least };
    let mut widths: Vec<(usize, usize)> = shown.iter().map(|index| natural(*index)).collect();
    let taken = |widths: &[(usize, usize)]| {
        MARGIN + widths.iter().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP)
    };
    // The longest texts give way first.
    while taken(&widths) > width {
        let can =
            widths.iter_mut().filter(|(index, width)| columns.get(*index).is_some_and(|column| *width > floor(column)));
        let Some((_, longest)) = can.max_by_key(|(_, width)| *width) else { break };
        *longest -= 1;
    }
    let everything = widths.len() + wide.len() == columns.len();
    let mut room = width.saturating_sub(taken(&widths));
    wide.retain(|index| {
        let fits = everything && of(*index, |column| column.comfortable) + GAP <= room;
        if fits {
            let taken = of(*index, |column| column.natural).min(room - GAP);
            room -= taken + GAP;
            widths.push((*index, taken));
        }
        fits
    });
    widths.sort_unstable_by_key(|(index, _)| *index);
    widths
}

/// The place of the column that goes first, of this rank and those behind it; the first column stays.
fn to_leave(columns: &[Measure], shown: &[usize], rank: Rank) -> Option<usize> {
    let key = |(place, index): (usize, &usize)| {
        let column = columns.get(*index).filter(|column| column.rank >= rank)?;
        // What is silent as a key column says just that.
        let silent = column.silent && column.rank == Rank::More;
        let width = if column.rank == Rank::More { column.comfortable } else { 0 };
        Some((column.rank, silent, width, place))
    };
    shown.iter().enumerate().skip(1).filter_map(key).max().map(|(.., place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(rank: Rank, natural: usize, comfortable: usize, least: usize) -> Measure {
        Measure { rank, natural, comfortable, least, silent: false }
    }

    #[test]
    fn texts_shrink_and_ranks_go() {
        let columns = [
            column(Rank::Key, 5, 5, 5),
            column(Rank::Key, 15, 15, 8),
            column(Rank::Main, 9, 9, 9),
            column(Rank::More, 30, 20, 10),
            Measure { silent: true, ..column(Rank::More, 3, 3, 3) },
            column(Rank::Wide, 60, 20, 10),
        ];
        let at = |width| fit(&columns, Some(width));
        assert_eq!(fit(&columns, None), [(0, 5), (1, 15), (2, 9), (3, 30), (4, 3)]);
        assert_eq!(at(71), [(0, 5), (1, 15), (2, 9), (3, 30), (4, 3)]);
        assert_eq!(at(200).last(), Some(&(5, 60)));
        assert_eq!(at(100).last(), Some(&(5, 27)), "a wide one takes the room that is left");
        assert_eq!(at(65), [(0, 5), (1, 15), (2, 9), (3, 24), (4, 3)]);
        assert_eq!(at(60), [(0, 5), (1, 15), (2, 9), (3, 24)], "what says nothing goes first");
        assert_eq!(at(50), [(0, 5), (1, 15), (2, 9)]);
        assert_eq!(at(30), [(0, 5), (1, 11), (2, 9)]);
        assert_eq!(at(20), [(0, 5), (1, 12)]);
        assert_eq!(at(1), [(0, 5)]);
    }

    fn rank() -> impl Strategy<Value = Rank> {
        prop::sample::select(vec![Rank::Key, Rank::Main, Rank::More, Rank::Wide])
    }

    proptest! {
        #[test]
        fn what_is_shown_fits(
            told in prop::collection::vec((rank(), 0_usize..20, 0_usize..20, 0_usize..40, any::<bool>()), 1..12),
            width in 0_usize..300,
        ) {
            let measure = |&(rank, least, more, most, silent): &(Rank, usize, usize, usize, bool)| {
                Measure { rank, least, comfortable: least + more, natural: least + more + most, silent }
            };
            let columns: Vec<Measure> = told.iter().map(measure).collect();
            let shown = fit(&columns, Some(width));
            let taken = MARGIN + shown.iter().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP);
            prop_assert!(taken <= width || shown.len() <= 1, "{taken} of {width}");
            for (index, width) in &shown {
                prop_assert!(*width >= columns[*index].least && *width <= columns[*index].natural);
            }
            prop_assert!(shown.is_sorted_by(|left, right| left.0 < right.0), "in their order");
        }
    }
}
