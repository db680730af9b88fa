//! What an office holds of its hub: the records of its own subtree, and what the units above it, up to the hub's own, have
//! for everybody below.
//! Invariant: digest, count and head are kept with every write for each unit by itself, so what a scope holds is a sum over
//! a unit and those above it, whatever its size.

use crate::{
    rows::{self, UnitRow},
    store::{Space, StoreError, View},
};
use taizhang_proto::{OrgCode, Record, cell, register::is_for_below};

/// The scope of one office.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// The office's unit.
    pub unit: OrgCode,
    /// The hub's unit: nothing above it is here.
    pub hub: OrgCode,
    /// Whether the office takes what is for everybody; an older build does not.
    pub everybody: bool,
}

impl Scope {
    /// Whether the office holds a record.
    pub fn holds(&self, record: &Record) -> bool {
        cell::home_unit(record).is_some_and(|home| self.reaches(home, is_for_below(record.register)))
    }

    /// Whether it may hold records of a unit: its own subtree, or above it where they are for everybody below.
    pub fn reaches(&self, home: OrgCode, for_below: bool) -> bool {
        self.unit.covers(home) || (self.everybody && for_below && self.is_above(home))
    }

    /// Whether a unit lies above the office, and within the hub.
    pub fn is_above(&self, unit: OrgCode) -> bool {
        unit != self.unit && unit.covers(self.unit) && self.hub.covers(unit)
    }

    /// Digest, count and head of what it holds.
    ///
    /// # Errors
    /// When a row can't be read.
    pub fn row(&self, view: &dyn View) -> Result<UnitRow, StoreError> {
        let read = |unit: OrgCode| -> Result<UnitRow, StoreError> {
            Ok(rows::read(view, Space::Units, &unit.number().to_be_bytes())?.unwrap_or_default())
        };
        let mut own = read(self.unit)?;
        if !self.everybody {
            return Ok(own);
        }
        for above in self.unit.up_to(self.hub).skip(1) {
            let Some(below) = read(above)?.below else { continue };
            own.records = own.records_digest().plus(below.records_digest()).to_bytes().to_vec();
            own.count += below.count;
            own.head = own.head.max(below.head);
        }
        Ok(own)
    }
}
