//! Bulk Data Access 2.0: kick-off, the list that is made of what is in reach, its status, its files.
//!
//! A job writes down **which versions** it found, each decided then; what is in them is read and decided once more
//! while a file is fetched. So nothing clinical is stored twice, a consent that was revoked since is in force in every
//! file, and whoever deletes an export has nothing to delete but names.

mod fetch;
mod list;
mod start;
mod status;

use serde::{Deserialize, Serialize};

use crate::auth::Caller;
use crate::fhir::export::Pairs;
use crate::fhir::reference::is_id;
use crate::store::{ExportJob, ExportState};

use super::{Context, Error};

pub use fetch::{ExportFile, export_file};
pub use list::turn;
pub use start::{ExportOf, start_export};
pub use status::{ExportStatus, Manifest, cancel_export, export_status};

/// What was asked, settled at the kick-off: scopes, purposes and members are those of that moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Wanted {
    /// The address of the kick-off.
    request: String,
    /// Only what names a patient, and whom of the directory that points at.
    compartments: bool,
    /// These people alone.
    patients: Option<Vec<String>>,
    kinds: Vec<String>,
    filters: Vec<(String, Pairs)>,
    since: Option<i64>,
    purposes: Vec<String>,
    /// What was not applied, for the error file.
    notes: Vec<String>,
}

/// How far a list got.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Reached {
    /// Which type and filter, or which person.
    step: usize,
    /// Behind which row of it: moment or type, and id.
    behind: Option<(String, String)>,
}

impl Wanted {
    fn of(job: &ExportJob) -> Result<Wanted, Error> {
        let fault = crate::store::Fault::of("read an export");
        serde_json::from_str(&job.asked).map_err(|error| Error::Fault(fault(error)))
    }

    fn filters_of(&self, kind: &str) -> Vec<&Pairs> {
        self.filters.iter().filter(|(of, _)| of == kind).map(|(_, pairs)| pairs).collect()
    }
}

/// A job that this caller started and that is still there; anybody else's is as if it were not.
async fn own_job(ctx: &Context, caller: &Caller, id: &str) -> Result<ExportJob, Error> {
    let unknown = || Error::unknown("$export", id);
    if !is_id(id) {
        return Err(unknown());
    }
    let job = ctx.store.export(id).await?.ok_or_else(unknown)?;
    let own = job.partner == caller.partner() && job.subject == caller.subject();
    let there = job.state != ExportState::Dropped && job.expires_at > ctx.now();
    if own && there { Ok(job) } else { Err(unknown()) }
}
