//! `FILETIME`: 100 ns units since 1601-01-01, UTC.

use core::fmt;

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTime(pub u64);

impl FileTime {
    /// Units of 100 ns in a second.
    pub const PER_SECOND: u64 = 10_000_000;

    /// A time of Windows, in which zero means "never".
    pub const fn from_windows(value: u64) -> Option<Self> {
        if value == 0 { None } else { Some(Self(value)) }
    }

    /// Nanoseconds since 1970-01-01, UTC; `None` outside of what 64 bits can hold.
    pub fn unix_nanoseconds(self) -> Option<i64> {
        const TO_1970: i128 = 116_444_736_000_000_000;
        i64::try_from((i128::from(self.0) - TO_1970) * 100).ok()
    }
}

impl fmt::Display for FileTime {
    /// RFC 3339 with seven decimals. Years past 9999 are written with as many digits as they need.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, fraction) = (self.0 / Self::PER_SECOND, self.0 % Self::PER_SECOND);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z")
    }
}

/// The Gregorian date of a number of days since 1601-01-01, the first day of a cycle of 400 years.
fn civil_date(days: u64) -> (u64, u64, u64) {
    const CYCLE: u64 = 146_097;
    let (cycle, mut day) = (days / CYCLE, days % CYCLE);
    let century = (day / 36_524).min(3);
    day -= century * 36_524;
    let leap = (day / 1_461).min(24);
    day -= leap * 1_461;
    let single = (day / 365).min(3);
    day -= single * 365;
    let year = 1601 + cycle * 400 + century * 100 + leap * 4 + single;
    let is_leap = single == 3 && (leap != 24 || century == 3);
    let february = if is_leap { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    (year, month, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn times_are_written_as_the_world_does() {
        for (value, text) in [
            (0, "1601-01-01T00:00:00.0000000Z"),
            (116_444_736_000_000_000, "1970-01-01T00:00:00.0000000Z"),
            (125_963_423_990_000_001, "2000-02-29T23:59:59.0000001Z"),
            (132_583_451_029_877_650, "2021-02-21T01:38:22.9877650Z"),
            (94_354_847_990_000_000, "1899-12-31T23:59:59.0000000Z"),
            (u64::MAX, "60056-05-28T05:36:10.9551615Z"),
        ] {
            assert_eq!(FileTime(value).to_string(), text);
        }
        assert_eq!(FileTime(116_444_736_000_000_001).unix_nanoseconds(), Some(100));
        assert_eq!(FileTime(u64::MAX).unix_nanoseconds(), None);
    }
}
