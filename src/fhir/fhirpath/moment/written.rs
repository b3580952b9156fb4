//! Moments as they are written: read, and written as they were.

use std::fmt;

use jiff::civil::{Date, Time};

use super::{Form, Moment, Precision};

/// Longer than any moment.
const BYTES_MAX: usize = 40;

impl Moment {
    /// `2015-02`, `2015-02T`, `2015-02-04T14:34:28.123+10:00`, and of a time `14:34`.
    pub fn parse(text: &str, form: Form) -> Option<Moment> {
        if !text.is_ascii() || text.len() > BYTES_MAX {
            return None;
        }
        let (date, clock) = match form {
            Form::Time => (None, Some(text)),
            Form::Date => (Some(text), None),
            Form::DateTime => match text.split_once('T') {
                Some((date, clock)) => (Some(date), Some(clock)),
                None => (Some(text), None),
            },
        };
        let (mut precision, mut parts) = (Precision::Year, [1970, 1, 1]);
        if let Some(date) = date {
            for (at, part) in date.split('-').enumerate() {
                *parts.get_mut(at)? = digits(part, if at == 0 { 4 } else { 2 })?;
                precision = [Precision::Year, Precision::Month, Precision::Day][at];
            }
        }
        let date = Date::new(parts[0], parts[1] as i8, parts[2] as i8).ok()?;
        let (mut hms, mut nanos, mut offset_minutes) = ([0; 3], 0, None);
        if let Some(clock) = clock.filter(|clock| !clock.is_empty()) {
            if form == Form::DateTime && precision != Precision::Day {
                return None;
            }
            let zone = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
            let (clock, zone) = clock.split_at(zone);
            if form == Form::Time && !zone.is_empty() {
                return None;
            }
            offset_minutes = offset(zone)?;
            let (clock, fraction) = match clock.split_once('.') {
                Some((clock, fraction)) => (clock, Some(fraction)),
                None => (clock, None),
            };
            for (at, part) in clock.split(':').enumerate() {
                *hms.get_mut(at)? = digits(part, 2)?;
                precision = [Precision::Hour, Precision::Minute, Precision::Second][at];
            }
            if let Some(fraction) = fraction {
                if precision != Precision::Second {
                    return None;
                }
                nanos = fraction_nanos(fraction)?;
                precision = Precision::Fraction(fraction.len() as u8);
            }
        } else if form == Form::Time {
            return None;
        }
        // A leap second is a second.
        let second = hms[2].min(59);
        let valid = hms[2] <= 60;
        let time = Time::new(hms[0] as i8, hms[1] as i8, second as i8, nanos).ok().filter(|_| valid)?;
        Some(Moment { form, precision, local: date.to_datetime(time), offset_minutes })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, precision) = (self.local, self.precision);
        if self.form != Form::Time {
            write!(out, "{:04}", at.year())?;
            if precision >= Precision::Month {
                write!(out, "-{:02}", at.month())?;
            }
            if precision >= Precision::Day {
                write!(out, "-{:02}", at.day())?;
            }
            if precision >= Precision::Hour {
                out.write_str("T")?;
            }
        }
        if precision >= Precision::Hour {
            write!(out, "{:02}", at.hour())?;
        }
        if precision >= Precision::Minute {
            write!(out, ":{:02}", at.minute())?;
        }
        if precision >= Precision::Second {
            write!(out, ":{:02}", at.second())?;
        }
        if let Precision::Fraction(digits) = precision {
            let nanos = format!("{:09}", at.subsec_nanosecond());
            write!(out, ".{}", nanos.get(..usize::from(digits)).unwrap_or(&nanos))?;
        }
        match self.offset_minutes.filter(|_| precision >= Precision::Hour) {
            Some(0) => out.write_str("Z"),
            Some(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(out, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
            None => Ok(()),
        }
    }
}

fn digits(part: &str, count: usize) -> Option<i16> {
    (part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?
}

fn fraction_nanos(fraction: &str) -> Option<i32> {
    let fits = !fraction.is_empty() && fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| format!("{fraction:0<9}").parse().ok())?
}

/// `Z`, `+10:00`, or nothing at all.
fn offset(zone: &str) -> Option<Option<i16>> {
    if zone.is_empty() {
        return Some(None);
    }
    if zone == "Z" {
        return Some(Some(0));
    }
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let total = (hours <= 14 && minutes < 60).then_some(hours * 60 + minutes)?;
    Some(Some(if zone.starts_with('-') { -total } else { total }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_precisely_as_they_are_written() {
        use Form::*;
        for (text, form, is_one) in [
            ("2015", Date, true),
            ("2015-02", Date, true),
            ("2015-02-29", Date, false),
            ("2016-02-29", Date, true),
            ("15-02-04", Date, false),
            ("2015-2-4", Date, false),
            ("2015-02-04-01", Date, false),
            ("2015-02-04T14", DateTime, true),
            ("2015-02T14", DateTime, false),
            ("2015-02-04T14:34:28.123456789Z", DateTime, true),
            ("2015-02-04T14:34:28.1234567890Z", DateTime, false),
            ("2015-02-04T14:34:60Z", DateTime, true),
            ("2015-02-04T14:34:61Z", DateTime, false),
            ("2015-02-04T24:00", DateTime, false),
            ("2015-02-04T14:34:28-10:00", DateTime, true),
            ("2015-02-04T14:34:28+15:00", DateTime, false),
            ("2015-02-04T14:34:28Z10:00", DateTime, false),
            ("2015-02-04T14:34.5", DateTime, false),
            ("14:34", Time, true),
            ("14:34Z", Time, false),
            ("", Time, false),
            ("", Date, false),
            ("é015", Date, false),
        ] {
            let read = Moment::parse(text, form);
            assert_eq!(read.is_some(), is_one, "{text}");
            if let Some(read) = read.filter(|_| !text.contains(":60")) {
                assert_eq!(read.to_string(), text);
            }
        }
    }
}
