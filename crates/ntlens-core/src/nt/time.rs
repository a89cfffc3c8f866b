//! `FILETIME`: 100 ns units since 1601-01-01, UTC.

use core::fmt;
use core::str::FromStr;

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

impl FromStr for FileTime {
    type Err = ();

    /// A date, or a date and a time in UTC as RFC 3339 writes it, whose last parts may be missing: `2024-03-02`,
    /// `2024-03-02T10:11`, `2024-03-02T10:11:12.1234567Z`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00"));
        let mut date = date.splitn(3, '-').map(digits);
        let (Some(year), Some(month), Some(day), None) =
            (next(&mut date)?, next(&mut date)?, next(&mut date)?, date.next())
        else {
            return Err(());
        };
        let time = time.strip_suffix(['Z', 'z']).unwrap_or(time);
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut time = time.splitn(3, ':').map(digits);
        let (Some(hour), Some(minute)) = (next(&mut time)?, next(&mut time)?) else { return Err(()) };
        let second = next(&mut time)?.unwrap_or(0);
        if hour > 23 || minute > 59 || second > 59 || fraction.len() > 7 {
            return Err(());
        }
        let scale = 10_u64.pow(7 - u32::try_from(fraction.len()).map_err(|_| ())?);
        let fraction = digits(fraction)? * scale;
        let days = days_since_1601(year, month, day).ok_or(())?;
        let seconds = days.checked_mul(86_400).ok_or(())? + hour * 3600 + minute * 60 + second;
        seconds.checked_mul(Self::PER_SECOND).and_then(|units| units.checked_add(fraction)).map(Self).ok_or(())
    }
}

/// The next part, if there is one.
fn next(parts: &mut impl Iterator<Item = Result<u64, ()>>) -> Result<Option<u64>, ()> {
    parts.next().transpose()
}

/// A number of at most seven digits.
fn digits(text: &str) -> Result<u64, ()> {
    let plain = (1..=7).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().map_err(|_| ()) } else { Err(()) }
}

/// The opposite of [`civil_date`]; `None` for a date that the calendar does not have, or that is before 1601.
fn days_since_1601(year: u64, month: u64, day: u64) -> Option<u64> {
    let years = year.checked_sub(1601)?;
    let (cycle, rest) = (years / 400, years % 400);
    let leap_days = rest / 4 - rest / 100;
    let mut days = cycle * 146_097 + rest * 365 + leap_days;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let february = if is_leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = *lengths.get(month)?;
    days += lengths.iter().take(month).sum::<u64>();
    (1..=length).contains(&day).then_some(days + day - 1)
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
    use proptest::prelude::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let read = |text: &str| text.parse::<FileTime>().map(|time| time.0);
        for (text, expected) in [
            ("1601-01-01", 0),
            ("1970-01-01", 116_444_736_000_000_000),
            ("1970-01-01T00:00Z", 116_444_736_000_000_000),
            ("1970-01-01 00:00:01.5", 116_444_736_015_000_000),
            ("2000-02-29T23:59:59.0000001Z", 125_963_423_990_000_001),
            ("60056-05-28T05:36:10.9551615Z", u64::MAX),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for wrong in [
            "",
            "2024",
            "2024-03",
            "1600-12-31",
            "2023-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-00",
            "2024-01-01T",
            "2024-01-01T24:00",
            "2024-01-01T00:60",
            "2024-01-01T00:00:60",
            "2024-01-01T1",
            "2024-1-1T0:0:0.12345678",
            "60056-05-28T05:36:10.9551616Z",
            "+2024-01-01",
            "9999999-01-01",
            "99999999-01-01",
            "2024-01-01-01",
        ] {
            assert_eq!(read(wrong), Err(()), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_time_can_be_read_again(value: u64) {
            prop_assert_eq!(FileTime(value).to_string().parse(), Ok(FileTime(value)));
        }
    }

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
