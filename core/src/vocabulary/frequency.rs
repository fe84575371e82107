//! How often a disease shows a symptom.

/// What is assumed where the source states no frequency: half of the patients.
pub const ASSUMED_PER_MILLE: u16 = 500;

/// Patients of a thousand who have the symptom, 0 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frequency(u16);

/// The text is no frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a frequency: expected a count as 3/7, a percentage as 43%, or an HPO frequency term")]
pub struct FrequencyError;

impl Frequency {
    /// Checks a number.
    ///
    /// # Errors
    /// More than 1000.
    pub const fn from_per_mille(per_mille: u16) -> Result<Self, FrequencyError> {
        if per_mille > 1000 { Err(FrequencyError) } else { Ok(Self(per_mille)) }
    }

    /// Of a thousand.
    #[must_use]
    pub const fn per_mille(self) -> u16 {
        self.0
    }
}

/// One row's statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stated {
    /// So many of so many patients; the second is at least 1 and not below the first.
    Count(u32, u32),
    /// A share.
    Share(Frequency),
    /// Nothing.
    Unstated,
}

/// Reads a frequency column: empty, `3/7`, `43%`, `4.5%`, or a term below *Frequency* (HP:0040279), which stands for
/// the middle of its range.
pub(super) fn parse(text: &str) -> Result<Stated, FrequencyError> {
    let middle = match text {
        "" => return Ok(Stated::Unstated),
        "HP:0040280" => 1000, // obligate
        "HP:0040281" => 895,  // very frequent, 80–99 %
        "HP:0040282" => 545,  // frequent, 30–79 %
        "HP:0040283" => 170,  // occasional, 5–29 %
        "HP:0040284" => 25,   // very rare, 1–4 %
        "HP:0040285" => 0,    // excluded
        _ => {
            return if let Some(percent) = text.strip_suffix('%') { parse_percent(percent) } else { parse_count(text) };
        }
    };
    Ok(Stated::Share(Frequency(middle)))
}

fn parse_count(text: &str) -> Result<Stated, FrequencyError> {
    let (with, all) = text.split_once('/').ok_or(FrequencyError)?;
    let (with, all) = (digits(with)?, digits(all)?);
    if all == 0 || with > all { Err(FrequencyError) } else { Ok(Stated::Count(with, all)) }
}

fn parse_percent(text: &str) -> Result<Stated, FrequencyError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let tenth = digits(fraction.get(..1).ok_or(FrequencyError)?)?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FrequencyError);
    }
    let per_mille = digits(whole)?.checked_mul(10).and_then(|tens| tens.checked_add(tenth)).ok_or(FrequencyError)?;
    let per_mille = u16::try_from(per_mille).map_err(|_| FrequencyError)?;
    Frequency::from_per_mille(per_mille).map(Stated::Share)
}

/// At most seven digits: larger studies do not exist, and sums of such numbers stay far from overflow.
fn digits(text: &str) -> Result<u32, FrequencyError> {
    if text.is_empty() || text.len() > 7 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FrequencyError);
    }
    text.parse().map_err(|_| FrequencyError)
}

/// Joins what several rows state of one symptom: counts are pooled; without counts the shares are averaged. A symptom
/// that somebody had never rounds down to 0.
pub(super) fn pool(stated: &[Stated]) -> Option<Frequency> {
    let (mut with, mut all, mut shares, mut sum) = (0_u64, 0_u64, 0_u64, 0_u64);
    for row in stated {
        match row {
            Stated::Count(a, b) => (with, all) = (with + u64::from(*a), all + u64::from(*b)),
            Stated::Share(share) => (shares, sum) = (shares + 1, sum + u64::from(share.0)),
            Stated::Unstated => {}
        }
    }
    let (part, whole) = if all > 0 { (with * 1000, all) } else { (sum, shares) };
    if whole == 0 {
        return None;
    }
    let rounded = u16::try_from((part + whole / 2) / whole).unwrap_or(1000).min(1000);
    Some(Frequency(if part > 0 { rounded.max(1) } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(per_mille: u16) -> Result<Stated, FrequencyError> {
        Ok(Stated::Share(Frequency(per_mille)))
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(parse(""), Ok(Stated::Unstated));
        assert_eq!(parse("3/7"), Ok(Stated::Count(3, 7)));
        assert_eq!(parse("43%"), share(430));
        assert_eq!(parse("4.56%"), share(45));
        assert_eq!(parse("100%"), share(1000));
        assert_eq!(parse("HP:0040281"), share(895));
        for bad in ["7/3", "0/0", "1/", "/2", "101%", "%", ".%", "1.%", "1.a%", "-1%", "HP:0001250", "12345678/2", "x"]
        {
            assert_eq!(parse(bad), Err(FrequencyError), "{bad}");
        }
    }

    #[test]
    fn counts_are_pooled_and_outweigh_shares() {
        let pooled = pool(&[Stated::Count(1, 2), Stated::Count(1, 8), Stated::Share(Frequency(900))]);
        assert_eq!(pooled, Some(Frequency(200)));
        assert_eq!(pool(&[Stated::Share(Frequency(100)), Stated::Share(Frequency(201))]), Some(Frequency(151)));
        assert_eq!(pool(&[Stated::Count(1, 9_999_999)]), Some(Frequency(1)));
        assert_eq!(pool(&[Stated::Count(0, 5)]), Some(Frequency(0)));
        assert_eq!(pool(&[Stated::Unstated]), None);
    }
}
