//! Where in a dump a frame lies, by the testkit's own formats: nothing here is the parser's.

use ntlens_testkit::Kind;

/// Frames that follow each other in the file: first frame, number, file offset.
#[derive(Debug)]
pub(crate) struct Frames(Vec<(u64, u64, u64)>);

const PAGE: u64 = 0x1000;

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()).into()
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

impl Frames {
    pub(crate) fn of(kind: Kind, bytes: &[u8]) -> Self {
        let pairs = |at: usize| {
            let entry = move |index: usize| (u64_at(bytes, at + index * 16), u64_at(bytes, at + index * 16 + 8));
            (0..).map(entry)
        };
        match kind {
            Kind::Full => {
                let count = usize::try_from(u32_at(bytes, 0x88)).unwrap();
                Self::in_row(0x2000, pairs(0x98).take(count))
            }
            Kind::Summary => Self::of_bits(bytes, 0x2028, u32_at(bytes, 0x2010), u32_at(bytes, 0x200c)),
            Kind::BitmapFull { .. } | Kind::BitmapKernel { .. } => {
                Self::of_bits(bytes, 0x2038, u64_at(bytes, 0x2030), u64_at(bytes, 0x2020))
            }
            Kind::RdmpKernel | Kind::RdmpUser | Kind::RdmpFull => {
                let first = u64_at(bytes, 0x2018);
                let room = usize::try_from((first - 0x2030) / 16).unwrap();
                Self::in_row(first, pairs(0x2030).take(room).take_while(|(first, _)| *first != 0))
            }
            Kind::Raw => Self::in_row(0, std::iter::once((0, bytes.len() as u64 / PAGE))),
            Kind::Triage => Self(Vec::new()),
        }
    }

    fn in_row(first_page: u64, runs: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut offset = first_page;
        let place = |(first, count)| {
            let at = offset;
            offset += count * PAGE;
            (first, count, at)
        };
        Self(runs.map(place).collect())
    }

    fn of_bits(bytes: &[u8], at: usize, count: u64, first_page: u64) -> Self {
        let set = |bit: &u64| bytes[at + usize::try_from(bit / 8).unwrap()] >> (bit % 8) & 1 == 1;
        Self::in_row(first_page, (0..count).filter(set).map(|bit| (bit, 1)))
    }

    /// File offset of a physical address.
    pub(crate) fn offset(&self, physical: u64) -> Option<u64> {
        let frame = physical / PAGE;
        let holds = |run: &&(u64, u64, u64)| (run.0..run.0 + run.1).contains(&frame);
        self.0.iter().find(holds).map(|(first, _, offset)| offset + (frame - first) * PAGE + physical % PAGE)
    }
}
