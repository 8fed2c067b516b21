//! `max_unavailable`: a number of members, or a part of them.

use super::given::{Given, unlike};
use crate::fleet::{Limit, MOST_MEMBERS};
use serde_json::Value;

impl Given {
    pub fn limit(&self) -> Result<Limit, String> {
        match &self.value {
            Value::Number(number) if !number.is_f64() => {
                let count = number.as_u64().and_then(|count| u32::try_from(count).ok());
                count
                    .filter(|count| (1..=MOST_MEMBERS).contains(count))
                    .map(Limit::Count)
                    .ok_or_else(|| format!("{number} is not between 1 and {MOST_MEMBERS}"))
            }
            Value::String(text) => {
                let digits = text.strip_suffix('%').filter(|digits| {
                    !digits.starts_with('0') && digits.chars().all(|c| c.is_ascii_digit())
                });
                digits
                    .and_then(|digits| digits.parse().ok())
                    .filter(|part| (1..=100).contains(part))
                    .map(Limit::Percent)
                    .ok_or_else(|| format!("expected a part, as \"10%\", found {text:?}"))
            }
            other => Err(unlike("a number of members or a part, as \"10%\"", other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits() {
        let limit = |value| {
            let computed = false;
            Given { value, computed }.limit()
        };
        assert_eq!(limit(json!(1)), Ok(Limit::Count(1)));
        assert_eq!(limit(json!("10%")), Ok(Limit::Percent(10)));
        assert_eq!(limit(json!("100%")), Ok(Limit::Percent(100)));
        for bad in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!(10_001),
            json!("0%"),
            json!("101%"),
            json!("+5%"),
            json!("05%"),
            json!("%"),
            json!("3"),
            json!(true),
        ] {
            assert!(limit(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_part_is_one_at_least() {
        for (part, members, so_many) in [
            (10, 30, 3),
            (10, 19, 1),
            (10, 3, 1),
            (100, 3, 3),
            (50, 0, 1),
        ] {
            assert_eq!(
                Limit::Percent(part).of(members),
                so_many,
                "{part}% of {members}"
            );
        }
        assert_eq!(Limit::Count(2).of(1), 2);
    }
}
