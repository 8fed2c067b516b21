//! Whether two values say the same, though they may be written differently.

use super::given::Given;
use super::shape::Shape;
use serde_json::Value;

impl Shape {
    /// Whether two values, unrendered, mean the same to a key that takes this.
    pub(crate) fn same(self, one: &Value, other: &Value) -> bool {
        fn alike<T: PartialEq>(
            read: impl Fn(&Given) -> Result<T, String>,
            one: &Value,
            other: &Value,
        ) -> bool {
            let read = |value: &Value| {
                let value = value.clone();
                read(&Given {
                    value,
                    computed: false,
                })
                .ok()
            };
            matches!((read(one), read(other)), (Some(one), Some(other)) if one == other)
        }
        one == other
            || match self {
                Shape::Mode => alike(Given::mode, one, other),
                Shape::Account => alike(Given::account, one, other),
                Shape::Path => alike(Given::path, one, other),
                Shape::Duration => alike(Given::duration, one, other),
                Shape::Sha256 => alike(Given::sha256, one, other),
                Shape::Setting => alike(Given::setting, one, other),
                Shape::Debconf => alike(Given::debconf, one, other),
                _ => false,
            }
    }
}
