//! How times of the wire are described in the server's OpenAPI document; used by nothing else.
//!
//! `jiff` writes local dates and times as text without an offset, for which OpenAPI has no type of its own.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

use super::Zone;

/// A local date.
#[derive(ToSchema)]
#[schema(value_type = String, format = Date, examples("2026-04-20"))]
#[expect(dead_code, reason = "only the description is used")]
pub struct LocalDate(String);

/// A local date and time of day, without an offset: the zone stands beside it.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$", examples("2026-04-20T10:00:00"))]
#[expect(dead_code, reason = "only the description is used")]
pub struct LocalDateTime(String);

/// A local time of day.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = r"^\d\d:\d\d:\d\d$", examples("10:00:00"))]
#[expect(dead_code, reason = "only the description is used")]
pub struct LocalTime(String);

impl PartialSchema for Zone {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("An IANA time zone."))
            .examples(["Asia/Tokyo"])
            .into()
    }
}

impl ToSchema for Zone {}
