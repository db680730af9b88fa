//! Since when somebody is on the register whom a file brings without saying so. Pure: an import asks, once a row.
//! Invariant: nobody is on the register before anything that the row says happened there, nor after the day of the import;
//! so a file that is imported changes no month before its own rows.

use crate::{
    date::Day,
    register::{field, number},
};

/// The days that a register gives to somebody whom it has: registered as unemployed, applied for, recognised, enrolled.
const DAYS: [(u32, u32); 7] = [
    (number::UNEMPLOYMENT_SPELL, field::unemployment_spell::REG_ON),
    (number::HARDSHIP_CASE, field::hardship_case::APPLIED_ON),
    (number::HARDSHIP_CASE, field::hardship_case::RECOGNISED_ON),
    (number::ZEF_CASE, field::zef_case::APPLIED_ON),
    (number::ZEF_CASE, field::zef_case::RECOGNISED_ON),
    (number::TRAINEE, field::trainee::ENROLLED_ON),
    (number::SERVICE_RECORD, field::service_record::ON),
];

/// The fields of a register that tell a day on which it had somebody.
pub fn days_of_registration(register: u32) -> impl Iterator<Item = u32> {
    DAYS.iter().filter(move |(of, _)| *of == register).map(|(_, tag)| *tag)
}

/// The day of registration of what a row makes: the earliest of the days on which a register had it by the row itself, else
/// `entered`, the day of the import or the one that the clerk named for taking over an old register.
pub fn registered_since(days: impl IntoIterator<Item = Day>, entered: Day) -> Day {
    days.into_iter().min().map_or(entered, |first| first.min(entered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Record, pb,
        register::{Value, registers},
        wire::Field,
    };

    fn record(register: u32, days: &[(u32, Day)]) -> Record {
        let mut record = Record { register, ..Record::default() };
        let field = |(tag, day): &(u32, Day)| {
            let def = registers().get(register).and_then(|def| def.field(*tag));
            let bytes = def.map(|def| Value::Day(*day).encode(def)).unwrap_or_default();
            Field { tag: *tag, bytes }
        };
        record.set(days.iter().map(field).collect::<Vec<_>>(), pb::Origin { revision: 1, ..pb::Origin::default() });
        record
    }

    fn days<'r>(row: impl IntoIterator<Item = &'r Record>) -> Vec<Day> {
        let of = |record: &'r Record| days_of_registration(record.register).filter_map(|tag| record.day(tag));
        row.into_iter().flat_map(of).collect()
    }

    #[test]
    fn who_comes_in_a_file_is_registered_since_the_earliest_day_of_its_row_or_the_import() {
        let spell = record(number::UNEMPLOYMENT_SPELL, &[(22, 900), (23, 1_000)]);
        let case = record(number::ZEF_CASE, &[(23, 990), (27, 1_010)]);
        let person = record(number::RESIDENT, &[(41, 800)]);
        assert_eq!(registered_since(days([&person]), 1_100), 1_100);
        assert_eq!(registered_since(days([&person, &spell]), 1_100), 1_000);
        assert_eq!(registered_since(days([&case, &person, &spell]), 1_100), 990);
        assert_eq!(registered_since(days([&spell]), 500), 500, "an old register that is taken over");
    }
}
